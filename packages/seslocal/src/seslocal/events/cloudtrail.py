"""SES's calls as CloudTrail reports them through EventBridge (ses.md 4.6): what was called, on which resource, by whom and from
where, and how it ended. Calls that only read are not reported. Calls that send mail are data events, which a trail logs only if
it is told to (SES Developer Guide, "Logging Amazon SES API calls with AWS CloudTrail"); mail over SMTP has none. As at AWS, an
event is written after the call and says nothing of what the resource is now."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import msgspec

from seslocal.clock import iso
from seslocal.errors import ApiError
from seslocal.events.publishing import put_on_queue
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.params import Params
from seslocal.wire.protocol import Request

DETAIL_TYPE: Final = "AWS API Call via CloudTrail"
HIDDEN: Final = "HIDDEN_DUE_TO_SECURITY_REASONS"

#: how the names of operations begin that only read
_READING: Final = ("Get", "List", "Describe", "BatchGet", "Test")
_SENDING: Final = "Send"
#: operations that send mail of an identity, whose data events a trail can log
_DATA: Final = frozenset(
    {"SendEmail", "SendRawEmail", "SendBulkEmail", "SendTemplatedEmail", "SendBulkTemplatedEmail"}
)
#: members of a call that sends: addresses, and what the mail says
_HIDDEN_LISTS: Final = frozenset(
    {"ToAddresses", "CcAddresses", "BccAddresses", "ReplyToAddresses", "Destinations"}
)
_HIDDEN_OF_MAIL: Final = frozenset({"Data", "TemplateData", "DefaultTemplateData", "ReplacementTemplateData"})
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


def reporting(act: Act, operation: str, request: Request, request_id: str, *, data: bool) -> Act:
    """Returns the operation with a report of how it ended; the operation itself if nothing reports it. `data`: calls that send
    mail are reported too."""
    if operation.startswith(_SENDING):
        return partial(_send, act, operation, request, request_id) if data and operation in _DATA else act
    if operation.startswith(_READING):
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


def _send(
    act: Act,
    operation: str,
    request: Request,
    request_id: str,
    account: Account,
    params: Params,
    caller: Caller,
) -> Params:
    shown = cast(Params, _shown_of_mail(params))
    source = str(params.get("FromEmailAddress") or params.get("Source") or "")
    report = partial(_report, account, operation, shown, caller, request, request_id)
    try:
        result = act(account, params, caller)
    except ApiError as error:
        error.request_id = request_id
        report(None, error, data=_data(account, source, None))
        raise
    report(None, None, data=_data(account, source, result))
    return result


def _data(account: Account, source: str, result: Params | None) -> Params:
    """What a data event has beside the members of every event. Of a call with several mails AWS's page shows no ids."""
    sent = (result or {}).get("MessageId")
    if not source and sent and (mail := account.mail.ledger.get(sent)) is not None:
        source = str(msgspec.json.decode(mail.facts)["from"])  # the call left it to the raw message
    address = source.rpartition("<")[2].rstrip(">")
    identity = account.identities.resolve(address) if "@" in address else None
    resources = (
        [{"accountId": account.id, "type": "AWS::SES::EmailIdentity", "ARN": identity.arn}]
        if identity
        else []
    )
    return {
        "readOnly": True,
        "resources": resources,
        "managementEvent": False,
        "eventCategory": "Data",
        **({"additionalEventData": {"sesMessageId": sent}} if sent else {}),
    }


def _shown_of_mail(value: Any, name: str = "") -> Any:
    """As `_shown`, without addresses and content: each of them is hidden, so that their number is known."""
    if name in _HIDDEN_LISTS and isinstance(value, list | tuple):
        entries = cast("list[Any]", value)
        if not any(
            isinstance(one, dict) for one in entries
        ):  # SES v1 names the entries of a bulk call so, too
            return [HIDDEN for _ in entries]
    if name in _HIDDEN_OF_MAIL:
        return HIDDEN
    if isinstance(value, dict):
        members = cast(Params, value)
        return {key[:1].lower() + key[1:]: _shown_of_mail(member, key) for key, member in members.items()}
    if isinstance(value, list | tuple):
        return [_shown_of_mail(one) for one in cast("list[Any]", value)]
    return HIDDEN if isinstance(value, bytes) else value


def _report(
    account: Account,
    operation: str,
    parameters: Params,
    caller: Caller,
    request: Request,
    request_id: str,
    result: Params | None,
    error: ApiError | None,
    *,
    data: Params | None = None,
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
        **(data or {}),
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
