"""IP addresses and networks as Elasticsearch's ``ip`` field type and cidrMatch read them."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@lru_cache(maxsize=65536)
def parse_address(text: str) -> Address | None:
    """Return the address, an IPv4-mapped IPv6 one as IPv4, or None if the text is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def parse_network(text: str) -> Network | None:
    """Return the network of ``address/bits``, host bits allowed, or of one address; None if the text is none."""
    _, slash, bits = text.partition("/")
    if slash and not bits.isdigit():
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def within(text: str, networks: tuple[Network, ...]) -> bool:
    """Tell whether the address lies in one of the networks; text that is no address does not."""
    address = parse_address(text)
    return address is not None and any(address in network for network in networks)
