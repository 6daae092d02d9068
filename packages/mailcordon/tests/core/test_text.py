"""Text for people and logs: one line that says what it shows, in every script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idna import idnadata

from mailcordon.core import joining, text

#: Not one of them may be in a name or a reason.
HIDING = {
    "NUL": "a\0b",
    "line feed": "a\nb",
    "carriage return": "a\rb",
    "tab": "a\tb",
    "escape": "a\x1b[2Kb",
    "delete": "a\x7fb",
    "next line": "a\x85b",
    "control sequence introducer": "a\x9bb",
    "line separator": "a\u2028b",
    "lone surrogate": "a\ud800b",
    "override": "a\u202egpj.exe",
    "embedding": "\u202bab\u202c",
    "isolate": "a\u2066b\u2069",
    "mark": "a\u200fb",
    "Arabic mark": "a\u061cb",
    "zero-width space": "Pay\u200bPal",
    "joiner between letters": "Pay\u200dPal",
    "non-joiner after a mark on a Latin letter": "Pa\u0301\u200cPal",
    "non-joiner at the end": "می\u200c",
    "non-joiner before a space": "می\u200c خواهم",
    "two non-joiners": "می\u200c\u200cخواهم",
    "non-joiner between letters that do not join": "א\u200cב",
    "non-joiner between letters": "Pay\u200cPal",
    "word joiner": "Pay\u2060Pal",
    "byte order mark": "\ufeffPayPal",
    "soft hyphen": "Pay\u00adPal",
    "grapheme joiner": "Pay\u034fPal",
    "Hangul filler": "Pay\u3164Pal",
    "Mongolian separator": "Pay\u180ePal",
    "variant of a Latin letter": "Pay\ufe0fPal",
    "tags": "a\U000e0049\U000e0047b",
    "two variants of one letter": "\u845b\U000e0100\U000e0101",
}
SHOWN = {
    "German": "Jörg Müßig & Söhne – 20 %",
    "Persian": "می\u200cخواهم",
    "Persian after a letter that does not join the next": "کار\u200cها",
    "Persian after a vowel sign": "مِهْر\u200cبان",
    "Arabic after a superscript alef": "هذ\u0670\u200cه",
    "Arabic between marks": "سُ\u064e\u200c\u0651لم",
    "Mongolian": "\u182e\u200c\u1823",
    "N'Ko": "\u07ca\u07eb\u200c\u07cb",
    "Malayalam": "ന\u0d4d\u200d",
    "Devanagari": "क\u094d\u200dष",
    "Japanese variant": "葛\U000e0100城市",
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "skin tone": "\U0001f9d1\U0001f3fd\u200d\U0001f4bb",
    "heart": "I \u2764\ufe0f mail",
    "keycap": "1\ufe0f\u20e3",
    "rainbow flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "England": "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "Hebrew": "שלום עולם",
    "wide space": "日本\u3000語",
}


@pytest.mark.parametrize("hiding", HIDING.values(), ids=HIDING)
def test_what_hides_or_reorders_letters_is_refused_in_every_text_for_people(hiding: str) -> None:
    for check in (text.check_shown, text.reason, text.description):
        with pytest.raises(ValueError):
            check(hiding)


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_a_script_or_an_emoji_may_use_what_it_needs(shown: str) -> None:
    text.check_shown(shown)
    assert text.reason(f" {shown} ") == shown
    assert text.harmless(shown) == shown
    assert not text.has_disguise(shown)


def test_a_subject_may_set_directions_and_not_override_them() -> None:
    for allowed in ("\u200fשלום 20%\u200f", "\u202bسلام\u202c", "\u2067سلام\u2069", "ไทย\u200bไทย"):
        assert not text.has_disguise(allowed)
    for refused in ("a\u202etxt", "a\u202dtxt", "a\U000e0049\U000e0047", "\U0001f3f4\U000e0067"):
        assert text.has_disguise(refused)


def test_a_reason_is_1_to_1000_characters_without_spaces_around_it() -> None:
    assert text.reason("x" * 1000) == "x" * 1000
    for wrong in ("", "  ", "x" * 1001):
        with pytest.raises(ValueError, match="1000"):
            text.reason(wrong)


def test_the_joining_letters_are_unicodes() -> None:
    """The package `idna` has Unicode's table: joining type -> ranges, each in one number."""
    for kinds, ours in (("LD", joining._JOINS_NEXT), ("RD", joining._JOINS_BEFORE)):  # pyright: ignore[reportPrivateUsage]
        theirs = {
            chr(sign)
            for kind in kinds
            for both in idnadata.joining_types[kind]
            for sign in range(both >> 32, both & 0xFFFFFFFF)
        }
        assert theirs == {chr(sign) for sign in range(0x110000) if ours.match(chr(sign))}


@given(st.text(st.characters(codec=None), max_size=40))
def test_whatever_comes_from_outside_is_one_line_when_it_is_shown(foreign: str) -> None:
    shown = text.harmless(foreign)
    assert len(shown.splitlines()) <= 1
    text.check_shown(shown)
    assert len(shown) == len(foreign)
    assert text.harmless(foreign, 7) == text.harmless(foreign[:7])
