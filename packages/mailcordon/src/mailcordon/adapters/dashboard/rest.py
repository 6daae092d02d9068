"""How pages ask the REST API: for who looks at them, with that person's rights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from mailcordon.core.principal import Principal
from mailcordon.messages import dashboard as messages

#: What one call may add to its path: an int, or a name.
Part = str | int
#: A value of a query. None: the parameter is left out.
Value = str | int | float | bool | None


class Calls(Protocol):
    """The REST API, within this process."""

    async def call(
        self, principal: Principal, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        ...


@dataclass(frozen=True, slots=True)
class FieldProblem:
    field: str
    problem: str


class Problem(Exception):
    """The API refused. `sentence` says what failed, for whom, and what to do next."""

    def __init__(
        self,
        status: int,
        sentence: str,
        code: str,
        *,
        retryable: bool = False,
        fields: tuple[FieldProblem, ...] = (),
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.code = code
        self.retryable = retryable
        self.fields = fields


class _FieldDocument(msgspec.Struct):
    field: str = ""
    problem: str = ""


class _ProblemDocument(msgspec.Struct):
    detail: str = ""
    code: str = ""
    retryable: bool = False
    errors: list[_FieldDocument] = []


@dataclass(frozen=True, slots=True)
class Rest:
    """Each method returns the decoded answer: dicts, lists and plain values. Raises Problem if the API refused.

    `path` has a `{}` for each of `parts`. A part with a slash names nothing: it would be another path.
    """

    calls: Calls
    principal: Principal

    async def get(self, path: str, *parts: Part, **query: Value) -> Any:
        return await self._call("GET", path, parts, query, None)

    async def post(self, path: str, *parts: Part, body: object = None, **query: Value) -> Any:
        return await self._call("POST", path, parts, query, body)

    async def put(self, path: str, *parts: Part, body: object = None, **query: Value) -> Any:
        return await self._call("PUT", path, parts, query, body)

    async def patch(self, path: str, *parts: Part, body: object = None, **query: Value) -> Any:
        return await self._call("PATCH", path, parts, query, body)

    async def delete(self, path: str, *parts: Part, body: object = None, **query: Value) -> Any:
        return await self._call("DELETE", path, parts, query, body)

    async def found(self, path: str, *parts: Part, **query: Value) -> Any:
        """As `get`, but None for what does not exist, or not for this person."""
        try:
            return await self.get(path, *parts, **query)
        except Problem as problem:
            if problem.status in (403, 404):
                return None
            raise

    async def _call(
        self, method: str, path: str, parts: tuple[Part, ...], query: Mapping[str, Value], body: object
    ) -> Any:
        if any("/" in str(part) or str(part) in ("", ".", "..") for part in parts):
            raise Problem(404, messages.no_such_page(), "not-found")
        status, answer = await self.calls.call(
            self.principal,
            method,
            path.format(*parts),
            {name.rstrip("_"): _text(value) for name, value in query.items() if value is not None},
            b"" if body is None else msgspec.json.encode(body),
        )
        if status >= 400:
            raise _problem(status, answer)
        return msgspec.json.decode(answer) if answer else None


def _text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _problem(status: int, answer: bytes) -> Problem:
    try:
        found = msgspec.json.decode(answer, type=_ProblemDocument)
    except msgspec.DecodeError:
        found = _ProblemDocument()
    return Problem(
        status,
        found.detail or messages.unexpected(),
        found.code,
        retryable=found.retryable,
        fields=tuple(FieldProblem(one.field, one.problem) for one in found.errors),
    )
