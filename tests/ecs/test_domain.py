"""Registered domains as Elastic gives them: the list's ICANN and PRIVATE suffixes count differently."""

from __future__ import annotations

import pytest

from evtxscan.ecs import domain


@pytest.mark.parametrize(
    ("name", "registered", "subdomain", "top_level"),
    [
        ("www.example.com", "example.com", "www", "com"),
        ("example.com", "example.com", None, "com"),
        ("a.b.example.co.uk", "example.co.uk", "a.b", "co.uk"),
        ("WWW.Example.COM", "example.com", "WWW", "com"),
        ("www.example.com.", "example.com", "www", "com"),
        ("www.city.kawasaki.jp", "city.kawasaki.jp", "www", "kawasaki.jp"),  # an exception of the list
        ("a248.e.akamaized.net", "akamaized.net", "a248.e", "net"),  # PRIVATE: the suffix itself
        ("akamaized.net", "akamaized.net", None, "net"),
        ("com", None, None, None),
        ("wpad", None, None, None),
        ("dc01.corp.local", None, None, None),
        ("192.0.2.1", None, None, None),
        ("a..com", None, None, None),
        (".", None, None, None),
    ],
)
def test_parts(name: str, registered: str | None, subdomain: str | None, top_level: str | None) -> None:
    assert (domain.registered(name), domain.subdomain(name), domain.top_level(name)) == (
        registered,
        subdomain,
        top_level,
    )
