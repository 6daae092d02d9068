"""What people read: tables, sentences and times, the same on a terminal and in a pipe but for colour and wrapping.

On a terminal text wraps to its width; in a pipe nothing wraps, nothing is cut and nothing is coloured, so that `grep` and `cut`
see whole lines. Text that came from outside (a remote server's diagnosis, a subject) cannot move the cursor or hide a line:
control characters are shown as a replacement sign.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TextIO, cast

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from mailcordon.adapters.cli.document import Document

_UNLIMITED = 100_000  #: columns; a pipe has no width
_STYLES = {
    "green": "delivered open verified done sent",
    "red": "bounced complained rejected rejected-at-call given-up failed held refused suppressed-at-ses revoked",
    "yellow": "waiting throttled unknown delayed pending expired cancelled soft-bounced",
}
_STYLE = {word: style for style, words in _STYLES.items() for word in words.split()}


def console(file: TextIO) -> Console:
    if file.isatty():
        return Console(file=file, highlight=False, markup=False, emoji=False)
    return Console(
        file=file,
        highlight=False,
        markup=False,
        emoji=False,
        width=_UNLIMITED,
        no_color=True,
        force_terminal=False,
    )


def put(out: Console, *views: RenderableType) -> None:
    """Prints, without the blanks that tables leave at the ends of lines."""
    for view in views:
        with out.capture() as capture:
            out.print(view)
        out.file.write("\n".join(line.rstrip() for line in capture.get().split("\n")))
    out.file.flush()


def plain(value: object) -> str:
    """Any value as one line of harmless text; "-" for what is not there."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        return ", ".join(plain(item) for item in items) or "-"
    if isinstance(value, dict):
        members = cast("Mapping[object, object]", value)
        return ", ".join(f"{plain(name)}={plain(item)}" for name, item in members.items()) or "-"
    text = " ".join(str(value).split()) or "-"
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") else sign
        for sign in text
    )


def styled(value: object) -> Text:
    """`plain`, coloured where the word is a state."""
    text = plain(value)
    return Text(text, style=_STYLE.get(text, ""))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table | Text:
    """Columns in capitals, no lines around them; a column is right-aligned when all its values are numbers."""
    cells = list(rows)
    if not cells:
        return Text("(none)")
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for number, name in enumerate(columns):
        values = [row[number] for row in cells]
        numeric = all(map(_is_number, values)) and any(value != "-" for value in values)
        made.add_column(name.upper(), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        made.add_row(*(value if isinstance(value, Text) else styled(value) for value in row))
    return made


def _is_number(value: object) -> bool:
    """A count, a share, or the sign for none."""
    if isinstance(value, str):
        return value == "-" or value.endswith(" %")
    return isinstance(value, int | float) and not isinstance(value, bool)


def fields(pairs: Iterable[tuple[str, object]]) -> Table:
    """One thing, a line for each thing known of it."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(name, value if isinstance(value, Text) else styled(value))
    return made


def when(text: object) -> str:
    """An API time as people read it, in UTC, to the second."""
    if not isinstance(text, str):
        return plain(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return plain(text)
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def clock(text: object) -> str:
    """The time of day of an API time, in UTC, to the millisecond: for timelines."""
    if not isinstance(text, str):
        return plain(text)
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return plain(text)
    return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def epoch(seconds: object) -> str:
    """Seconds since 1970, shown as `when` shows a time."""
    if not isinstance(seconds, int | float):
        return plain(seconds)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def percent(part: int, whole: int) -> str:
    """A share, to the digit that matters for complaint rates; "-" where there is nothing to share."""
    return f"{100 * part / whole:.2f} %" if whole else "-"


def counted(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def more(found: Document) -> list[RenderableType]:
    """A line that says a list goes on, where it does."""
    return ["(there is more: raise --limit)"] if found.get("next") is not None else []
