"""What people read: tables, lists and styles, the same on a terminal and in a pipe except for colour and width.

On a terminal, text wraps to its width and a table drops its least important columns (`-o wide` shows all). In a pipe nothing
wraps, nothing is dropped and nothing is coloured, so that `grep` and `cut` see whole lines.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.text import NONE, plain
from mailcordon.core.text import harmless
from mailcordon.messages import cli as messages

_UNLIMITED = 100_000  #: columns; a pipe has no width
_GAP = 2  #: columns between two columns of a table
_NARROWEST_PROSE = 24  #: columns; a column of sentences is readable down to this width
#: Before the escape sequences that end a line, too: on a terminal they would wrap into an empty line.
_TRAILING_BLANKS = re.compile(r" +((?:\x1b\[[\d;]*m)*)$")
_STYLES = {
    "green": "delivered open verified done sent",
    "red": "bounced complained rejected rejected-at-call given-up failed held refused suppressed-at-ses revoked",
    "yellow": "waiting throttled unknown delayed pending expired cancelled soft-bounced",
}
_STYLE = {word: style for style, words in _STYLES.items() for word in words.split()}


def console(file: TextIO, *, wide: bool = False, like: Console | None = None) -> Console:
    """A console for a terminal or a pipe. `wide` has no width limit; `like` names a console whose terminal is meant."""
    if like is None and not file.isatty():
        return Console(
            file=file,
            highlight=False,
            markup=False,
            emoji=False,
            width=_UNLIMITED,
            no_color=True,
            force_terminal=False,
        )
    width = _UNLIMITED if wide else like.width if like is not None else None
    return Console(
        file=file,
        highlight=False,
        markup=False,
        emoji=False,
        width=width,
        force_terminal=True if like is not None else None,
    )


def put(out: Console, *views: RenderableType) -> None:
    """Prints, without the blanks that tables leave at the ends of lines. No text drives the terminal, whoever wrote it."""
    for view in views:
        with out.capture() as capture:
            out.print(_Harmless(view), crop=False)
        out.file.write("\n".join(_TRAILING_BLANKS.sub(r"\1", line) for line in capture.get().split("\n")))
    out.file.flush()


def write(out: TextIO, text: str) -> None:
    """A file's content: as it is into a pipe, and with nothing that drives it on a terminal."""
    out.write("\n".join(map(harmless, text.split("\n"))) if out.isatty() else text)
    out.flush()


@dataclass(frozen=True, slots=True)
class _Harmless:
    """A view whose texts are only shown: the styles are ours, and control characters of its texts are replaced."""

    view: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.view, options):
            if segment.text.isascii() and segment.text.isprintable():
                yield segment
                continue
            lines = (harmless(line) for line in segment.text.split("\n"))
            yield Segment("\n".join(lines), segment.style)


def styled(value: object) -> Text:
    """`plain`, coloured if the word is a state."""
    text = plain(value)
    return Text(text, style=_STYLE.get(text, ""))


@dataclass(frozen=True, slots=True)
class FittedTable:
    """A table that drops columns, least important first, until it fits the terminal. It never cuts a value short."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Text]]
    right: frozenset[str]  #: columns of numbers
    drop: Sequence[str]  #: columns that may go, in this order
    prose: frozenset[str]  #: columns of sentences: they wrap before any column goes
    stack: bool  #: where the columns do not fit, each row becomes lines that can be copied whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        kept = self._kept(options.max_width)
        fits = self._width(kept) <= options.max_width
        if self.stack and not fits:
            yield from self._lines()
            return
        yield self._table(kept, fits=fits)
        if hidden := [name for name in self.columns if name not in kept]:
            yield Text(messages.columns_hidden(names=", ".join(hidden)), style="dim")

    def _kept(self, width: int) -> list[str]:
        """The columns to show: the least important go until the rest fits, and those with room left come back."""
        dropped: list[str] = []
        while len(dropped) < len(self.drop) and self._width(self._without(dropped)) > width:
            dropped.append(self.drop[len(dropped)])
        for name in reversed(dropped):
            fewer = [other for other in dropped if other != name]
            if self._width(self._without(fewer)) <= width:
                dropped = fewer
        return self._without(dropped)

    def _without(self, dropped: Sequence[str]) -> list[str]:
        return [name for name in self.columns if name not in dropped]

    def _lines(self) -> RenderResult:
        label = max(len(name) for name in self.columns) + _GAP
        for row in self.rows:
            for index, (name, value) in enumerate(zip(self.columns, row, strict=True)):
                indent = "  " if index else ""
                # The terminal breaks the line, not we: a selection has no line break in it.
                yield Text(f"{indent}{name.upper():{label}}{value.plain}", no_wrap=True, overflow="ignore")

    def _width(self, kept: Sequence[str]) -> int:
        """The narrowest width at which only prose wraps."""
        return sum(self._natural(name) + _GAP for name in kept) - _GAP

    def _natural(self, name: str) -> int:
        index = list(self.columns).index(name)
        widest = max(cell_len(row[index].plain) for row in self.rows)
        if name in self.prose:
            widest = min(widest, _NARROWEST_PROSE)
        return max(widest, cell_len(name))

    def _table(self, kept: Sequence[str], *, fits: bool) -> Table:
        made = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold", show_edge=False)
        kept_indexes = [index for index, name in enumerate(self.columns) if name in kept]
        for index in kept_indexes:
            name = self.columns[index]
            # Where even the kept columns are too wide, every one of them may wrap: nothing is cut.
            whole = fits and name not in self.prose
            justify = "right" if name in self.right else "left"
            made.add_column(name.upper(), justify=justify, overflow="fold", no_wrap=whole)
        for row in self.rows:
            made.add_row(*(row[index] for index in kept_indexes))
        return made


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    drop: Sequence[str] = (),
    prose: Iterable[str] = (),
    stack: bool = False,
) -> FittedTable | Text:
    """Columns in capitals, no lines around them. `drop` names those a narrow terminal can do without, least important first."""
    cells = list(rows)
    if not cells:
        return Text(messages.nothing_to_show())
    right = frozenset(name for index, name in enumerate(columns) if _numeric([row[index] for row in cells]))
    made = [[value if isinstance(value, Text) else styled(value) for value in row] for row in cells]
    return FittedTable(tuple(columns), made, right, tuple(drop), frozenset(prose), stack)


def _numeric(values: Sequence[object]) -> bool:
    """Whether a column has numbers only: counts, shares, or the sign for none."""
    return all(map(_is_number, values)) and any(value != NONE for value in values)


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return value == NONE or value.endswith(" %")
    return isinstance(value, int | float) and not isinstance(value, bool)


def fields(pairs: Iterable[tuple[str, object]]) -> Table:
    """One thing, a line for each of its facts."""
    made = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(name, value if isinstance(value, Text) else styled(value))
    return made


def labelled(label: str, text: str, width: int) -> Table:
    """One fact of something above it: a label, then text that wraps beside it."""
    made = Table.grid(padding=(0, 1, 0, 0))
    made.add_column(width=width + 2, no_wrap=True)
    made.add_column(overflow="fold")
    made.add_row(f"  {label}", Text(text))
    return made


def bullet(text: str) -> Table:
    """A sentence of a list; its further lines are indented."""
    return labelled("-", text, 1)


def more(found: Document) -> list[RenderableType]:
    """A line that says that the list goes on, if it does."""
    return [messages.more_results()] if found.get("next") is not None else []
