"""Sending in SES v1: simple, raw and templated mail, one at a time and in bulk (ses.md 3). It has no tenants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from seslocal import authorization
from seslocal.errors import ApiError, bad_request
from seslocal.mail import list_management, sending, templated
from seslocal.mail.address import bare_address
from seslocal.mail.content import Letter, read_letter
from seslocal.mail.sending import Submission
from seslocal.sesv2 import bulk, verification_mail
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.params import Params

#: members that name the identity whose owner lets us send
_ARNS: Final = ("SourceArn", "FromArn", "ReturnPathArn")
MOST_BYTES: Final = 10 * 1024 * 1024  # of one mail (ses.md 3.3)
#: entry status by the error's kind, else by its code
_STATUSES: Final = {
    "account_paused": "AccountSendingPaused",
    "set_paused": "ConfigurationSetSendingPaused",
    "set_absent": "ConfigurationSetDoesNotExist",
    "template_absent": "TemplateDoesNotExist",
    "pool_absent": "InvalidSendingPoolName",
    "quota_gone": "AccountDailyQuotaExceeded",
    "transient": "TransientFailure",
    "AccountSuspendedException": "AccountSuspended",
    "BadRequestException": "InvalidParameterValue",
    "MailFromDomainNotVerifiedException": "MailFromDomainNotVerified",
    "MessageRejected": "MessageRejected",
    "TooManyRequestsException": "AccountThrottled",
}
#: errors that refuse the whole bulk call, because they are the same for every entry
_WHOLE: Final = ("set_absent", "template_absent", "account_paused", "set_paused")


def send_email(account: Account, params: Params, caller: Caller) -> Params:
    message: Params = params["Message"]
    simple = {"Subject": message["Subject"], "Body": message["Body"]}
    return _send(account, params, {"Simple": simple}, caller, "SendEmail")


def send_raw_email(account: Account, params: Params, caller: Caller) -> Params:
    """Recipients are Destinations, or those in the headers if there are none."""
    data: bytes = params["RawMessage"]["Data"]
    call: Params = {**params, "Destination": {"ToAddresses": params.get("Destinations", [])}}
    if len(data) > MOST_BYTES:
        raise bad_request(f"Message length is more than {MOST_BYTES} bytes long: '{len(data)}'.")
    return _send(account, call, {"Raw": {"Data": data}}, caller, "SendRawEmail")


def send_templated_email(account: Account, params: Params, caller: Caller) -> Params:
    given = {"TemplateName": params["Template"], "TemplateData": params["TemplateData"]}
    template = templated.template_of(account, given["TemplateName"])
    filled = templated.render(template, templated.read_data(given["TemplateData"]), given)
    letter = _check_size(templated.letter_of(_call(params, {}), filled, account.behaviour))
    _return_path(letter, params)
    _own_identities(account, params, caller, "SendTemplatedEmail", letter)
    named = params.get("ConfigurationSetName")
    kept = templated.ledger_content(filled, given)
    submission = Submission("SendTemplatedEmail", letter, kept, None, named)
    return {"MessageId": sending.submit(account, submission, caller)}


def send_bulk_templated_email(account: Account, params: Params, caller: Caller) -> Params:
    entries: list[Params] = [
        {
            "Destination": one["Destination"],
            "ReplacementTags": one.get("ReplacementTags", []),
            "ReplacementEmailContent": {
                "ReplacementTemplate": {"ReplacementTemplateData": one.get("ReplacementTemplateData", "")}
            },
        }
        for one in params["Destinations"]
    ]
    default = {"TemplateName": params["Template"], "TemplateData": params["DefaultTemplateData"]}
    call = _call(params, {}) | {
        "DefaultContent": {"Template": default},
        "DefaultEmailTags": params.get("DefaultTags", []),
        "BulkEmailEntries": entries,
    }
    if len(entries) > bulk.MOST_ENTRIES:
        raise ApiError("MessageRejected", f"Recipient count exceeds {bulk.MOST_ENTRIES}.")
    _own_identities(account, params, caller, "SendBulkTemplatedEmail")
    if (path := params.get("ReturnPath")) and not _is_verified(account, path):
        raise sending.not_verified(account, [path])
    outcomes = bulk.send_entries(account, call, None, caller, "SendBulkTemplatedEmail")
    refusals = [one for one in outcomes if isinstance(one, ApiError)]
    if len(refusals) == len(outcomes) and (
        refusals[0].kind in _WHOLE or refusals[0].code == "MessageRejected"
    ):
        raise refusals[0]
    return {"Status": [_status(outcome) for outcome in outcomes]}


def send_custom_verification(account: Account, params: Params, caller: Caller) -> Params:
    return verification_mail.send(account, params, caller)


def _send(account: Account, params: Params, content: Params, caller: Caller, operation: str) -> Params:
    letter = _check_size(read_letter(_call(params, content), account.behaviour))
    _return_path(letter, params)
    _own_identities(account, params, caller, operation, letter)
    letter.tenant = None  # SES v1 ignores a tenant header (ses.md 1.4)
    if letter.list_management:
        options = list_management.options_of(letter.list_management)
        letter, content = list_management.add_unsubscribe_link(account, letter, content, *options)
    submission = Submission(operation, letter, content, None, params.get("ConfigurationSetName"))
    return {"MessageId": sending.submit(account, submission, caller)}


def _own_identities(
    account: Account, params: Params, caller: Caller, operation: str, letter: Letter | None = None
) -> None:
    arns: list[str] = [params[name] for name in _ARNS if params.get(name)]
    authorization.own_identities(account, caller, operation, (*arns, *(letter.arns if letter else ())))


def _check_size(letter: Letter) -> Letter:
    if letter.size > MOST_BYTES:
        raise bad_request(f"Message length is more than {MOST_BYTES} bytes long: '{letter.size}'.")
    return letter


def _is_verified(account: Account, address: str) -> bool:
    identity = account.identities.resolve(bare_address(address).lower())
    return identity is not None and identity.verified


def _return_path(letter: Letter, params: Params) -> None:
    """The address that bounces are forwarded to must be verified too."""
    if given := params.get("ReturnPath"):
        letter.common["returnPath"] = given
        letter.senders = tuple(dict.fromkeys((*letter.senders, bare_address(given).lower())))


def _call(params: Params, content: Params) -> Params:
    """Returns the same call as SES v2 input."""
    call: Params = {"Destination": params.get("Destination", {}), "Content": content}
    for ours, theirs in (
        ("FromEmailAddress", "Source"),
        ("ReplyToAddresses", "ReplyToAddresses"),
        ("EmailTags", "Tags"),
        ("ConfigurationSetName", "ConfigurationSetName"),
    ):
        if params.get(theirs):
            call[ours] = params[theirs]
    return call


def _status(outcome: str | ApiError) -> dict[str, Any]:
    if isinstance(outcome, str):
        return {"Status": "Success", "MessageId": outcome}
    status = _STATUSES.get(outcome.kind) or _STATUSES.get(outcome.code, "Failed")
    return {"Status": status, "Error": outcome.message}


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "SendEmail": send_email,
    "SendRawEmail": send_raw_email,
    "SendTemplatedEmail": send_templated_email,
    "SendBulkTemplatedEmail": send_bulk_templated_email,
    "SendCustomVerificationEmail": send_custom_verification,
}
