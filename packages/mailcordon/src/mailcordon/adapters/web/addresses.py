"""Which addresses a request that somebody else configured may go to: public ones, and those that the operator allows.

Without this, whoever may set a webhook reaches what only our own network reaches: databases, admin pages, and the instance's
metadata with its credentials. An IPv6 address that stands for an IPv4 address counts as that one.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

#: IPv6 addresses with an IPv4 address inside, by where it begins (in bits from the right): NAT64 (RFC 6052), 6to4 (RFC 3056).
_EMBEDDING = (
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
_NOT_PUBLIC: tuple[Network, ...] = (
    IPv4Network("168.63.129.16/32"),  # Azure's host, which looks public and is not
    IPv4Network("192.0.0.0/24"),  # IETF protocol assignments: Oracle serves metadata there
    IPv4Network("192.88.99.0/24"),  # 6to4 relays (RFC 7526)
    IPv6Network("2001::/32"),  # Teredo: the address inside belongs to a NAT
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)
_UNICAST = IPv6Network(
    "2000::/3"
)  #: all that is assigned as public; the rest is local, reserved, or stands for IPv4


def is_allowed(text: str, networks: Sequence[Network]) -> bool:
    """Whether a request may go there. `networks` are allowed whatever they are. False for what is no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    return is_named(address, networks) or all(_is_public(one) for one in (address, *_inside(address)))


def is_named(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    """Whether one of the networks has it. An IPv4-mapped address is the IPv4 address."""
    plain = (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
    return any(plain in network for network in networks)


def _inside(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    if isinstance(address, IPv4Address):
        return []
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    return [
        IPv4Address(int(address) >> shift & 0xFFFFFFFF) for network, shift in _EMBEDDING if address in network
    ]


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (
        address.ipv4_mapped is not None
        or address in IPv6Network("64:ff9b::/96")
        or address.sixtofour is not None
    ):
        return True  # judged by what is inside; Pythons differ in whether they call 6to4 private
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not address.is_multicast and not is_named(address, _NOT_PUBLIC)
