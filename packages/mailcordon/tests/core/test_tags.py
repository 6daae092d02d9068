"""The signature covers installation, tenant, type, delivery and attempt: a change of any of them is detected."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core import ids, tags
from mailcordon.core.event import Attempt

KEY = b"k" * 32
TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")  # ses.md 3.3

# What the database accepts (0001-foundation.sql).
ATTEMPTS = st.builds(
    Attempt,
    installation=st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True),
    tenant_key=st.from_regex(r"mc-[a-z0-9]{8,60}", fullmatch=True),
    type=st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True),
    delivery=st.integers(1, (1 << 63) - 1),
    attempt=st.integers(1, 32_767),
    called_at=st.integers(ids.EPOCH_MS, ids.EPOCH_MS + (1 << 41)),
    canary=st.booleans(),
)


@given(ATTEMPTS)
def test_verify_returns_the_attempt_that_was_signed(attempt):
    assert tags.verify([KEY], tags.sign(KEY, attempt)) == attempt


@given(ATTEMPTS)
def test_every_tag_is_valid_for_ses(attempt):
    for name, value in tags.sign(KEY, attempt).items():
        assert TAG.fullmatch(name)
        assert TAG.fullmatch(value)


@given(ATTEMPTS, ATTEMPTS, st.data())
def test_a_tag_of_another_mail_is_detected(ours, theirs, data):
    mine, other = tags.sign(KEY, ours), tags.sign(KEY, theirs)
    swapped = {**mine, **{name: other[name] for name in data.draw(st.sets(st.sampled_from(sorted(mine))))}}
    if swapped in (mine, other):
        return
    with pytest.raises(ValueError, match="does not match"):
        tags.verify([KEY], swapped)


@given(ATTEMPTS, st.data())
def test_a_changed_character_is_detected(attempt, data):
    signed = tags.sign(KEY, attempt)
    name = data.draw(st.sampled_from(sorted(signed)))
    place = data.draw(st.integers(0, len(signed[name]) - 1))
    letter = data.draw(st.sampled_from("abcz019-_"))
    changed = signed[name][:place] + letter + signed[name][place + 1 :]
    if changed == signed[name]:
        return
    with pytest.raises(ValueError):
        tags.verify([KEY], {**signed, name: changed})


@given(ATTEMPTS)
def test_another_installations_key_proves_nothing(attempt):
    with pytest.raises(ValueError, match="does not match"):
        tags.verify([b"o" * 32], tags.sign(KEY, attempt))


@given(ATTEMPTS)
def test_a_canary_is_not_accepted_as_mail_nor_mail_as_a_canary(attempt):
    signed = tags.sign(KEY, attempt)
    head = signed[tags.ATTEMPT]
    signed[tags.ATTEMPT] = head.removeprefix("c") if attempt.canary else "c" + head
    with pytest.raises(ValueError, match="does not match"):
        tags.verify([KEY], signed)


@given(ATTEMPTS)
def test_characters_cannot_move_from_one_tag_to_the_next(attempt):
    signed = tags.sign(KEY, attempt)
    signed[tags.TYPE], signed[tags.TENANT] = signed[tags.TYPE][1:], signed[tags.TENANT] + signed[tags.TYPE][0]
    with pytest.raises(ValueError, match="does not match"):
        tags.verify([KEY], signed)


@pytest.mark.parametrize("name", [tags.INSTALLATION, tags.TENANT, tags.TYPE, tags.DELIVERY, tags.ATTEMPT])
def test_a_missing_tag_is_named(name):
    signed = tags.sign(KEY, _attempt())
    del signed[name]
    with pytest.raises(ValueError, match=name):
        tags.verify([KEY], signed)


@pytest.mark.parametrize("value", ["", "1", "1-2", "1-2-3-4", "--", "é-1-é"])
def test_an_attempt_tag_of_another_shape_is_refused(value):
    with pytest.raises(ValueError):
        tags.verify([KEY], {**tags.sign(KEY, _attempt()), tags.ATTEMPT: value})


def test_mail_without_our_two_main_tags_does_not_carry_ours():
    signed = tags.sign(KEY, _attempt())
    assert tags.carries_ours(signed)
    assert not tags.carries_ours({tags.TENANT: "mc-acme0000", tags.TYPE: "receipt"})
    assert not tags.carries_ours({tags.INSTALLATION: "main"})


def _attempt() -> Attempt:
    return Attempt(
        installation="main",
        tenant_key="mc-acme0000",
        type="receipt",
        delivery=ids.IdGenerator(1).next(1_790_000_000_000) + 1,
        attempt=1,
        called_at=1_790_000_000_123,
    )


def test_either_of_two_keys_proves_an_attempt_and_a_third_does_not():
    other = b"p" * 32
    signed = tags.sign(KEY, _attempt())
    assert tags.verify([other, KEY], signed) == tags.verify([KEY, other], signed) == _attempt()
    with pytest.raises(ValueError, match="signature"):
        tags.verify([other], signed)
    with pytest.raises(ValueError, match="signature"):
        tags.verify([], signed)
