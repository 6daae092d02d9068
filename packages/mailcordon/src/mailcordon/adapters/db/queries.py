"""The named statements of the files in `sql/`, loaded as attributes: `queries.claim` is the text of `-- name: claim`.

One form: `-- name: its_name`, then the comment that says why the statement exists or what it promises, then the SQL. A comment
before the first name belongs to the file, and a line of the form `-- TITLE ---...` only divides it.
"""

import importlib.resources
import re
from collections.abc import Iterator, Mapping

_NAME = re.compile(r"^-- name: *([a-z][a-z0-9_]*) *$", re.MULTILINE)


class Queries(Mapping[str, str]):
    """The named statements of one file: `queries.claim_due` or `queries["claim_due"]`."""

    def __init__(self, file: str, statements: Mapping[str, str]) -> None:
        self._file = file
        self._statements = dict(statements)

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


def load(file: str) -> Queries:
    """The statements of `sql/<file>`."""
    text = (importlib.resources.files("mailcordon.adapters.db") / "sql" / file).read_text()
    return parse(file, text)


def parse(file: str, text: str) -> Queries:
    parts = _NAME.split(text)
    if any(line.strip() and not line.startswith("--") for line in parts[0].splitlines()):
        raise ValueError(f"{file}: SQL stands before the first `-- name:` line")
    statements: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name in statements:
            raise ValueError(f"{file}: two statements are named {name}")
        if not body.strip():
            raise ValueError(f"{file}: {name} is empty")
        statements[name] = body.strip()
    return Queries(file, statements)
