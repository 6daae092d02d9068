"""What people read, on a terminal and in a pipe."""

import io
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

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


def test_no_line_ends_in_blanks_before_its_last_escape_sequence() -> None:
    out = io.StringIO()
    terminal = Console(file=out, width=80, force_terminal=True, color_system="standard")
    show.put(terminal, show.table(("a", "b"), [("x", "held"), ("xxx", "a longer one")]))
    assert "\x1b" in out.getvalue()
    assert not [line for line in out.getvalue().splitlines() if re.search(r" (\x1b\[[\d;]*m)*$", line)]


def test_records_that_do_not_fit_are_lines_that_can_be_copied_whole() -> None:
    out = io.StringIO()
    view = show.table(("name", "value"), [("n" * 50, "v" * 50)], stack=True)
    show.put(Console(file=out, width=60, force_terminal=True, color_system=None), view)
    assert out.getvalue().splitlines() == [f"NAME   {'n' * 50}", f"  VALUE  {'v' * 50}"]


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


COLUMNS = ("id", "because", "since", "by")
ROWS = [("17", "complaints are rising since nine o'clock this morning", "2026-11-28 15:23:01Z", "ops")]


def on_terminal(width: int, *, wide: bool = False) -> list[str]:
    out = io.StringIO()
    terminal = Console(file=out, width=width, force_terminal=True, color_system=None)
    console = show.console(out, wide=wide, like=terminal)
    show.put(console, show.table(COLUMNS, ROWS, drop=("by", "since"), prose=("because",)))
    return re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()).splitlines()


def test_a_terminal_with_room_shows_all_columns() -> None:
    assert on_terminal(120)[0].split() == ["ID", "BECAUSE", "SINCE", "BY"]


def test_a_narrow_terminal_drops_the_least_important_columns_and_names_them() -> None:
    lines = on_terminal(52)
    assert lines[0].split() == ["ID", "BECAUSE", "SINCE"]
    assert lines[-1] == "(not shown: by; -o wide shows all columns)"
    assert on_terminal(30)[0].split() == ["ID", "BECAUSE"]


def test_a_dropped_column_comes_back_where_it_fits_after_all() -> None:
    assert on_terminal(34)[0].split() == ["ID", "BECAUSE", "BY"]


@pytest.mark.parametrize("width", [20, 34, 52, 80])
def test_no_line_is_wider_than_the_terminal_and_no_text_is_lost(width: int) -> None:
    lines = on_terminal(width)
    assert all(len(line) <= width for line in lines)
    assert "".join("".join(lines).split()).count("complaints") >= 1 or width == 20
    assert "…" not in "".join(lines)


def test_wide_shows_all_columns_on_any_terminal() -> None:
    lines = on_terminal(20, wide=True)
    assert lines[0].split() == ["ID", "BECAUSE", "SINCE", "BY"]
    assert len(lines) == 2


def test_a_pipe_never_drops_a_column() -> None:
    assert printed(show.table(COLUMNS, ROWS, drop=COLUMNS)).split("\n")[0].split() == [
        "ID",
        "BECAUSE",
        "SINCE",
        "BY",
    ]


def test_a_sentence_names_a_time_as_near_as_it_needs() -> None:
    now = datetime(2026, 11, 28, 18, 0, tzinfo=UTC)
    assert texts.since("2026-11-28T15:23:00Z", now) == "15:23 UTC"
    assert texts.since("2026-11-27T15:23:00Z", now) == "27 Nov 15:23 UTC"
    assert texts.since("2025-11-27T15:23:00Z", now) == "27 Nov 2025 15:23 UTC"
    assert texts.day("2026-11-28T15:23:00Z", now) == "28 Nov"


def test_seconds_since_1970_become_the_same_times_as_the_apis() -> None:
    assert texts.iso(1795890581.1832201) == "2026-11-28T18:29:41.183Z"
