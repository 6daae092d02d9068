import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailcordon.adapters.dashboard import formats

NOW = datetime(2026, 11, 28, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (-3, "0 s"),
        (0, "0 s"),
        (0.4, "< 1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (95, "1 min 35 s"),
        (3_600 * 9 + 60 * 5, "9 h 5 min"),
        (3_600 * 12 + 60 * 5, "12 h"),
        (86_400 * 3 + 3_600, "3 d 1 h"),
        (86_400 * 400, "400 d"),
    ],
)
def test_a_duration_has_two_units_while_the_first_one_is_small(seconds: float | None, text: str):
    assert formats.duration(seconds) == text


def test_a_time_says_how_long_ago_and_has_the_exact_time():
    shown = str(formats.ago("2026-11-28T14:57:00.000Z", NOW))
    assert ">3 min ago</time>" in shown
    assert 'title="28 Nov 2026 14:57:00 UTC"' in shown
    assert "in 2 h" in str(formats.ago("2026-11-28T17:00:00+00:00", NOW))
    assert "now" in str(formats.ago("2026-11-28T15:00:00Z", NOW))


@pytest.mark.parametrize("value", [None, "", "yesterday", "2026-13-01"])
def test_a_time_that_is_none_is_a_dash(value: str | None):
    assert "–" in str(formats.ago(value, NOW))
    assert "–" in str(formats.clock(value))
    assert formats.exact(value) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (999, "999"),
        (1_234, "1.2k"),
        (56_789, "57k"),
        (3_400_000, "3.4M"),
        (2.5, "2.5"),
        (5e9, "5.0G"),
    ],
)
def test_a_short_number(value: float | None, text: str):
    assert formats.short(value) == text


def test_text_from_outside_is_escaped_and_its_unseen_characters_are_shown():
    shown = str(formats.visible('<script>"a"\u202egnp.exe\x1b[31m\x00'))
    assert "<script>" not in shown
    assert "&lt;script&gt;&quot;a&quot;" in shown
    assert shown.startswith("<bdi>")
    assert shown.endswith("</bdi>")
    for character in ("\u202e", "\x1b", "\x00"):
        assert character not in shown
        assert f"U+{ord(character):04X}" in shown
    assert str(formats.visible("Grüße, 你好 🙂")) == "<bdi>Grüße, 你好 🙂</bdi>"


def test_a_segment_of_a_path_cannot_leave_it():
    assert formats.segment("a/../b?c#d&e") == "a%2F..%2Fb%3Fc%23d%26e"


def test_a_long_word_from_outside_may_break_and_combining_marks_stay_with_their_letter() -> None:
    shown = str(formats.visible("W" * 70 + " short-" + "x" * 24))
    assert shown == f"<bdi>{'W' * 24}<wbr>{'W' * 24}<wbr>{'W' * 22} short-{'x' * 24}</bdi>"
    marked = "e\u0301" * 40
    assert "<wbr>\u0301" not in str(formats.visible(marked))
    assert "<wbr>" in str(formats.visible(marked))


def test_a_word_of_a_command_stays_whole_and_a_long_one_is_code_all_the_same():
    said = str(formats.said("See `mailcordon cordon acme --because TEXT`."))
    assert "<code>mailcordon cordon acme <span>--because</span> TEXT</code>" in said
    assert "`" not in str(formats.said(f"See `{'x' * 60}`."))
    assert (
        str(formats.command("pool add POOL a<b --because TEXT"))
        == "<code>pool add POOL a&lt;b <span>--because</span> TEXT</code>"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [("mail is kept", "Mail is kept."), ("Ask them.", "Ask them."), ("", ""), (None, ""), ("why?", "Why?")],
)
def test_a_text_that_stands_alone_is_a_sentence(text: str | None, shown: str):
    assert str(formats.sentence(text)) == f"<bdi>{shown}</bdi>"


def test_what_a_sentence_has_in_backticks_is_code_on_every_page():
    fields = r"detail|says|because|problem|sentence|next|reasons\[0\]"
    plain = re.compile(rf"\{{\{{ [\w.]*\b(?:{fields}) \| visible \}}\}}")
    templates = Path(formats.__file__).parent / "templates"
    found = [
        f"{file.relative_to(templates)}: {line.strip()[:80]}"
        for file in templates.rglob("*.html")
        for line in file.read_text().splitlines()
        if plain.search(line) and "<pre" not in line
    ]
    assert not found
