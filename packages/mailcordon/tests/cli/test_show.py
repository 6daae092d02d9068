"""What people read, on a terminal and in a pipe."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import RenderableType

from mailcordon.adapters.cli import show
from mailcordon.adapters.cli import text as texts


def printed(view: RenderableType) -> str:
    out = io.StringIO()
    show.put(show.console(out), view)
    return out.getvalue()


def test_in_a_pipe_nothing_is_coloured_cut_or_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = printed(show.table(("state", "why"), [("held", "x" * 500), ("open", "y")]))
    assert "\x1b" not in text
    assert [len(line.split()) for line in text.splitlines()] == [2, 2, 2]
    assert "x" * 500 in text


def test_no_line_ends_in_blanks() -> None:
    assert all(
        line == line.rstrip()
        for line in printed(show.table(("a", "b"), [("x", "yy"), ("xxx", "y")])).splitlines()
    )


@given(st.text())
def test_text_from_outside_is_one_line_without_control_characters(text: str) -> None:
    shown = texts.plain(text)
    assert len(shown.splitlines()) == 1
    assert not any(ord(sign) < 32 or ord(sign) == 127 for sign in shown)


def test_a_remote_servers_escape_codes_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in printed(show.table(("why",), [("550 \x1b[2Jno such user",)]))


def test_square_brackets_in_data_are_data() -> None:
    assert "[bold]hi[/bold] :smile:" in printed(show.table(("subject",), [("[bold]hi[/bold] :smile:",)]))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (1.5, "1.5"),
        (["a", "b"], "a, b"),
        ({"bounce": "5.1.1", "ses_id": None}, "bounce: 5.1.1"),
        ([], "-"),
    ],
)
def test_each_kind_of_value_has_its_words(value: object, text: str) -> None:
    assert texts.plain(value) == text


def test_times_are_shown_in_utc_whatever_their_zone() -> None:
    assert texts.when("2026-11-24T15:00:00.250+02:00") == "2026-11-24 13:00:00Z"
    assert texts.clock("2026-11-24T13:00:00.250Z") == "13:00:00.250Z"
    assert texts.when(None) == "-"
    assert texts.when("soon") == "soon"


def test_a_rate_keeps_the_digit_that_matters_and_nothing_of_nothing_is_no_rate() -> None:
    assert texts.percent(1, 1000) == "0.10 %"
    assert texts.percent(0, 0) == "-"


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(1, "hold", "1 hold"), (2, "delivery", "2 deliveries"), (0, "hold", "0 holds")],
)
def test_things_are_counted_in_words(number: int, noun: str, text: str) -> None:
    assert texts.counted(number, noun) == text
