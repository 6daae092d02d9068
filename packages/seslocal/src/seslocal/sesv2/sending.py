"""SendEmail: one mail to all its recipients (ses.md 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal import authorization
from seslocal.mail import list_management, sending, templated
from seslocal.mail.content import Letter, read_letter
from seslocal.mail.sending import Submission
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.templates import StoredTemplate
from seslocal.wire.params import Params

_NAMED_IDENTITIES: Final = ("FromEmailAddressIdentityArn", "FeedbackForwardingEmailAddressIdentityArn")


def send_email(account: Account, params: Params, caller: Caller) -> Params:
    content: Params = params["Content"]
    given: Params | None = content.get("Template") if len(content) == 1 else None
    if given is not None:
        templated.check_shape(given)
    tenant = sending.tenant_named(account, params["TenantName"]) if "TenantName" in params else None
    named = named_identities(params)
    if given is not None:
        template = templated.named_by(account, given)
        filled = templated.render(template, templated.read_data(given.get("TemplateData")), given)
        letter, kept = (
            templated.letter_of(params, filled, account.behaviour),
            templated.ledger_content(filled, given),
        )
        named += (template.arn,) if isinstance(template, StoredTemplate) else ()
    else:
        letter, kept = read_letter(params, account.behaviour), content
    action = "SendRawEmail" if "Raw" in content else "SendEmail"
    authorization.own_identities(account, caller, action, (*named_identities(params), *letter.arns))
    if managed := _list_management(params, letter):
        letter, kept = list_management.add_unsubscribe_link(account, letter, kept, *managed)
    submission = Submission(
        "SendEmail",
        letter,
        kept,
        tenant,
        params.get("ConfigurationSetName"),
        named,
    )
    return {"MessageId": sending.submit(account, submission, caller)}


def _list_management(params: Params, letter: Letter) -> tuple[str, str | None] | None:
    """Returns list and topic, from the parameter or else from the header."""
    if (options := params.get("ListManagementOptions")) is not None:
        return options["ContactListName"], options.get("TopicName")
    return list_management.options_of(letter.list_management) if letter.list_management else None


def named_identities(params: Params) -> tuple[str, ...]:
    """Returns the ARNs of identities that a call names in addition to From (ses.md 1.4)."""
    return tuple([params[name] for name in _NAMED_IDENTITIES if name in params])


def tenant_and_set(params: Params) -> tuple[str | None, str | None]:
    """Returns tenant and configuration set of a call, for faults that apply only to some."""
    tenant, name = params.get("TenantName"), params.get("ConfigurationSetName")
    return tenant if isinstance(tenant, str) else None, name if isinstance(name, str) else None


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {"SendEmail": send_email}
