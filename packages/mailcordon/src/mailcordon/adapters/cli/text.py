"""Values as text: the same in a table, a sentence and a list, without colour or layout.

Text from outside (a remote server's reply, a subject) is made harmless: it cannot move the cursor or hide a line, because control
characters are replaced. Times are UTC.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from mailcordon.core.text import harmless

NONE = "-"  #: shown for a missing value


def plain(value: object) -> str:
    """One line of harmless text. "-" if the value is missing or empty."""
    if value is None or value == "":
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in cast("Sequence[object]", value)) or NONE
    if isinstance(value, dict):
        return (
            "; ".join(f"{name}: {said}" for name, said in pairs(cast("Mapping[str, object]", value))) or NONE
        )
    text = " ".join(str(value).split()) or NONE
    return harmless(text)


def pairs(members: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Name and value of each member that has a value: `ses_id` becomes `ses id`."""
    for name, value in members.items():
        if value is not None and value != "":
            yield plain(name).replace("_", " "), plain(value)


def words(code: object) -> str:
    """A code as words: `hard-bounce` becomes `hard bounce`."""
    return plain(code).replace("-", " ").replace("_", " ") if code else NONE


def when(text: object) -> str:
    """A time of the API, to the second: `2026-11-28 15:23:01Z`."""
    moment = _moment(text)
    return plain(text) if moment is None else moment.strftime("%Y-%m-%d %H:%M:%SZ")


def clock(text: object) -> str:
    """The time of day of a time of the API, to the millisecond, for timelines."""
    moment = _moment(text)
    if moment is None:
        return plain(text)
    return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def since(text: object, now: datetime) -> str:
    """A time as a sentence names it: `15:23 UTC` today, `28 Nov 15:23 UTC` this year, else with the year."""
    moment = _moment(text)
    if moment is None:
        return plain(text)
    return f"{_date(moment, now)} {moment:%H:%M} UTC".strip()


def day(text: object, now: datetime) -> str:
    """A day as a sentence names it: `28 Nov`, with the year if it is not this year."""
    moment = _moment(text)
    if moment is None:
        return plain(text)
    return f"{moment.day} {moment:%b}" if moment.year == now.year else f"{moment.day} {moment:%b %Y}"


def _date(moment: datetime, now: datetime) -> str:
    return "" if moment.date() == now.date() else day(moment.isoformat(), now)


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def iso(seconds: float) -> str:
    """Seconds since 1970 as the API writes times: `2026-11-28T15:23:01.250Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def percent(part: int, whole: int) -> str:
    """A share with two decimals, because complaint rates matter at 0.1 %. "-" if the whole is 0."""
    return f"{100 * part / whole:.2f} %" if whole else NONE


def counted(number: int, noun: str) -> str:
    """`1 delivery`, `1,200 deliveries`."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"
