"""Replies, and the one place where the tree of core/errors.py becomes SMTP: code, enhanced status (RFC 3463), sentence."""

import textwrap
from typing import Any, NamedTuple

import structlog

from mailcordon.core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Later,
    MailcordonError,
    TooMuch,
    Unauthorised,
)
from mailcordon.door.admission import Refusal
from mailcordon.door.limits import Limit
from mailcordon.messages import api

_LONGEST = 400  #: characters of a line; RFC 5321 4.5.3.1.5 allows 512 with code and line ending

log: Any = structlog.get_logger("mailcordon.smtp")


class Reply(NamedTuple):
    code: int
    status: str  #: enhanced; empty for replies that have none (RFC 2034 section 4)
    text: str
    more: tuple[str, ...] = ()  #: further lines

    def line(self) -> bytes:
        """As it is sent, on as many lines as the text needs. What is no ASCII is written as an escape."""
        text = self.text.replace("\r", " ").replace("\n", " ").encode("ascii", "backslashreplace").decode()
        lines = [*(textwrap.wrap(text, _LONGEST) if len(text) > _LONGEST else [text]), *self.more]
        status = f"{self.status} " if self.status else ""
        last = len(lines) - 1
        return "".join(
            f"{self.code}{' ' if number == last else '-'}{status}{line}\r\n"
            for number, line in enumerate(lines)
        ).encode()


#: Codes of faults that have a status of their own; every other invalid message is 554 5.6.0.
_OF_FAULTS = {
    "too-large": (552, "5.3.4"),
    "bad-address": (553, "5.1.3"),
    "unknown-tenant": (550, "5.7.1"),
    "unknown-type": (550, "5.7.1"),
    "foreign-domain": (550, "5.7.1"),
}


def of_error(error: BaseException) -> Reply:
    """The reply to a mail that failed with this. An unexpected error reveals no internals, and can be tried again."""
    if not isinstance(error, MailcordonError):
        log.error("unexpected error", error=type(error).__name__, exc_info=error)
        return Reply(451, "4.3.0", api.internal_error())
    code, status = _code(error)
    return Reply(code, status, str(error))


def _code(error: MailcordonError) -> tuple[int, str]:
    if isinstance(error, Invalid):
        return next((_OF_FAULTS[one.code] for one in error.faults if one.code in _OF_FAULTS), (554, "5.6.0"))
    if isinstance(error, Unauthorised):
        return 530, "5.7.0"
    if isinstance(error, Forbidden):
        return 550, "5.7.1"
    if isinstance(error, Conflict):
        return 554, "5.5.0"
    if isinstance(error, TooMuch):
        return 451, "4.7.1"
    return (451, "4.3.0") if isinstance(error, Later) else (554, "5.0.0")


def of_refusal(refusal: Refusal) -> Reply:
    """The reply to a mail or a connection that the door does not admit."""
    if refusal.limit is Limit.BODY_MEMORY:
        return Reply(452, "4.3.1", refusal.sentence)
    if refusal.limit is Limit.BODY_BYTES:
        return Reply(552, "5.3.4", refusal.sentence)
    return Reply(451, "4.7.1", refusal.sentence)


def closing(refusal: Refusal) -> Reply:
    """The last reply on a connection that the door does not admit, or not any longer."""
    return Reply(421, "4.7.0", refusal.sentence)
