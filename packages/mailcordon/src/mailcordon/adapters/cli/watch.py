"""`--watch`: runs a command again and again until Ctrl-C.

On a terminal the screen is redrawn in place and cut to its height. In a pipe each result follows the one before; with `--json` it
is one document per line. If the server does not respond, that is shown and the command is tried again: a restart is one of the
things that an operator watches.
"""

import asyncio
import io
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TextIO

from mailcordon.adapters.cli import duration, failures, report, text
from mailcordon.adapters.cli.document import Document
from mailcordon.messages import cli as messages

FASTEST = 0.5  #: seconds; more often would be load on the server, not news for a person
DEFAULT = "2s"

#: Runs the command once, prints for people to the file, and returns the document.
Once = Callable[[TextIO], Awaitable[Document]]


async def repeat(once: Once, out: TextIO, *, every: float, title: str, as_json: bool) -> None:
    """Never returns. Raises what `once` raises, except a Failure that trying again may cure."""
    first = True
    while True:
        buffer = io.StringIO()
        try:
            document = await once(buffer)
        except failures.Failure as failure:
            if failure.exit is not failures.Exit.UNAVAILABLE:
                raise
            document = failure.document()
            buffer.write(f"{text.plain(failure.sentence)}\n")
        if as_json:
            report.print_json(document, one_line=True)
        elif out.isatty():
            _draw(out, title, every, buffer.getvalue(), clear=first)
        else:
            out.write(buffer.getvalue())
            out.flush()
        first = False
        await asyncio.sleep(every)


def _draw(out: TextIO, title: str, every: float, result: str, *, clear: bool) -> None:
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    lines = [messages.watching(command=title, every=duration.spoken(every), at=at), "", *result.splitlines()]
    height = shutil.get_terminal_size().lines - 1
    if len(lines) > height:
        lines[height - 1 :] = [messages.lines_below(count=len(lines) - height + 1)]
    # Home, each line with what was behind it erased, then all below: no flicker.
    out.write(
        ("\x1b[2J" if clear else "") + "\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J"
    )
    out.flush()


def with_interval(words: list[str]) -> list[str]:
    """The command line with `--watch` given its interval: the next word if that is a duration, else the default."""
    spelled: list[str] = []
    for place, word in enumerate(words):
        spelled.append(word)
        if word == "--":
            return spelled + words[place + 1 :]
        if word == "--watch" and not _is_duration(words[place + 1] if place + 1 < len(words) else ""):
            spelled.append(DEFAULT)
    return spelled


def _is_duration(word: str) -> bool:
    try:
        duration.parse(word)
    except ValueError:
        return False
    return True
