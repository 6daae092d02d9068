"""The entry point of SES v1: reads forms, calls the operation, writes XML. Faults apply as in SES v2."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from seslocal import authorization, faulted_calls
from seslocal.errors import ApiError
from seslocal.events import cloudtrail
from seslocal.faulted_calls import Call
from seslocal.sesv1.errors import to_v1_error
from seslocal.sesv1.table import IMPLEMENTED
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.params import Params
from seslocal.wire.protocol import Request, Response
from seslocal.wire.query import QueryOperation, read_form, ses_v1

_KIND = "text/xml"


def is_for(request: Request) -> bool:
    """Whether this is a form posted to the root. SNS has the same path and must be checked first."""
    return request.path == "/" and ("Action=" in request.query or b"Action=" in _posted(request))


def respond(
    account: Account, request: Request, caller: Callable[[], Caller]
) -> Response | Awaitable[Response]:
    """`caller` raises ApiError if the request's signature is wrong."""
    try:
        who = caller()
        form = read_form(_form(request))
        name, model = str(form.pop("Action", "")), ses_v1()
        operation = model.operations.get(name)
        if operation is None or form.pop("Version", model.version) != model.version:
            raise ApiError(
                "InvalidAction", f"Could not find operation {name[:64]} for version {model.version}."
            )
        params = model.read(operation, form)
        if account.access.policies:
            authorization.ses(account, name, params, who, authorization.V1)
        act = IMPLEMENTED.get(name)
        if act is None:
            raise ApiError(
                "NotImplemented",
                f"seslocal does not implement {name}. The request was valid.",
            )
        request_id = account.ids.uuid()
        if account.events.management_queue is not None:
            data = account.events.data_events
            act = cloudtrail.reporting(act, name, request, request_id, data=data)
        if account.access.management_rate.rate:
            account.access.management_rate.spend(name, account.clock.now())
        if account.faults.active:
            applying = account.faults.on_call(name, None, params.get("ConfigurationSetName"))
            if applying:
                call = Call(
                    name.startswith("Send"),
                    lambda: act(account, params, who),
                    lambda result: _done(operation, result, request_id),
                    lambda error: error_response(account, error),
                )
                return faulted_calls.respond(call, applying)
        return _done(operation, act(account, params, who), request_id)
    except ApiError as error:
        return error_response(account, error)


def _form(request: Request) -> bytes:
    """The form's parameters; a POST may also carry them in the query."""
    query, posted = request.query.encode("latin-1"), _posted(request)
    return query + b"&" + posted if query and posted else query or posted


def _posted(request: Request) -> bytes:
    return request.body if request.method == "POST" else b""


def error_response(account: Account, error: ApiError) -> Response:
    request_id = error.request_id or account.ids.uuid()
    said = to_v1_error(error, account.behaviour)
    return Response(
        said.status, ses_v1().refuse(said, request_id), _KIND, (("x-amzn-RequestId", request_id),)
    )


def _done(operation: QueryOperation, result: Params, request_id: str) -> Response:
    body = ses_v1().write(operation, result, request_id)
    return Response(200, body, _KIND, (("x-amzn-RequestId", request_id),))
