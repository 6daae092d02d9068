"""EventBridge's API, for the rule that feeds the queue of management events: DescribeRule and ListTargetsByRule.

The admin API names the queue (`management_queue`), and the rule has the queue's name. It passes on every event that seslocal
makes of SES. The protocol is JSON 1.1, whose operation is in a header.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

import msgspec
from botocore.loaders import Loader

from seslocal import authorization
from seslocal.errors import ApiError
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.model import Check, Shapes, read_object, validation_text
from seslocal.wire.params import Params
from seslocal.wire.protocol import Request, Response

SIGNED_FOR: Final = ("events",)
PATTERN: Final = {"source": ["aws.ses"]}
_TARGET: Final = "AWSEvents."
_KIND: Final = "application/x-amz-json-1.1"
_BUS: Final = "default"
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
                "UnknownOperationException", f"seslocal does not implement {name[:64]} of EventBridge."
            )
        problems: list[str] = []
        params = check(read_object(request.body), None, problems)
        if problems:
            raise ApiError("ValidationException", validation_text(problems))
        rule: str = params.get("Name") or params["Rule"]
        if account.access.policies:
            authorization.events(account, name, _arn(account, rule), who)
        queue = account.events.management_queue
        if queue is None or rule != queue or params.get("EventBusName", _BUS) != _BUS:
            raise ApiError(
                "ResourceNotFoundException", f"Rule {rule[:64]} does not exist on EventBus {_BUS}."
            )
        return _response(account, 200, act(account, queue))
    except ApiError as error:
        return error_response(account, error)


def error_response(account: Account, error: ApiError) -> Response:
    return _response(account, error.status, {"__type": error.code, "message": error.message})


def _describe_rule(account: Account, queue: str) -> Params:
    return {
        "Name": queue,
        "Arn": _arn(account, queue),
        "EventPattern": _encode(PATTERN).decode(),
        "State": "ENABLED",
        "EventBusName": _BUS,
        "CreatedBy": account.id,
    }


def _list_targets_by_rule(account: Account, queue: str) -> Params:
    return {"Targets": [{"Id": "queue", "Arn": f"arn:aws:sqs:{account.region}:{account.id}:{queue}"}]}


def _arn(account: Account, rule: str) -> str:
    return f"arn:aws:events:{account.region}:{account.id}:rule/{rule}"


def _response(account: Account, status: int, body: Mapping[str, object]) -> Response:
    return Response(status, _encode(body), _KIND, (("x-amzn-RequestId", account.ids.uuid()),))


OPERATIONS: Final[Mapping[str, Callable[[Account, str], Params]]] = {
    "DescribeRule": _describe_rule,
    "ListTargetsByRule": _list_targets_by_rule,
}


@cache
def _checks() -> Mapping[str, Check]:
    model = Loader().load_service_model("events", "service-2")
    shapes = Shapes(model["shapes"])
    return {name: shapes.check(model["operations"][name]["input"]["shape"]) for name in OPERATIONS}
