"""Durations as people type and read them: `15m`, `7d`, `1h30m` on the command line, `15 min`, `7 days` in the output.

A number without a unit is seconds. What is shown can be typed again.
"""

import re
from datetime import UTC, datetime, timedelta

import typer

from mailcordon.messages import cli as messages

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_ALIASES = {
    **dict.fromkeys(("sec", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "minute", "minutes"), "m"),
    **dict.fromkeys(("hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("week", "weeks"), "w"),
}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.ASCII)


def parse(text: str) -> float:
    """Seconds. Raises ValueError with a sentence for a person."""
    position, total, parts = 0, 0.0, 0
    while position < len(text) and (part := _PART.match(text, position)):
        unit = _ALIASES.get(part[2], part[2])
        if not unit and (parts or part.end() < len(text)):
            break  # a number alone is seconds; a number without a unit beside others is a slip
        if unit and unit not in _SECONDS:
            break
        total += float(part[1]) * _SECONDS[unit or "s"]
        position, parts = part.end(), parts + 1
    if not parts or position < len(text):
        raise ValueError(messages.not_a_duration(text=text))
    return total


def between(minimum: float, maximum: float = 10 * 366 * 86400.0):
    """A parser for an option: seconds from minimum to maximum."""

    def duration(text: str | float) -> float:
        if isinstance(text, int | float):  # a default
            return float(text)
        try:
            seconds = parse(text)
        except ValueError as problem:
            raise typer.BadParameter(str(problem)) from None
        if not minimum <= seconds <= maximum:
            raise typer.BadParameter(
                messages.duration_out_of_range(text=text, shortest=compact(minimum), longest=compact(maximum))
            )
        return seconds

    return duration


def moment(text: str) -> str:
    """A parser for an option: a time in ISO 8601, as the API takes it. A duration means that long from now."""
    try:
        return (datetime.now(UTC) + timedelta(seconds=parse(text))).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(messages.not_a_moment(text=text)) from None
    return found.replace(tzinfo=found.tzinfo or UTC).isoformat()


def _split(seconds: float, units: tuple[str, ...]) -> list[tuple[int, str]]:
    rest, found = seconds, list[tuple[int, str]]()
    for unit in units:
        count = int(rest // _SECONDS[unit])
        if count:
            found.append((count, unit))
            rest -= count * _SECONDS[unit]
    return found


def compact(seconds: float) -> str:
    """As one types it: `15m`, `1h30m`, `7d`, `0.5s`."""
    whole = _split(seconds, ("d", "h", "m", "s")) if seconds == int(seconds) else []
    return "".join(f"{count}{unit}" for count, unit in whole) or f"{seconds:g}s"


def spoken(seconds: float) -> str:
    """As one reads it: `15 min`, `24 h`, `1 h 30 min`, `7 days`. Below three days, hours are counted through."""
    if seconds != int(seconds):
        return f"{seconds:g} s"
    units = ("d", "h", "m", "s") if seconds > 3 * 86400 else ("h", "m", "s")
    words = {"m": "min", "h": "h", "s": "s"}
    said = [
        f"{count} {'day' if count == 1 else 'days'}" if unit == "d" else f"{count} {words[unit]}"
        for count, unit in _split(seconds, units)
    ]
    return " ".join(said) or "0 s"
