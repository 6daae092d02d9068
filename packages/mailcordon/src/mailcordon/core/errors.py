"""Every error we raise on purpose, as one tree:

    MailcordonError
    |- Refused          the caller's fault; a retry of the same request cannot help
    |  |- Invalid         a field has a value that cannot be accepted (422)
    |  |- Unauthorised    no key, or an unknown one (401)
    |  |- Forbidden       the key may not do this (403)
    |  |- NotFound        no such thing, for this caller (404)
    |  |- Conflict        it contradicts what exists (409)
    |  '- BadConfig       settings that are wrong; the process does not start
    '- Later            a retry can help
       |- TooMuch         a limit is reached; says when to retry (429)
       '- Unavailable     a part that is needed does not respond; nothing was confirmed (503)

A message is a sentence for its reader: what failed, for whom, what to do next. The sentences are in `mailcordon.messages`;
`adapters/http/problems.py` turns the tree into HTTP.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class MailcordonError(Exception):
    """The root. `code` is stable and for programs; the message is for people."""

    code = "error"
    retryable = False

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class Refused(MailcordonError):
    pass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one field of a request."""

    field: str  #: as in the body: `to[3]`, `headers.X-Foo`
    problem: str
    code: str = "invalid"


class Invalid(Refused):
    """One or more fields cannot be accepted; nothing was stored."""

    code = "invalid"

    def __init__(self, *faults: Fault) -> None:
        super().__init__(
            "; ".join(f"{fault.field}: {fault.problem}" for fault in faults), code=faults[0].code
        )
        self.faults = faults


class Unauthorised(Refused):
    code = "unauthorised"


class Forbidden(Refused):
    code = "forbidden"


class NotFound(Refused):
    code = "not-found"


class Conflict(Refused):
    code = "conflict"


class BadConfig(Refused):
    """One or more settings are wrong. Each has its own sentence, so that one start shows all of them."""

    code = "bad-config"

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class Later(MailcordonError):
    retryable = True

    def __init__(self, message: str, *, retry_after: int = 1, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after  #: seconds


class TooMuch(Later):
    code = "too-much"


class Unavailable(Later):
    code = "unavailable"


def parse_into(
    faults: list[Fault], field: str, parse: Callable[[str], T], text: str, *, code: str = "invalid"
) -> T | None:
    """Returns `parse(text)`. Where `parse` raises ValueError, adds a fault of this field and returns None."""
    try:
        return parse(text)
    except ValueError as problem:
        faults.append(Fault(field, str(problem), code))
        return None


def parse_field(field: str, parse: Callable[[str], T], text: str, *, code: str = "invalid") -> T:
    """Returns `parse(text)`. Raises Invalid for this field where `parse` raises ValueError."""
    try:
        return parse(text)
    except ValueError as problem:
        raise Invalid(Fault(field, str(problem), code)) from None
