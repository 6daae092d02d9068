"""Reads documents from files of events: JSON lines, or JSON texts that follow each other without line breaks, as Firehose writes
them to S3; compressed with gzip or not. A file is read in parts, however large it is.
"""

import codecs
import contextlib
import gzip
import io
import json
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import cast

LONGEST = 900_000  #: characters of one document; the API takes bodies of 1 MiB
_PART = 64 * 1024  #: bytes that are read at once
_BETWEEN = " \t\r\n,[]\x1e\ufeff"  #: an array's elements count as documents that follow each other
_decode = json.JSONDecoder().raw_decode


@contextlib.contextmanager
def open_file(name: str) -> Generator[io.BufferedIOBase]:
    """A file, or stdin for `-`, decompressed if it is gzip. Raises OSError."""
    with contextlib.ExitStack() as stack:
        found = sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))
        opened = cast(io.BufferedReader, found)
        if opened.peek(2)[:2] == b"\x1f\x8b":
            yield cast(io.BufferedIOBase, stack.enter_context(gzip.GzipFile(fileobj=opened)))
        else:
            yield opened


def documents(file: io.BufferedIOBase) -> Iterator[str]:
    """The documents in their order. A line that is no JSON is one as it is: the server puts it in quarantine.

    Raises OSError or EOFError if the file is damaged.
    """
    text, place, ended = "", 0, False
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while True:
        while place < len(text) and text[place] in _BETWEEN:
            place += 1
        if place < len(text):
            try:
                _, end = _decode(text, place)
            except RecursionError:
                end = _end_of_line(text, place)
            except ValueError:
                end = None if not ended and len(text) - place <= LONGEST else _end_of_line(text, place)
            if end is not None and (end < len(text) or ended or end - place > LONGEST):
                yield text[place:end]
                place = end
                continue
        if ended:
            return
        part = file.read1(_PART)  # of a file that was cut off, read() would drop what it had
        ended = not part
        text, place = text[place:] + decoder.decode(part, final=ended), 0


def _end_of_line(text: str, place: int) -> int:
    end = text.find("\n", place)
    return len(text) if end < 0 else end
