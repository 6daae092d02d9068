"""The domain of a From header that somebody else wrote."""

import pytest

from mailcordon.control.authentication import from_header


@pytest.mark.parametrize(
    ("header", "domain"),
    [
        ("kim@acme.example", "acme.example"),
        ("Kim <kim@ACME.example.>", "acme.example"),
        ("kim@bank.example <kim@acme.example>", "acme.example"),
        ('"kim@bank.example" <kim@acme.example>', "acme.example"),
        ('"a \\" <kim@bank.example>" kim@acme.example', "acme.example"),
        ("(kim@bank.example (nested)) kim@acme.example", "acme.example"),
        ("kim@acme.example (kim@bank.example)", "acme.example"),
        ("Kim <kim@acme.example>, zoe@bank.example", "acme.example"),
        ("<@relay.example,@b.example:kim@acme.example>", "acme.example"),
        ("<<><kim@acme.example>>", "acme.example"),
        ("Team: kim@acme.example, zoe@bank.example;", "acme.example"),
        ('"kim"@acme.example', "acme.example"),
        ("kim@bank.example@acme.example", "acme.example"),
        ("Kim <kim at acme.example>", None),
        ("Kim", None),
        ("kim@", None),
        ("<@>", None),
        ("", None),
    ],
)
def test_it_is_that_of_the_first_address_whatever_surrounds_it(header: str, domain: str | None) -> None:
    assert from_header.domain_of(header) == domain
