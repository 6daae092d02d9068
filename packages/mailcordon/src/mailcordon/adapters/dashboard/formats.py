"""How values look on a page: times, durations, numbers, names from outside. Each returns safe markup or plain text."""

import math
import re
import unicodedata
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote

from minijinja import safe

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_LONGEST_WORD = 24  #: characters of a word that stay on one line
_CODE = re.compile(r"`((?:[^`<>]|<wbr>){1,400})`")
#: Characters that change the direction of the text around them or are not seen: shown by their number.
_INVISIBLE = frozenset(
    map(chr, (*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x206A), 0xFEFF))
)


def duration(seconds: float | None) -> str:
    """In the largest unit that fits, with the next one: `3 min`, `2 h 5 min`, `4 d`. None: a dash."""
    if seconds is None or math.isnan(seconds):
        return "–"
    whole = max(0, int(seconds))
    if whole < 1:
        return "0 s" if seconds <= 0 else "< 1 s"
    for place, (size, unit) in enumerate(_UNITS):
        if whole >= size:
            text = f"{whole // size} {unit}"
            if place + 1 < len(_UNITS) and whole // size < 10:
                next_size, next_unit = _UNITS[place + 1]
                if rest := whole % size // next_size:
                    text += f" {rest} {next_unit}"
            return text
    return "0 s"


def moment(value: str | None) -> datetime | None:
    if not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def ago(value: str | None, now: datetime) -> str:
    """A `time` element: how long ago, with the exact time in its title. Times to come say `in`."""
    found = moment(value)
    if found is None:
        return safe('<span class="none">–</span>')
    seconds = (now - found).total_seconds()
    words = f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"
    if abs(seconds) < 1:
        words = "now"
    return safe(f'<time datetime="{_iso(found)}" title="{exact(value)}">{words}</time>')


def passed(value: str | None, now: datetime) -> bool:
    """Whether the time is past."""
    found = moment(value)
    return found is not None and found < now


def clock(value: str | None) -> str:
    """A `time` element with the exact time."""
    found = moment(value)
    if found is None:
        return safe('<span class="none">–</span>')
    return safe(f'<time datetime="{_iso(found)}">{exact(value)}</time>')


def exact(value: str | None) -> str:
    """`28 Nov 2026 15:23:04 UTC`."""
    found = moment(value)
    return "–" if found is None else found.astimezone(UTC).strftime("%-d %b %Y %H:%M:%S UTC")


def number(value: float | None, digits: int = 0) -> str:
    """With a comma between thousands. None: a dash."""
    if value is None:
        return "–"
    return f"{value:,.{digits}f}"


def short(value: float | None) -> str:
    """At most four characters: `950`, `1.2k`, `34M`."""
    if value is None:
        return "–"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            scaled = value / size
            return f"{scaled:.1f}{letter}" if abs(scaled) < 10 else f"{scaled:.0f}{letter}"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def percent(value: float | None, digits: int = 2) -> str:
    """Of a share between 0 and 1: `0.35 %`. None: a dash."""
    if value is None:
        return "–"
    return f"{100 * value:.{digits}f} %"


def visible(value: object) -> str:
    """Text from outside (names, subjects, diagnostics): escaped, apart from the direction of the text around it, with a mark for
    each character that cannot be seen, and with places to break a word that would widen the page."""
    text = "" if value is None else str(value)
    parts: list[str] = []
    run = 0  #: characters since the last place where a line may end
    for character in text:
        if character in "\n\t":
            parts.append(character)
            run = 0
            continue
        run = 0 if character in " -" else run + 1
        if run > _LONGEST_WORD and not unicodedata.category(character).startswith("M"):
            parts.append("<wbr>")
            run = 1
        if character in _INVISIBLE or unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn"):
            parts.append(
                f'<span class="unseen" title="a character that cannot be seen">U+{ord(character):04X}</span>'
            )
        else:
            parts.append(escape(character))
    return safe(f"<bdi>{''.join(parts)}</bdi>")


def said(value: object) -> str:
    """A sentence of ours with names from outside: as `visible`, with what stands in backticks as code."""
    return safe(_CODE.sub(lambda found: f"<code>{_words(found[1])}</code>", str(visible(value))))


def sentence(value: object) -> str:
    """As `said`, of a text that stands alone on a page: with a capital letter and a full stop."""
    text = "" if value is None else str(value).strip()
    return said(
        text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!", ":")) or not text else ".")
    )


def command(value: object) -> str:
    """A command in a cell of a table, whose lines end between its words and not after a hyphen."""
    return safe(f"<code>{_words(escape(str(value)))}</code>")


def _words(code: str) -> str:
    return " ".join(f"<span>{word}</span>" if "-" in word else word for word in code.split(" "))


def segment(value: object) -> str:
    """One segment of a URL's path."""
    return quote(str(value), safe="")


def _iso(found: datetime) -> str:
    return found.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
