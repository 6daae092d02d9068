"""What is wrong with a scenario file is said with its place and with what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from seslocal.fleets import reading
from seslocal.fleets.reading import WrongScenario
from seslocal_fixtures.fleets import SMALL

LOOP = """
[[incidents]]
kind = "runaway_loop"
tenant = "shops-001"
start = "day 1 09:00"
lasts = "1h"
mails_a_minute = 3
"""
EXPECT = """
[[expect]]
name = "fast"
measure = "incident_mails"
of = "shops"
at_most = 5
"""


def test_a_right_file_is_read() -> None:
    found = reading.read(SMALL + LOOP + EXPECT)
    assert (found.name, found.days, len(found.groups), len(found.incidents)) == ("small", 2, 2, 1)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("days = 2", "days = ", "x.toml is not TOML: Invalid value (at line 4"),
        ("days = 2", "day = 2", "line 4, day: day is unknown here. Known: name, title, what, seed, days,"),
        ("days = 2", 'days = "2"', "line 4, days: It must be a whole number, not a text."),
        ("days = 2", "days = 0", "line 4, days: It must be a whole number >= 1."),
        ('title = "A small fleet"', "", "the whole file: title is missing."),
        (
            'type = "transactional"',
            'type = "both"',
            "line 14, groups[1].type: 'both' must be one of marketing, mixed, transactional.",
        ),
        (
            "mails_a_day = 200",
            'mails_a_day = "200"',
            "groups[1].mails_a_day: It must be a number or a table, not a text.",
        ),
        (
            "mails_a_day = 200",
            "mails_a_day = { median = 1, spread = 2 }",
            "line 15, groups[1].mails_a_day.spread: spread is unknown here. Known: median, sigma.",
        ),
        (
            'kind = "runaway_loop"',
            'kind = "loop"',
            "line 19, incidents[0].kind: 'loop' must be one of bought_list,",
        ),
        ('kind = "runaway_loop"', "", "line 18, incidents[0]: kind is missing."),
        (
            "mails_a_minute = 3",
            "mails_a_day = 3",
            "incidents[0].mails_a_day: mails_a_day is unknown here. Known: kind, start,",
        ),
        ('lasts = "1h"', 'lasts = "1 h"', 'line 22, incidents[0].lasts: It must be a span such as "90m"'),
        (
            'start = "day 1 09:00"',
            'start = "day 1 9:00"',
            'incidents[0].start: It must be a moment such as "day 3 09:30"',
        ),
        (
            'start = "day 1 09:00"',
            'start = "day 3 00:00"',
            "day 3 00:00 is after the end: the scenario has 2 days.",
        ),
        (
            'tenant = "shops-001"',
            'tenant = "shops-004"',
            "line 20, incidents[0].tenant: There is no tenant or group shops-004. There are: apart-001, apart-002, shops-001,",
        ),
        ('name = "apart"', 'name = "shops"', "groups[1].name: The name shops is used twice."),
        ('name = "apart"', 'name = "Apart"', "groups[1].name: It must be a name of small letters,"),
        ('of = "shops"', 'of = "shop"', "expect[0].of: There is no tenant or group shop."),
        ("at_most = 5", "", "expect[0]: An expectation needs at_least or at_most."),
        (
            "mails_a_day = 300",
            "lists = { stale = 0.6, bought = 0.6 }",
            "groups[0].lists: stale and bought together are more than 1.",
        ),
    ],
)
def test_errors_say_where_and_what_is_allowed(old: str, new: str, error: str) -> None:
    text = SMALL + LOOP + EXPECT
    assert old in text
    with pytest.raises(WrongScenario) as raised:
        reading.read(text.replace(old, new), "x.toml")
    assert error in str(raised.value)


def test_a_snowshoe_may_not_take_the_name_of_a_group() -> None:
    incident = """
[[incidents]]
kind = "snowshoe"
name = "shops"
start = "day 1 09:00"
lasts = "1d"
count = 5
mails_a_day = 50
"""
    with pytest.raises(WrongScenario, match="The name shops is used twice"):
        reading.read(SMALL + incident)
    assert reading.read(SMALL + incident.replace('"shops"', '"shoe"') + 'pool = "shared"\n').incidents


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(WrongScenario, match="cannot be read: No such file or directory"):
        reading.load(tmp_path / "no.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(WrongScenario, match="cannot be read"):
        reading.load(tmp_path / "binary.toml")


def test_shipped_scenarios_are_found_by_name_and_are_right() -> None:
    names = reading.shipped_names()
    assert "bought-list" in names
    for name in names:
        assert reading.load(reading.find(name)).name == name
    with pytest.raises(WrongScenario, match="There is no scenario nothing. Give the path"):
        reading.find("nothing")


def test_the_example_in_the_docs_is_right() -> None:
    page = (Path(__file__).parents[2] / "docs" / "world.md").read_text()
    [example] = [text for text in page.split("```") if text.startswith("toml\nname =")]
    assert reading.read(example.removeprefix("toml\n")).incidents


BOTH = EXPECT.replace("at_most = 5", "at_most = 5\nat_least = 6")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a = " + "[" * 5_000 + "]" * 5_000, "x.toml is not TOML: it is nested too deeply."),
        ("days = " + "9" * 5_000, "x.toml is not TOML: Exceeds the limit (4300 digits)"),
        (
            SMALL.replace("A small fleet", "A \\u001b[31m fleet"),
            "line 3, title: It must be one line without control characters.",
        ),
        (
            SMALL + LOOP + LOOP,
            "incidents[1].name: shops-001 has two incidents called runaway_loop. Give each a name of its own.",
        ),
        (SMALL + LOOP + 'name = "users"', "incidents[0].name: An incident cannot be called users"),
        (SMALL + LOOP + 'name = "c0"', "incidents[0].name: An incident cannot be called c0"),
        (
            SMALL + '[[groups]]\nname = "shops-001-stale"',
            "line 18, groups[2].name: The name shops-001-stale is that of a list of shops-001.",
        ),
        (SMALL + BOTH, "line 22, expect[0].at_most: at_least 6 is above at_most 5."),
        (SMALL + EXPECT.replace("= 5", "= nan"), "expect[0].at_most: at_most must be a finite number."),
        (
            SMALL + EXPECT + 'since = "day 3 00:00"',
            "expect[0].since: day 3 00:00 is after the end: the scenario has 2 days.",
        ),
        (
            SMALL + EXPECT + 'since = "day 2 00:00"\nuntil = "day 1 12:00"',
            "expect[0].until: It ends (day 1 12:00) before it begins (day 2 00:00).",
        ),
        (
            SMALL
            + "".join(f'[[groups]]\nname = "g{number}"\ncount = 10_000\n' for number in range(10)),
            "groups: These are 100,005 tenants. A scenario has at most 100,000.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_refused(text: str, error: str) -> None:
    with pytest.raises(WrongScenario) as caught:
        reading.read(text, "x.toml")
    assert error in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_begins_with_a_mark_of_its_encoding_or_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("A small", "Eine schöne").encode())
    assert reading.load(path).title == "Eine schöne fleet"
    path.write_bytes(SMALL.encode() + b"#" * 2_000_000)
    with pytest.raises(WrongScenario, match=r"is larger than 2,000,000 bytes\.$"):
        reading.load(path)
