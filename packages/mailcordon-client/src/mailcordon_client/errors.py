"""Everything that a call can raise, as one tree:

    MailcordonError
    |- Problem           the server's answer, read from its problem+json (RFC 9457)
    |  |- Refused          the same request cannot succeed later
    |  |  |- Invalid         a field cannot be accepted; `errors` lists each of them (422)
    |  |  |- Unauthorised    no key, or an unknown one (401)
    |  |  |- Forbidden       the key may not do this (403)
    |  |  |- NotFound        there is no such thing for this key (404)
    |  |  |- Conflict        for example an idempotency key that was used for another message (409)
    |  |  '- TooLarge        (413)
    |  '- Later            the same request can succeed later; `retry_after` says when
    |     |- TooMuch         a limit is reached (429)
    |     '- Unavailable     nothing was confirmed (408, 5xx)
    |- NoAnswer          the connection failed or timed out; the message may have been accepted
    '- BadAnswer         an answer that Mailcordon does not give: the URL names another server

A call that may be repeated has been, as often as `Retries` says, before Later or NoAnswer is raised. `idempotency_key` is the key
of a message: sent again with it within 24 hours, the message is accepted once. `idempotency_keys` are those of a batch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

_LONGEST_SHOWN = 200  #: characters of an answer that is no problem+json


class MailcordonError(Exception):
    """The root."""

    idempotency_key: str | None = None  #: of the message that was sent; None for other calls
    idempotency_keys: tuple[
        str, ...
    ] = ()  #: of the messages of a batch that failed as a whole, in their order


@dataclass(frozen=True, slots=True)
class Field:
    """What is wrong with one field of a request."""

    field: str  #: as in the request: `to[3]`, `headers.X-Foo`
    problem: str
    code: str


class Problem(MailcordonError):
    """The server refused the request. The text is the server's sentence."""

    def __init__(
        self,
        detail: str,
        *,
        status: int,
        code: str,
        errors: tuple[Field, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code  #: stable, for programs
        self.errors = errors
        self.retry_after = retry_after  #: seconds, if the server named them


class Refused(Problem):
    """The same request cannot succeed later."""


class Invalid(Refused):
    pass


class Unauthorised(Refused):
    pass


class Forbidden(Refused):
    pass


class NotFound(Refused):
    pass


class Conflict(Refused):
    pass


class TooLarge(Refused):
    pass


class Later(Problem):
    """The same request can succeed later."""


class TooMuch(Later):
    pass


class Unavailable(Later):
    pass


class NoAnswer(MailcordonError):
    """The connection failed or timed out. Whether the message was accepted is not known."""


class BadAnswer(MailcordonError):
    """The answer is not one of Mailcordon's."""


_KINDS: Mapping[int, type[Refused]] = {
    401: Unauthorised,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Invalid,
}


def problem(status: int, headers: Mapping[str, str], body: bytes) -> Problem:
    """The error of an answer whose status is 400 or more. `headers` are in lower case."""
    try:
        decoded: Any = json.loads(body)
    except ValueError:
        decoded = None
    # A proxy answers in its own words: then the status alone says what kind of error it is.
    told = cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else {}
    shown = body[:_LONGEST_SHOWN].decode(errors="replace")
    return told_problem(
        status, told, _seconds(headers.get("retry-after")), f"The server answered {status}: {shown}"
    )


def told_problem(
    status: int, told: Mapping[str, Any], retry_after: float | None, otherwise: str = ""
) -> Problem:
    """The error that `told`, a decoded problem+json, describes. `otherwise` is its text if there is none."""
    later = told.get("retryable", status in (408, 429) or status >= 500)
    kind: type[Problem]
    if status == 429:
        kind = TooMuch
    elif later:
        kind = Unavailable
    else:
        kind = _KINDS.get(status, Refused)
    return kind(
        str(told.get("detail") or otherwise),
        status=status,
        code=str(told.get("code", f"http-{status}")),
        errors=tuple(
            Field(str(one.get("field", "")), str(one.get("problem", "")), str(one.get("code", "")))
            for one in _objects(told.get("errors"))
        ),
        retry_after=retry_after,
    )


def _objects(value: object) -> list[dict[str, Any]]:
    """Another server's problem may have anything in this place."""
    listed = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", one) for one in listed if isinstance(one, dict)]


def _seconds(retry_after: str | None) -> float | None:
    """Mailcordon gives seconds; a proxy's date is not read."""
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
