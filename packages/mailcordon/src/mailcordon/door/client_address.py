"""The address a request comes from: the peer's, or behind a trusted proxy the one that the proxy forwarded. Pure."""

import functools
import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_IPV6_CUSTOMER = 64  #: bits; a provider gives each customer at least such a network


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks and addresses, separated by commas: `10.0.0.0/8, 2001:db8::1`. Raises ValueError."""
    return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Address | None:
    """An address, with or without port or brackets; None for anything else. An IPv4 address mapped to IPv6 is the IPv4 one."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


class TrustedProxies:
    """The proxies whose X-Forwarded-For is believed."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def is_trusted(self, peer: str) -> bool:
        address = parse(peer)
        return address is not None and self._contains(address)

    def client_address(self, peer: str, forwarded_for: Sequence[str]) -> str | None:
        """The address of the client behind `peer`, given the values of X-Forwarded-For in the order of arrival.

        It is the right-most one that is no trusted proxy's: whatever is left of it, the client can have made up. Returns the
        peer if that is not trusted; None if a trusted proxy names no client, so the request is its own; and the text
        `unknown` if what it names is no address.
        """
        if not self.is_trusted(peer):
            return peer
        hops = [hop for value in forwarded_for for hop in value.split(",")]
        for hop in reversed(hops):
            address = parse(hop)
            if address is None:
                return UNKNOWN
            if not self._contains(address):
                return str(address)
        return None

    def _contains(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


UNKNOWN = "unknown"  #: all clients whose trusted proxy forwards something else than an address: they are limited as one


@functools.lru_cache(maxsize=4096)
def counted_as(address: str) -> str:
    """The address, or for IPv6 its /64, under which the connections of a client are counted."""
    parsed = parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, _IPV6_CUSTOMER), strict=False))
    return address if parsed is None else str(parsed)
