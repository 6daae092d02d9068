"""Reads a document, of tenants or a policy, from a YAML or JSON file: its faults get the file and the line."""

import sys
from pathlib import Path

from mailcordon.adapters.cli import failures
from mailcordon.adapters.cli.text import counted
from mailcordon.control.document_text import Read as Read
from mailcordon.control.document_text import Unreadable, parse
from mailcordon.messages import document as messages

MOST_BYTES = 32 * 1024 * 1024  #: of one file; 20,000 tenants take some 4 MB


def refused(
    read: Read, faults: list[tuple[str, str]], failure: failures.Failure | None = None
) -> failures.Failure:
    """One line for each fault of a file: FILE:LINE: MEMBER: what is wrong."""
    located = read.located(faults)
    return failures.Failure(
        failures.Exit.USAGE if failure is None else failure.exit,
        messages.file_refused(file=read.name, faults=counted(len(located), "fault")),
        "file-refused" if failure is None else failure.code,
        located,
        None if failure is None else failure.problem,
    )


def read(name: str) -> Read:
    """`-` is stdin. Raises Failure: the file cannot be read, is too large, or is not the YAML that a document may be."""
    try:
        content = sys.stdin.buffer.read(MOST_BYTES + 1) if name == "-" else _content(Path(name))
    except OSError as error:
        raise failures.usage(
            messages.file_not_readable(file=name, why=error.strerror or str(error))
        ) from None
    if len(content) > MOST_BYTES:
        raise failures.usage(messages.file_too_large(file=name, most=MOST_BYTES // 2**20))
    shown = "stdin" if name == "-" else name
    try:
        return parse(content.decode("utf-8-sig"), shown)
    except UnicodeDecodeError:
        raise failures.usage(messages.file_not_utf8(file=shown)) from None
    except Unreadable as problem:
        raise failures.usage(str(problem)) from None


def _content(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MOST_BYTES + 1)
