"""What the local SES refuses with: one exception that carries the wire's code, HTTP status and sentence, and
short names for the ones used everywhere. Which shape it takes on the wire is the business of the front."""

from __future__ import annotations


class ApiError(Exception):
    """A refusal as AWS words it."""

    def __init__(
        self, code: str, message: str, status: int = 400, *, key: str = "message", kind: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code  #: e.g. NotFoundException
        self.message = message  #: the sentence a client sees
        self.status = status  #: HTTP status
        self.kind = (
            kind  #: what exactly, where older APIs or entries of a batch have a code of their own for it
        )
        self.key = key  #: the member that holds the sentence; 403s of SES spell it with a capital M


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


def not_acting(operation: str) -> ApiError:
    """The error of every operation that is known but not implemented."""
    return ApiError(
        "NotImplementedException",
        f"seslocal does not implement {operation}. The request was valid.",
    )
