"""Where a request that somebody else configured may go."""

from ipaddress import ip_network

import pytest

from mailcordon.adapters.web import addresses

OWN = [ip_network("10.1.0.0/16"), ip_network("fd00:1::/64")]


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "168.63.129.16",
        "172.16.0.1",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1111%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "fec0::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "::8.8.8.8",
        "::ffff:0:127.0.0.1",
        "100:0:0:1::1",
        "5f00::1",
        "3fff::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:4136:e378::1",
        "2001:db8::1",
        "localhost",
        "",
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not addresses.is_allowed(address, [])
    assert not addresses.is_allowed(address, OWN)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "203.0.114.7", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_a_public_address_is_allowed_in_each_notation(address: str) -> None:
    assert addresses.is_allowed(address, [])


def test_a_network_that_the_operator_names_is_allowed_and_no_other() -> None:
    assert addresses.is_allowed("10.1.2.3", OWN)
    assert addresses.is_allowed("::ffff:10.1.2.3", OWN)
    assert addresses.is_allowed("fd00:1::7", OWN)
    assert not addresses.is_allowed("10.2.0.1", OWN)
    assert not addresses.is_allowed("fd00:2::7", OWN)
