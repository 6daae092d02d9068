"""Addresses of a header: what is read, and what is refused because two programs could read it in two ways."""

import email.utils
import inspect
from typing import Any

import pytest

from mailcordon.core import address_list

READ = {
    "kim@example.com": [("", "kim@example.com")],
    " Kim Lee <kim@example.com> ": [("Kim Lee", "kim@example.com")],
    '"Lee, Kim" <kim@example.com>, lee@example.com': [
        ("Lee, Kim", "kim@example.com"),
        ("", "lee@example.com"),
    ],
    '"a\\"b" <kim@example.com>': [('a"b', "kim@example.com")],
    "kim@example.com (Kim (the elder))": [("Kim (the elder)", "kim@example.com")],
    "J. Smith <j@example.com>": [("J. Smith", "j@example.com")],
    "=?utf-8?q?K=C3=ADm?= =?utf-8?q?_Lee?= <kim@example.com>": [("Kím Lee", "kim@example.com")],
    "=?iso-8859-1?B?S+1t?= <kim@example.com>": [("Kím", "kim@example.com")],
    "undisclosed-recipients:;": [],
    "Team: kim@example.com, Lee <lee@example.com>;": [
        ("", "kim@example.com"),
        ("Lee", "lee@example.com"),
    ],
    "kim@example.com,,": [("", "kim@example.com")],
    "": [],
}

REFUSED = (
    "kim",
    "kim@",
    "<>",
    "kim @example.com",
    "kim@example.com lee@example.com",
    "<kim@example.com> <lee@example.com>",
    "kim@a.example <lee@example.com>",
    "<kim@example.com> Kim",
    '"kim@example.com',
    "(kim@example.com",
    "<@relay.example:kim@example.com>",
    "Team: kim@example.com",
    ": kim@example.com;",
    "A: B: kim@example.com;;",
    "kim@[192.0.2.1]",
    "kim(a)@example.com",
    "kim@example.com; lee@example.com",
    "(((((((((((a)))))))))))",
)


def test_addresses_are_read_with_their_names():
    for text, expected in READ.items():
        assert [tuple(one) for one in address_list.parse(text, 50)] == expected, text


def test_what_can_be_read_in_two_ways_is_refused():
    for text in REFUSED:
        with pytest.raises(ValueError, match="RFC 5322"):
            address_list.parse(text, 50)


def test_the_standard_library_reads_the_same_addresses():
    # Newer releases drop all addresses of a list that has a comma too many, unless they are told not to be strict.
    takes = inspect.signature(email.utils.getaddresses).parameters
    lenient: dict[str, Any] = {"strict": False} if "strict" in takes else {}
    for text, expected in READ.items():
        found = [one for _, one in email.utils.getaddresses([text], **lenient) if one]
        assert found == [one for _, one in expected], text


def test_a_word_in_an_unknown_charset_stays_as_it_is():
    [found] = address_list.parse("=?x-none?q?Kim?= <kim@example.com>", 50)
    assert found.name == "=?x-none?q?Kim?="


def test_no_more_addresses_are_read_than_are_asked_for():
    text = ", ".join(f"k{number}@example.com" for number in range(1000)) + ", not an address"
    assert len(address_list.parse(text, 51)) == 51
