"""Errors that the API returns: one exception with AWS's code, HTTP status and message, and constructors for the common ones. The
front writes them in each service's protocol."""

from __future__ import annotations


class ApiError(Exception):
    """An error in AWS's words."""

    def __init__(
        self, code: str, message: str, status: int = 400, *, key: str = "message", kind: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code  #: e.g. NotFoundException
        self.message = message  #: the message that a client sees
        self.status = status  #: HTTP status
        #: the exact cause, where SES v1 or an entry of a batch has its own code for it
        self.kind = kind
        self.request_id: str | None = None  #: of the call that failed, if it has one already
        self.key = key  #: the member that holds the message; SES's 403s spell it with a capital M


def bad_request(message: str, *, kind: str = "") -> ApiError:
    return ApiError("BadRequestException", message, kind=kind)


def not_found(message: str, *, kind: str = "") -> ApiError:
    return ApiError("NotFoundException", message, 404, kind=kind)


def already_exists(message: str, *, kind: str = "") -> ApiError:
    return ApiError("AlreadyExistsException", message, kind=kind)


def limit_exceeded(message: str, *, kind: str = "") -> ApiError:
    return ApiError("LimitExceededException", message, kind=kind)


def serialization(message: str) -> ApiError:
    return ApiError("SerializationException", message)


def not_implemented(operation: str) -> ApiError:
    """The error of every operation that is known but not implemented."""
    return ApiError(
        "NotImplementedException",
        f"seslocal does not implement {operation}. The request was valid.",
    )
