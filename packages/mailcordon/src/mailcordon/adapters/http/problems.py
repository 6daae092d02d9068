"""Errors as problem+json (RFC 9457): the one place where the tree of core/errors.py becomes HTTP.

`detail` is for people, `code` is stable and for programs, `errors` lists each field with its problem.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from mailcordon.core.errors import (
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    Later,
    MailcordonError,
    NotFound,
    Refused,
    TooMuch,
    Unauthorised,
    Unavailable,
)
from mailcordon.door.admission import Refusal
from mailcordon.messages import api

log: Any = structlog.get_logger()

MAX_BODY = 1024 * 1024  #: bytes, of every request but POST /v1/messages and those of _LARGE
PLANS_PATH = "/v1/plans"
MAX_PLAN_BODY = 8 * 1024 * 1024  #: bytes: a document of 20,000 tenants with a few lanes each has some 4 MB
IMPORT_PATH = "/v1/suppressions/import"
MAX_IMPORT_BODY = 8 * 1024 * 1024  #: bytes: a hundred thousand addresses, with what their file says of them
SNS_PATH = "/v1/events/sns"
FIREHOSE_PATH = "/v1/events/firehose"
MAX_BATCH = 64 * 1024 * 1024  #: bytes: what a stream of Firehose may gather
MAX_SES_BODY = (
    56 * 1024 * 1024
)  #: bytes of a request of the SES door: 40 MB of mail in base64, and the JSON around it
BATCH_PATH = "/v1/messages/batch"
MAX_MESSAGES_BODY = 24 * 1024 * 1024  #: bytes of a batch of messages
_LARGE = {
    BATCH_PATH: MAX_MESSAGES_BODY,
    PLANS_PATH: MAX_PLAN_BODY,
    IMPORT_PATH: MAX_IMPORT_BODY,
    FIREHOSE_PATH: MAX_BATCH,
}
MEDIA_TYPE = "application/problem+json"
_STATUS: tuple[tuple[type[MailcordonError], int], ...] = (
    (Invalid, 422),
    (Unauthorised, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (TooMuch, 429),
    (Unavailable, 503),
    (Later, 503),
    (Refused, 422),
)


class TooLarge(Refused):
    """The body is larger than any message may be."""

    code = "too-large"


class Malformed(Refused):
    """The request itself is not well formed, whatever it asks for."""

    code = "malformed"


class FieldProblem(msgspec.Struct, frozen=True):
    field: str
    problem: str
    code: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    errors: list[FieldProblem] = []


def status_of(error: MailcordonError) -> int:
    if isinstance(error, TooLarge):
        return 413
    if isinstance(error, Malformed):
        return 400
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def most_body(path: str) -> int:
    """Bytes of a body, of every request but POST /v1/messages."""
    return _LARGE.get(path, MAX_BODY)


def describe(error: BaseException, path: str = "") -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers for any error. An unexpected one becomes a 500 that reveals no internals."""
    headers = {"content-type": MEDIA_TYPE}
    if isinstance(error, ValidationException):
        error = _from_validation(error)
    elif isinstance(error, RequestEntityTooLarge):
        error = TooLarge(api.body_too_large(most_body(path)))
    elif isinstance(error, HTTPException):
        status = error.status_code
        problem = _problem(status, f"http-{status}", _words(error), retryable=status >= 500)
        return status, msgspec.json.encode(problem), {**headers, **_safe(error.headers)}
    if not isinstance(error, MailcordonError):
        log.error("unexpected error", error=type(error).__name__, exc_info=error)
        problem = _problem(500, "internal", api.internal_error(), retryable=True)
        return 500, msgspec.json.encode(problem), headers
    status = status_of(error)
    faults = error.faults if isinstance(error, Invalid) else ()
    if isinstance(error, Later):
        headers["retry-after"] = str(error.retry_after)
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="mailcordon"'
    problem = _problem(status, error.code, str(error), retryable=error.retryable, faults=faults)
    return status, msgspec.json.encode(problem), headers


def refused(refusal: Refusal) -> tuple[int, bytes, dict[str, str]]:
    """As `describe`, for what the door does not admit."""
    headers = {"content-type": MEDIA_TYPE}
    if refusal.retry_after is not None:
        headers["retry-after"] = str(refusal.retry_after)
    retryable = refusal.status in (408, 429, 503)
    problem = _problem(refusal.status, refusal.code, refusal.sentence, retryable=retryable)
    return refusal.status, msgspec.json.encode(problem), headers


def _problem(
    status: int, code: str, detail: str, *, retryable: bool, faults: tuple[Fault, ...] = ()
) -> Problem:
    return Problem(
        type=f"urn:mailcordon:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        retryable=retryable,
        errors=[FieldProblem(fault.field, fault.problem, fault.code) for fault in faults],
    )


def handle(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's handler for every exception."""
    status, body, headers = describe(error, request.url.path)
    media_type = headers.pop("content-type")
    return Response(body, status_code=status, media_type=media_type, headers=headers)


def _words(error: HTTPException) -> str:
    return {404: api.no_such_url(), 405: api.method_not_allowed()}.get(error.status_code, error.detail)


def _safe(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (headers or {}).items() if name.lower() == "allow"}


def _from_validation(error: ValidationException) -> MailcordonError:
    faults: list[Fault] = []
    extra: Any = error.extra
    for one in extra if isinstance(extra, list) else []:  # pyright: ignore[reportUnknownVariableType]
        faults.append(Fault(str(one.get("key", "body")), str(one.get("message", error.detail))))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    if not faults:
        faults.append(Fault("body", error.detail))
    return Invalid(*faults)


def from_decoding(error: msgspec.ValidationError) -> Invalid:
    """The value that is not of the field's type, as the field and its problem."""
    text = str(error)
    problem, _, path = text.partition(" - at `$")
    field = path.rstrip("`").removeprefix(".") or "body"
    if "missing required field" in problem or "contains unknown field" in problem:
        name = problem.rsplit("`", 2)[-2]
        field = name if field == "body" else f"{field}.{name}"
        problem = api.field_required() if "missing" in problem else api.field_unknown()
    return Invalid(Fault(field, problem))
