"""One grammar for each noun: what names a thing at one door names it at all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core import idempotency, names

BAD_SLUGS = ["", "-a", "A", "a_b", "a b", "a.b", "ä", "a\n", "a\0", "x" * 64, "\u0661"]
BAD_LABELS = [
    "",
    " a",
    "-a",
    "Spring sale (UK)!",
    "naïve",
    "a;b",
    "a\nb",
    "a\n",
    "a\0b",
    "x" * 129,
    "a\u200bb",
]


@pytest.mark.parametrize("name", BAD_SLUGS)
def test_a_tenant_and_a_message_type_have_the_same_grammar(name: str) -> None:
    for parse in (names.slug, names.message_type):
        with pytest.raises(ValueError):
            parse(name)
    assert not names.is_slug(name)


@pytest.mark.parametrize("name", ["a", "0", "acme", "password-reset", "a-", "x" * 63])
def test_a_slug_is_returned_as_it_is(name: str) -> None:
    assert names.slug(name) == names.message_type(name) == name
    assert names.is_slug(name)


@pytest.mark.parametrize("name", BAD_LABELS)
def test_a_campaign_and_a_list_have_the_same_grammar(name: str) -> None:
    for parse in (names.campaign, names.list_):
        with pytest.raises(ValueError, match="128"):
            parse(name)


@pytest.mark.parametrize("name", ["spring 2026", "import/2026-01.csv", "A:b+c_d", "x" * 128])
def test_a_label_is_returned_as_it_is(name: str) -> None:
    assert names.campaign(name) == names.list_(name) == name


@pytest.mark.parametrize(
    "name", ["", "  ", "x" * 101, "ci\nroot (key aaaa)", "ci\x1b[2K", "ci\u202e", "c\u200bi", "a\x9b"]
)
def test_the_name_of_a_key_cannot_forge_a_line(name: str) -> None:
    with pytest.raises(ValueError):
        names.key_name(name)


def test_the_name_of_a_key_loses_the_spaces_around_it() -> None:
    assert names.key_name(" Jörg's laptop ") == "Jörg's laptop"


@given(st.text(max_size=40))
def test_a_key_of_an_older_version_cannot_forge_a_line_either(name: str) -> None:
    assert len(names.actor(name, name, "k7pq2m9d").splitlines()) == 1


@pytest.mark.parametrize("holder", ["Kim Lee", "Jörg's laptop", "mailcordon up", "Kim (key ops, k7pq2m9d)"])
def test_an_actor_names_its_holder_first(holder: str) -> None:
    assert names.actor(holder, "ops", "k7pq2m9d") == f"{holder} (key ops, k7pq2m9d)"
    assert names.holder_of(names.actor(holder, "ops", "k7pq2m9d")) == holder


@pytest.mark.parametrize("part", ["control", "mailcordon up", "ann", "Kim (not a key)"])
def test_a_part_of_the_system_is_its_own_holder(part: str) -> None:
    assert names.holder_of(part) == part


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "a\x7f", "a\x85", "\x00"])
def test_an_idempotency_key_is_printable(key: str) -> None:
    with pytest.raises(ValueError, match="255"):
        idempotency.parse(key)


def test_an_idempotency_key_is_returned_as_it_is() -> None:
    for key in ("a", "x" * 255, "order 17/é"):
        assert idempotency.parse(key) == key
