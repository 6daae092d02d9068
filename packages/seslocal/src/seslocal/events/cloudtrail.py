"""SES's management calls as CloudTrail reports them through EventBridge (ses.md 4.6): what was called, on which resource, by whom
and from where, and how it ended. Calls that only read and calls that send mail are not reported. As at AWS, an event is written
after the call and says nothing of what the resource is now."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from seslocal.clock import iso
from seslocal.errors import ApiError
from seslocal.events.publishing import put_on_queue
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.params import Params
from seslocal.wire.protocol import Request

DETAIL_TYPE: Final = "AWS API Call via CloudTrail"
HIDDEN: Final = "HIDDEN_DUE_TO_SECURITY_REASONS"

#: how the names of operations begin that only read, or that send mail
_NOT_REPORTED: Final = ("Get", "List", "Describe", "BatchGet", "Test", "Send")
#: members with secrets, content or personal data
_PRIVATE: Final = frozenset(
    {
        "AdditionalContactEmailAddresses",
        "AttributesData",
        "DomainSigningPrivateKey",
        "FailureRedirectionURL",
        "HtmlPart",
        "SubjectPart",
        "SuccessRedirectionURL",
        "TemplateContent",
        "TextPart",
        "UseCaseDescription",
        "WebsiteURL",
    }
)

Act = Callable[[Account, Params, Caller], Params]


def reporting(act: Act, operation: str, request: Request, request_id: str) -> Act:
    """Returns the operation with a report of how it ended; the operation itself if it is not a management call that changes
    something."""
    if operation.startswith(_NOT_REPORTED):
        return act

    def reported(account: Account, params: Params, caller: Caller) -> Params:
        shown = cast(
            Params, _shown(params)
        )  # before the call, because operations may change their parameters
        report = partial(_report, account, operation, shown, caller, request, request_id)
        try:
            result = act(account, params, caller)
        except ApiError as error:
            error.request_id = request_id
            report(None, error)
            raise
        report(result, None)
        return result

    return reported


def _report(
    account: Account,
    operation: str,
    parameters: Params,
    caller: Caller,
    request: Request,
    request_id: str,
    result: Params | None,
    error: ApiError | None,
) -> None:
    queue = account.events.management_queue
    if queue is None:
        return
    faults = {fault.kind: fault for fault in account.faults.on_management_event(operation)}
    if "drop_management_events" in faults:
        return
    at = account.clock.now() + account.faults.skew()
    record = {
        "eventVersion": "1.11",
        "userIdentity": _identity(account, caller),
        "eventTime": iso(at)[:-5] + "Z",
        "eventSource": "ses.amazonaws.com",
        "eventName": operation,
        "awsRegion": account.region,
        "sourceIPAddress": caller.source_ip,
        "userAgent": request.headers.get("user-agent", ""),
        **({"errorCode": error.code, "errorMessage": error.message} if error is not None else {}),
        "requestParameters": parameters or None,
        "responseElements": _shown(result) if result else None,
        "requestID": request_id,
        "eventID": account.ids.uuid(),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account.id,
        "eventCategory": "Management",
    }
    put = partial(put_on_queue, account, queue, DETAIL_TYPE, [], record, at)
    if (late := faults.get("delay_management_events")) is not None:
        account.clock.call_later(late.seconds, put)
    else:
        put()


def _identity(account: Account, caller: Caller) -> Params:
    key = account.access.keys.by_id.get(caller.access_key)
    common = {
        "principalId": caller.user,
        "accountId": account.id,
        "accessKeyId": caller.access_key,
    }
    if key is None or key.token is None:
        arn = f"arn:aws:iam::{account.id}:user/{caller.user}"
        return {"type": "IAMUser", "arn": arn, **common, "userName": caller.user}
    issuer = {
        "type": "Role",
        "principalId": caller.user,
        "arn": f"arn:aws:iam::{account.id}:role/{caller.user}",
        "accountId": account.id,
        "userName": caller.user,
    }
    arn = f"arn:aws:sts::{account.id}:assumed-role/{caller.user}/session"
    return {"type": "AssumedRole", "arn": arn, **common, "sessionContext": {"sessionIssuer": issuer}}


def _shown(value: Any) -> Any:
    """Returns the members of a request or response as CloudTrail spells them, without private ones."""
    if isinstance(value, dict):
        members = cast(Params, value)
        return {
            name[:1].lower() + name[1:]: HIDDEN if name in _PRIVATE else _shown(member)
            for name, member in members.items()
        }
    if isinstance(value, list | tuple):
        return [_shown(one) for one in cast("list[Any]", value)]
    return value
