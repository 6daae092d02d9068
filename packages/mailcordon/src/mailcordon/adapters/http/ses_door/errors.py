"""Errors in SES's words: the tree of core/errors.py as the codes that SDKs know, in the shapes of API v2 (JSON) and v1 (XML).

The sentence is ours, the same as at every door.
"""

import asyncio
import itertools
import re
import uuid
from collections.abc import Mapping
from xml.sax.saxutils import escape

import msgspec
import structlog

from mailcordon.adapters.http import problems
from mailcordon.adapters.http.message_endpoint import Reply
from mailcordon.core.errors import (
    Conflict,
    Forbidden,
    Later,
    MailcordonError,
    NotFound,
    TooMuch,
    Unauthorised,
    Unavailable,
)
from mailcordon.door.admission import Refusal
from mailcordon.messages import api

BAD_REQUEST = "BadRequestException"
V1_NAMESPACE = "http://ses.amazonaws.com/doc/2010-12-01/"
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
log = structlog.get_logger("mailcordon.http")


class SesError(Exception):
    """A refusal in SES's words. `code` is that of API v2."""

    def __init__(
        self,
        code: str,
        sentence: str,
        status: int = 400,
        *,
        v1: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.v1 = v1 or _V1.get(code, code)
        self.status = status
        self.retry_after = retry_after


class Unresolved(SesError):
    """The message type is not known, by what is in memory: it may have been set since."""


#: Codes of API v2 -> those of API v1 that differ.
_V1: Mapping[str, str] = {
    "AccessDeniedException": "AccessDenied",
    "AlreadyExistsException": "AlreadyExists",
    "BadRequestException": "InvalidParameterValue",
    "ConflictException": "InvalidParameterValue",
    "IncompleteSignatureException": "IncompleteSignature",
    "InternalServiceErrorException": "InternalFailure",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "LimitExceededException": "LimitExceeded",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "NotFoundException": "InvalidParameterValue",
    "SerializationException": "MalformedInput",
    "ServiceUnavailableException": "ServiceUnavailable",
    "TooManyRequestsException": "Throttling",
    "UnknownOperationException": "InvalidAction",
    "UnrecognizedClientException": "InvalidClientTokenId",
}
#: What SES rejects as a message, by our code. Everything else of a message that cannot be accepted is a bad request.
_REJECTED = frozenset({"foreign-domain", "reserved-domain"})


def bad_request(sentence: str) -> SesError:
    return SesError(BAD_REQUEST, sentence)


def translated(error: BaseException) -> SesError:
    """Any error, as SES would word it. An unexpected one reveals no internals."""
    if isinstance(error, SesError):
        return error
    if isinstance(error, asyncio.CancelledError):
        error = Unavailable(api.server_stopping())
    if not isinstance(error, MailcordonError):
        log.error("unexpected error", error=type(error).__name__, exc_info=error)
        return SesError("InternalServiceErrorException", api.internal_error(), 500)
    sentence = str(error)
    if isinstance(error, TooMuch):
        return SesError("TooManyRequestsException", sentence, 429, retry_after=error.retry_after)
    if isinstance(error, Later):
        return SesError("ServiceUnavailableException", sentence, 503, retry_after=error.retry_after)
    if isinstance(error, Unauthorised):
        return SesError("UnrecognizedClientException", sentence, 403)
    if isinstance(error, Forbidden):
        return SesError("AccessDeniedException", sentence, 403)
    if isinstance(error, NotFound):
        return SesError("NotFoundException", sentence, 404)
    if isinstance(error, Conflict):
        return SesError("ConflictException", sentence, 409)
    if isinstance(error, problems.TooLarge):
        return SesError("BadRequestException", sentence, 413)
    if error.code in _REJECTED:
        return SesError("MessageRejected", sentence)
    if error.code == "unknown-template":
        return SesError("NotFoundException", sentence, 404, v1="TemplateDoesNotExist")
    if error.code == "rendering":
        return SesError(BAD_REQUEST, sentence, v1="MissingRenderingAttribute")
    return SesError("BadRequestException", sentence)


def of_refusal(refusal: Refusal) -> SesError:
    """What the door does not admit."""
    code = {
        429: "TooManyRequestsException",
        503: "ServiceUnavailableException",
        408: "RequestTimeoutException",
    }.get(refusal.status, "BadRequestException")
    return SesError(code, refusal.sentence, refusal.status, retry_after=refusal.retry_after)


def reply(error: BaseException, *, v1: bool, request_id: str | None = None) -> Reply:
    """The answer to a request that failed."""
    said = translated(error)
    id = request_id or new_request_id()
    headers = {"x-amzn-requestid": id}
    if said.retry_after is not None:
        headers["retry-after"] = str(said.retry_after)
    if not v1:
        body = msgspec.json.encode({"message": str(said)})
        headers |= {"content-type": "application/json", "x-amzn-errortype": said.code}
        return Reply(said.status, body, headers)
    # SES v1 has no 404 and 429: a client of it reads the code.
    status = said.status if said.status in (403, 413) or said.status >= 500 else 400
    whose = "Receiver" if status >= 500 else "Sender"
    text = (
        f'<ErrorResponse xmlns="{V1_NAMESPACE}"><Error><Type>{whose}</Type><Code>{said.v1}</Code>'
        f"<Message>{xml(str(said))}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
    )
    return Reply(status, text.encode(), {**headers, "content-type": "text/xml"})


def xml(text: str) -> str:
    """Escaped, without what XML cannot contain."""
    return escape(_NO_XML.sub("\ufffd", text))


_process = uuid.uuid4().hex[:20]
_numbers = itertools.count(1)


def new_request_id() -> str:
    """As SES's look. Unique among all processes."""
    number = f"{next(_numbers):012x}"
    return f"{_process[:8]}-{_process[8:12]}-{_process[12:16]}-{_process[16:20]}-{number}"
