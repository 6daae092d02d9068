"""A likely slip leads to the address that was meant, within a bounded number of candidates."""

import pytest

from mailcordon.core import address, misspellings


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("kim@exmaple.com", "kim@example.com"),
        ("kim@gmial.com", "kim@gmail.com"),
        ("kim@gmail.con", "kim@gmail.com"),
        ("kim@hotmial.com", "kim@hotmail.com"),
        ("kim@corp-exampel.de", "kim@corp-example.de"),
        ("kmi@example.com", "kim@example.com"),
        ("jonh.smith@corp.example", "john.smith@corp.example"),
        ("john-smith@corp.example", "john.smith@corp.example"),
        ("jhon@gmial.com", "john@gmail.com"),
        ("KIM+news@example.com", "kim@example.com"),
        ("kiim@example.com", "kim@example.com"),
    ],
)
def test_a_likely_slip_is_undone(asked: str, meant: str) -> None:
    found = misspellings.near(address.parse(asked))
    assert address.parse(meant) in found
    assert len(found) == len(set(found)) <= misspellings.MOST
    assert str(address.parse(asked)).lower() not in map(str, found)


def test_the_longest_address_has_no_more_candidates() -> None:
    long = address.Address("a.b-c" * 12, "x" * 60 + ".example")
    assert len(misspellings.near(long)) == misspellings.MOST
