"""A reason names who is concerned, why, since when and by whom, and has one wording wherever it is recorded."""

import re
from pathlib import Path

import pytest

import mailcordon
from mailcordon.messages import reasons, times

SINCE = 1_795_879_380_000  # 28 Nov 2026 15:23 UTC
STATEMENTS = sorted((Path(mailcordon.__file__).parent / "adapters" / "db" / "sql").glob("*.sql"))


def suppressed(mail: str = "", **over: str | None) -> str:
    row = {"tenant": "acme", "cause": "hard-bounce", "on": "28 Nov", "by": "ses", **over}
    return reasons.suppressed(address="kim@example.com", mail=mail, **row)  # pyright: ignore[reportArgumentType]


def test_a_time_is_shown_in_utc_with_its_year():
    assert (times.day(SINCE), times.minute(SINCE)) == ("28 Nov 2026", "28 Nov 2026 15:23 UTC")
    assert times.day(1_790_000_000_000 - 16 * 86_400_000) == "5 Sep 2026"


def test_a_suppression_names_exactly_the_mail_that_it_stops():
    why = "hard bounce on 28 Nov, reported by SES"
    assert suppressed() == f"acme may not mail kim@example.com: {why}"
    assert suppressed("marketing") == f"acme may not send marketing mail to kim@example.com: {why}"
    assert suppressed(tenant=None) == f"No tenant may mail kim@example.com: {why}"


def test_a_suppression_by_hand_names_who_added_it():
    assert suppressed(cause="manual", by="Ana (CLI)") == (
        "acme may not mail kim@example.com: added by Ana (CLI) on 28 Nov"
    )


@pytest.mark.parametrize(
    ("owner", "by", "who"),
    [
        ("person", "Ana (key g53zkwn5)", "Ana (key g53zkwn5)"),
        ("ses", "dispatch", "SES"),
        ("breaker", "observe", "the breaker"),
    ],
)
def test_a_hold_names_the_person_or_the_part_that_placed_it(owner: str, by: str, who: str):
    said = reasons.held(owner=owner, by=by, since="15:23", because="complaints rising", hold="5")
    assert said == f"Held by {who} since 15:23: complaints rising [hold 5]"


def test_no_statement_writes_a_sentence_of_its_own():
    assert len(STATEMENTS) > 50
    codes = {path.name: re.sub(r"--[^\n]*", "", path.read_text()) for path in STATEMENTS}
    assert [
        (name, text)
        for name, code in codes.items()
        for text in re.findall(r"'([^']*)'", code)
        if re.search(r"\w \w", text)
    ] == []
