"""Whose request it is: what a trusted proxy adds is believed, and nothing that a client can write."""

import pytest

from mailcordon.door.client_address import TrustedProxies, counted_as, parse, parse_networks

PROXIES = TrustedProxies(parse_networks("10.0.0.0/8, 2001:db8::/32, 192.0.2.1"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.5", ["198.51.100.1"], "203.0.113.5"),
        ("10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["1.2.3.4", "198.51.100.1, 10.9.9.9", "192.0.2.1"], "198.51.100.1"),
        ("10.1.2.3", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.1.2.3", ["[2001:dead::1]:4711"], "2001:dead::1"),
        ("10.1.2.3", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8::7", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", [], None),
        ("10.1.2.3", ["10.4.4.4"], None),
        ("10.1.2.3", ["198.51.100.1, nonsense"], "unknown"),
        ("10.1.2.3", [""], "unknown"),
        ("local", ["198.51.100.1"], "local"),
    ],
)
def test_the_client_is_the_right_most_address_that_is_no_trusted_proxy(
    peer: str, forwarded: list[str], client: str | None
):
    assert PROXIES.client_address(peer, forwarded) == client


def test_without_trusted_proxies_nothing_that_is_forwarded_is_believed():
    assert TrustedProxies(()).client_address("127.0.0.1", ["198.51.100.1"]) == "127.0.0.1"


def test_an_ipv6_client_is_counted_by_its_64_bits_and_an_ipv4_client_by_its_address():
    assert counted_as("2001:db8:1:2:3:4:5:6") == counted_as("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert counted_as("2001:db8:1:3::1") != counted_as("2001:db8:1:2::1")
    assert counted_as("::ffff:198.51.100.1") == counted_as("198.51.100.1") == "198.51.100.1"
    assert counted_as("unknown") == "unknown"


def test_what_is_no_network_is_refused():
    assert parse("fe80::1%eth0") == parse("fe80::1")
    with pytest.raises(ValueError, match="does not appear to be"):
        parse_networks("10.0.0.0/8, proxy.internal")
