"""The entry point of CloudWatch in the protocol that boto3 speaks to it: JSON 1.0, whose operation is in a header. Faults on
calls do not apply, and no rate is limited: CloudWatch's are far above SES's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

import msgspec
from botocore.loaders import Loader

from seslocal import authorization
from seslocal.cloudwatch.operations import OPERATIONS
from seslocal.errors import ApiError
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.model import Check, Shapes, read_object, validation_text
from seslocal.wire.protocol import Request, Response
from seslocal.wire.signature import QUERY_CODES

SIGNED_FOR: Final = ("monitoring",)
_TARGET: Final = "GraniteServiceVersion20100801."
_KIND: Final = "application/x-amz-json-1.0"
_encode = msgspec.json.Encoder().encode


def is_for(request: Request) -> bool:
    return request.headers.get("x-amz-target", "").startswith(_TARGET)


def respond(account: Account, request: Request, caller: Callable[[], Caller]) -> Response:
    """`caller` raises ApiError if the request's signature is wrong."""
    try:
        name = request.headers["x-amz-target"][len(_TARGET) :]
        who = caller()
        act, check = OPERATIONS.get(name), _checks().get(name)
        if act is None or check is None:
            raise ApiError(
                "UnknownOperationException", f"seslocal does not implement {name[:64]} of CloudWatch."
            )
        problems: list[str] = []
        params = check(read_object(request.body), None, problems)
        if problems:
            raise ApiError("ValidationError", validation_text(problems))
        if account.access.policies:
            authorization.cloudwatch(account, name, who)
        return _response(account, 200, act(account, params, who))
    except ApiError as error:
        return error_response(account, error)


def error_response(account: Account, error: ApiError) -> Response:
    old = QUERY_CODES.get(error.code, error.code.removesuffix("Exception"))
    fault = "Receiver" if error.status >= 500 else "Sender"
    body: dict[str, object] = {"__type": error.code, "message": error.message}
    return _response(account, error.status, body, ("x-amzn-query-error", f"{old};{fault}"))


def _response(
    account: Account, status: int, body: Mapping[str, object], *headers: tuple[str, str]
) -> Response:
    return Response(status, _encode(body), _KIND, (("x-amzn-RequestId", account.ids.uuid()), *headers))


@cache
def _checks() -> Mapping[str, Check]:
    model = Loader().load_service_model("cloudwatch", "service-2")
    shapes = Shapes(model["shapes"])
    return {name: shapes.check(model["operations"][name]["input"]["shape"]) for name in OPERATIONS}
