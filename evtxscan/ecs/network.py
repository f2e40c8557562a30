"""dns.* of Sysmon 22 and the Community ID of a connection."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from ipaddress import IPv4Address, IPv6Address

from evtxscan.ecs.convert import address, ip_unmapped
from evtxscan.ecs.texts import lookup

# What follows the type is data only where it is one word (Elastic cuts at white space).
_TYPED = re.compile(r"type:\s*([0-9]{1,5})(?:\s+(?:(\S+)|.*))?", re.ASCII)
# IANA protocol numbers of the transports that have ports.
_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}


def answers(results: str) -> list[dict[str, str]]:
    """Return dns.answers: the typed results in order, then the addresses; what is neither (cut off) is left out."""
    typed: list[dict[str, str]] = []
    for token in results.split(";"):
        if found := _TYPED.fullmatch(token.strip()):
            answer = {"type": lookup("dns_types", found[1]) or found[1]}
            if found[2]:
                answer["data"] = found[2]
            typed.append(answer)
    return typed + [{"type": "AAAA" if ":" in text else "A", "data": text} for text in addresses(results)]


def addresses(results: str) -> list[str]:
    """Return dns.resolved_ip: the addresses among the results, IPv4 ones without ``::ffff:``."""
    found = (ip_unmapped(token.strip()) for token in results.split(";"))
    return [text for text in found if text]


def hosts(results: str) -> list[str]:
    """Return the names among the typed results."""
    typed = (_TYPED.fullmatch(token.strip()) for token in results.split(";"))
    return [found[2] for found in typed if found and found[2]]


def community_id(source: str, source_port: int, target: str, target_port: int, transport: str) -> str | None:
    """Return the Community ID (version 1, seed 0) of a flow, or None where its parts do not fit together."""
    protocol = _PROTOCOLS.get(transport)
    one, two = address(source), address(target)
    if protocol is None or one is None or two is None or not _ports(source_port, target_port):
        return None
    ends = sorted([(_packed(one), source_port), (_packed(two), target_port)])
    text = struct.pack(">H", 0) + ends[0][0] + ends[1][0] + struct.pack(">BBHH", protocol, 0, ends[0][1], ends[1][1])
    return "1:" + base64.b64encode(hashlib.sha1(text, usedforsecurity=False).digest()).decode()


def _ports(*ports: int) -> bool:
    return all(0 <= port <= 0xFFFF for port in ports)


def _packed(end: IPv4Address | IPv6Address) -> bytes:
    return end.packed
