"""How often a stranger may ask for pages without a key."""

from mailcordon.door.visitors import (
    BURST_SECONDS,
    MADE_UP_PER_SECOND,
    REAL_PER_SECOND,
    Visitors,
)


def taken(visitors: Visitors, client: str, number: int, *, real: bool, now: float = 0.0) -> int:
    return sum(visitors.retry_after(client, now, real=real) is None for _ in range(number))


def test_who_makes_links_up_gets_little_and_a_mailbox_provider_much() -> None:
    visitors = Visitors()
    assert taken(visitors, "192.0.2.1", 100, real=False) == BURST_SECONDS * MADE_UP_PER_SECOND
    assert visitors.retry_after("192.0.2.1", 0.0, real=False) == 1
    assert visitors.retry_after("192.0.2.1", 0.0, real=True) is None  # a real link behind the same NAT
    assert visitors.retry_after("192.0.2.2", 0.0, real=False) is None
    assert visitors.retry_after("192.0.2.1", 1.0, real=False) is None
    assert taken(visitors, "192.0.2.3", 5000, real=True) == BURST_SECONDS * REAL_PER_SECOND


def test_addresses_of_one_ipv6_network_are_one_client() -> None:
    visitors = Visitors()
    each = [taken(visitors, f"2001:db8::{n:x}", 10, real=False) for n in range(1, 6)]
    assert sum(each) == BURST_SECONDS * MADE_UP_PER_SECOND


def test_the_number_of_remembered_addresses_is_bounded() -> None:
    visitors = Visitors()
    for n in range(25_000):
        visitors.retry_after(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 0.0, real=False)
    assert len(visitors._full_at) <= 10_000  # pyright: ignore[reportPrivateUsage]
