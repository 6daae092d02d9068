"""SendBulkEmail: one template, up to fifty mails (ses.md 3.2). An error of the call, including the tenant checks, refuses all of
it. An error of one mail is that entry's status, and the others are sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from seslocal import authorization
from seslocal.errors import ApiError, bad_request
from seslocal.mail import refusals, sending, templated
from seslocal.mail.content import read_address
from seslocal.mail.sending import CheckedSubmission, Submission
from seslocal.sesv2.sending import named_identities
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.settings import Behaviour
from seslocal.state.templates import StoredTemplate, Template
from seslocal.state.tenants import Tenant
from seslocal.wire.params import Params

MOST_ENTRIES: Final = 50
#: entry status by the error's kind, else by its code
_STATUSES: Final = {
    "account_paused": "ACCOUNT_SENDING_PAUSED",
    "set_paused": "CONFIGURATION_SET_SENDING_PAUSED",
    "set_absent": "CONFIGURATION_SET_NOT_FOUND",
    "template_absent": "TEMPLATE_NOT_FOUND",
    "pool_absent": "INVALID_SENDING_POOL_NAME",
    "transient": "TRANSIENT_FAILURE",
    "AccountSuspendedException": "ACCOUNT_SUSPENDED",
    "BadRequestException": "INVALID_PARAMETER",
    "LimitExceededException": "ACCOUNT_DAILY_QUOTA_EXCEEDED",
    "MailFromDomainNotVerifiedException": "MAIL_FROM_DOMAIN_NOT_VERIFIED",
    "MessageRejected": "MESSAGE_REJECTED",
    "SendingPausedException": "ACCOUNT_SENDING_PAUSED",
    "TooManyRequestsException": "ACCOUNT_THROTTLED",
}


def send_bulk_email(account: Account, params: Params, caller: Caller) -> Params:
    if "Template" in params["DefaultContent"]:
        templated.check_shape(params["DefaultContent"]["Template"])
    tenant = sending.tenant_named(account, params["TenantName"]) if "TenantName" in params else None
    authorization.own_identities(account, caller, "SendBulkEmail", named_identities(params))
    results: list[Params] = []
    for outcome in send_entries(account, params, tenant, caller, "SendBulkEmail"):
        if isinstance(outcome, str):
            results.append({"Status": "SUCCESS", "MessageId": outcome})
        else:
            status = _STATUSES.get(outcome.kind) or _STATUSES.get(outcome.code, "FAILED")
            results.append({"Status": status, "Error": outcome.message})
    return {"BulkEmailEntryResults": results}


def send_entries(
    account: Account, params: Params, tenant: Tenant | None, caller: Caller, operation: str
) -> list[str | ApiError]:
    """Returns a MessageId or an error for every entry, in order. Raises ApiError if the whole call is refused."""
    _check_sender(params, account.behaviour)
    return [
        passed if isinstance(passed, ApiError) else _sent(account, passed, caller)
        for passed in _checked(account, params, tenant, operation)
    ]


def _check_sender(params: Params, behaviour: Behaviour) -> None:
    """A sender that is no address refuses the whole call; a recipient that is none refuses its entry."""
    for member in ("FromEmailAddress", "FeedbackForwardingEmailAddress"):
        if (address := params.get(member)) is not None:
            try:
                read_address("From", address, behaviour)
            except ApiError:
                raise refusals.INVALID_ADDRESS.error(address=address) from None


def _checked(
    account: Account, params: Params, tenant: Tenant | None, operation: str
) -> list[CheckedSubmission | ApiError]:
    """Checks all entries before any is accepted, so that a refused call sends nothing."""
    entries: list[Params] = params["BulkEmailEntries"]
    if not 1 <= len(entries) <= MOST_ENTRIES:
        raise bad_request(f"A bulk call has 1 to {MOST_ENTRIES} entries, not {len(entries)}.")
    default: Params | None = params["DefaultContent"].get("Template")
    if default is None:
        raise bad_request("DefaultContent must hold a Template.")
    data = templated.read_data(default.get("TemplateData"))
    try:
        template = templated.named_by(account, default)
    except ApiError as error:
        if error.kind != "template_absent":
            raise
        return [error] * len(entries)
    checked: list[CheckedSubmission | ApiError] = []
    for entry in entries:
        try:
            submission = _submission(account, params, entry, template, data, tenant, operation)
            checked.append(sending.check(account, submission))
        except ApiError as error:
            if error.kind in sending.TENANT_GATE:
                raise
            checked.append(error)
    return checked


def _sent(account: Account, passed: CheckedSubmission, caller: Caller) -> str | ApiError:
    tenant, configuration_set = passed.tenant, passed.configuration_set
    fault = account.faults.on_entry(
        tenant.name if tenant else None, configuration_set.name if configuration_set else None
    )
    failed = ApiError(
        "InternalServiceErrorException", "The service failed (injected fault).", 500, kind="transient"
    )
    if fault and not fault.accepted:
        return failed
    try:
        sending.take(account, passed.submission.letter)
    except ApiError as error:
        return error
    message_id = sending.accept(account, passed, caller)
    return failed if fault else message_id


def _submission(
    account: Account,
    params: Params,
    entry: Params,
    template: Template,
    data: Params,
    tenant: Tenant | None,
    operation: str,
) -> Submission:
    default: Params = params["DefaultContent"]["Template"]
    own: Params = entry.get("ReplacementEmailContent", {}).get("ReplacementTemplate", {})
    given = {**default, "Headers": _merged(default.get("Headers", []), entry.get("ReplacementHeaders", []))}
    replacement = templated.read_data(own.get("ReplacementTemplateData"))
    if account.behaviour.merge_template_data or not replacement:
        replacement = {**data, **replacement}
    filled = templated.render(template, replacement, given)
    tags = _merged(params.get("DefaultEmailTags", []), entry.get("ReplacementTags", []))
    call = {**params, "Destination": entry["Destination"]}
    if tags:
        call["EmailTags"] = tags
    kept = templated.ledger_content(
        filled, {**default, "TemplateData": msgspec.json.encode(replacement).decode()}
    )
    named = named_identities(params) + ((template.arn,) if isinstance(template, StoredTemplate) else ())
    letter = templated.letter_of(call, filled, account.behaviour)
    return Submission(operation, letter, kept, tenant, params.get("ConfigurationSetName"), named)


def _merged(defaults: list[dict[str, str]], own: list[dict[str, str]]) -> list[dict[str, str]]:
    """Joins both; the entry's values override defaults of the same name."""
    names = {one["Name"].lower() for one in own}
    return [one for one in defaults if one["Name"].lower() not in names] + own


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {"SendBulkEmail": send_bulk_email}
