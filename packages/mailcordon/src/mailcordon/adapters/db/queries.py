"""The named statements of the files in `sql/`, loaded as attributes: `queries.claim` is the text of `-- name: claim`.

One form: `-- name: its_name`, then the comment that says why the statement exists or what it promises, then the SQL and a
semicolon. The comment above the first name describes the file. Comments are not sent to the server, except those inside a
statement.

A text that a user reads is not written in SQL: `{{expired_in_queue}}` stands for `reasons.expired_in_queue()` as a quoted
literal. Words after the name are arguments of the message.
"""

import functools
import importlib.resources
import itertools
import re
from collections.abc import Iterator, Mapping

from mailcordon.messages import reasons

_NAME = re.compile(r"^-- name: *([a-z][a-z0-9_]*) *$", re.MULTILINE)
_TEXT = re.compile(r"\{\{ *(\w+)((?: +\S+)*?) *\}\}")


class Queries(Mapping[str, str]):
    """The named statements of one file: `queries.claim` or `queries["claim"]`. `comments` has the comment of each."""

    def __init__(self, file: str, statements: Mapping[str, str], comments: Mapping[str, str]) -> None:
        self._file = file
        self._statements = dict(statements)
        self.comments = dict(comments)

    def __getitem__(self, name: str) -> str:
        return self._statements[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)

    def __getattr__(self, name: str) -> str:
        try:
            return self.__dict__["_statements"][name]
        except KeyError:
            raise AttributeError(f"{self.__dict__.get('_file')} has no statement named {name}") from None


@functools.cache
def load(file: str) -> Queries:
    """The statements of `sql/<file>`."""
    text = (importlib.resources.files("mailcordon.adapters.db") / "sql" / file).read_text()
    return parse(file, text)


def parse(file: str, text: str) -> Queries:
    """Raises ValueError for text outside a statement, and for a name without SQL or used twice."""
    head, *blocks = _NAME.split(text)
    if any(line.strip() and not line.startswith("--") for line in head.splitlines()):
        raise ValueError(f"{file}: SQL stands before the first `-- name:` line")
    statements: dict[str, str] = {}
    comments: dict[str, str] = {}
    for name, block in zip(blocks[::2], blocks[1::2], strict=True):
        if name in statements:
            raise ValueError(f"{file}: two statements are named {name}")
        lines = block.strip().splitlines()
        comment = list(itertools.takewhile(lambda line: line.startswith("--"), lines))
        sql, _, rest = "\n".join(lines[len(comment) :]).rpartition(";")
        if not sql or rest.strip():
            raise ValueError(f"{file}: {name} does not end with the semicolon of its SQL")
        statements[name] = _TEXT.sub(_literal, sql)
        comments[name] = " ".join(line.removeprefix("--").strip() for line in comment)
    return Queries(file, statements, comments)


def _literal(found: re.Match[str]) -> str:
    message = getattr(reasons, found[1])
    return "'" + message(*found[2].split()).replace("'", "''") + "'"
