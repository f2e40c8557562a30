"""dns.question.registered_domain and its company, by the public suffix list that the package publicsuffixlist ships.

Under a suffix of the list's ICANN part (``co.uk``) the registered domain has one label more. A suffix of its PRIVATE
part (``akamaized.net``) is itself the registered domain: Elastic has it so. A name under neither has none.
"""

from __future__ import annotations

from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList


@cache
def _suffixes(*, only_icann: bool) -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False, only_icann=only_icann)


@lru_cache(maxsize=8192)
def registered(name: str) -> str | None:
    """Return the registered domain of a host name in lower case, or None."""
    suffix = _suffixes(only_icann=False).publicsuffix(name)
    if suffix is None:
        return None
    if suffix != _suffixes(only_icann=True).publicsuffix(name):
        return suffix
    return _suffixes(only_icann=False).privatesuffix(name)


def top_level(name: str) -> str | None:
    """Return the registered domain without its first label."""
    return (registered(name) or "").partition(".")[2] or None


def subdomain(name: str) -> str | None:
    """Return what stands before the registered domain."""
    domain = registered(name)
    return None if domain is None else name.removesuffix(".")[: -len(domain) - 1] or None
