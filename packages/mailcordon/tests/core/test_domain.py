"""Domains are host names in the form that SES and DNS use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core import domain

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
DOMAINS = st.lists(LABELS, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "example"]))


@given(DOMAINS)
def test_a_host_name_is_unchanged(text):
    assert domain.parse(text) == text
    assert domain.parse(text.upper()) == text


@given(st.text(max_size=30))
def test_whatever_is_typed_a_domain_is_lower_case_ascii_and_parses_as_itself(text):
    try:
        parsed = domain.parse(text)
    except ValueError:
        return
    assert parsed == parsed.lower()
    assert parsed.isascii()
    assert domain.parse(parsed) == parsed


@pytest.mark.parametrize(
    "text",
    ["", ".", "example", "a..b", ".example.com", "example.com.", "a b.com", "*.example.com", "a.com/b", "a.com:25",
     "-a.com", "a-.com", "_dmarc.example.com", "10.0.0.1", "a.1", "a." + "b" * 64, "a." * 127 + "com", "\n.com"],
)  # fmt: skip
def test_what_is_not_a_host_name_is_refused(text):
    with pytest.raises(ValueError):
        domain.parse(text)


@given(DOMAINS, LABELS)
def test_an_identity_covers_its_domain_and_those_below(parent, label):
    assert domain.covers(parent, parent)
    assert domain.covers(parent, f"{label}.{parent}")
    assert not domain.covers(f"{label}.{parent}", parent)


def test_an_identity_does_not_cover_a_domain_that_merely_ends_alike():
    assert not domain.covers("acme.example", "notacme.example")
