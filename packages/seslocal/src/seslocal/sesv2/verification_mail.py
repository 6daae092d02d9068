"""Custom verification emails: their templates, and sending the mail that asks the owner of an address to verify it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from seslocal.errors import ApiError, already_exists, bad_request, limit_exceeded, not_found
from seslocal.mail import sending, verification_links
from seslocal.mail.address import bare_address
from seslocal.mail.content import read_letter
from seslocal.mail.sending import Submission
from seslocal.sesv2 import identities
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.verification import VerificationTemplate
from seslocal.tagging import tags_in, tags_out
from seslocal.wire.paging import page
from seslocal.wire.params import Params

MOST_TEMPLATES: Final = 50
MOST_BYTES: Final = 10 * 1024 * 1024  # of one template's content
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_URL: Final = re.compile(r"https?://[!-~]{1,2000}")


def create(account: Account, params: Params, caller: Caller) -> Params:
    name: str = params["TemplateName"]
    if not _NAME.fullmatch(name):
        raise bad_request(
            f"Invalid template name <{name}>: only alphanumeric ASCII characters, '_', and '-' are allowed, 1 to 64 of them."
        )
    made = _read(account, name, params, tags_in(params.get("Tags", [])))
    if name in account.identities.verification_templates:
        raise already_exists(
            f"Custom verification email template <{name}> already exists", kind="verification_template_exists"
        )
    if len(account.identities.verification_templates) >= MOST_TEMPLATES:
        raise limit_exceeded(
            f"The account has {MOST_TEMPLATES} custom verification email templates, which is its limit."
        )
    account.identities.verification_templates[name] = made
    return {}


def get(account: Account, params: Params, caller: Caller) -> Params:
    found = template_of(account, params["TemplateName"])
    return {**_shown(found), "TemplateContent": found.content, "Tags": tags_out(found.tags)}


def update(account: Account, params: Params, caller: Caller) -> Params:
    found = template_of(account, params["TemplateName"])
    account.identities.verification_templates[found.name] = _read(account, found.name, params, found.tags)
    return {}


def delete(account: Account, params: Params, caller: Caller) -> Params:
    """Raises ApiError if the template does not exist."""
    del account.identities.verification_templates[template_of(account, params["TemplateName"]).name]
    return {}


def list_all(account: Account, params: Params, caller: Caller) -> Params:
    templates = account.identities.verification_templates.values()
    chosen, more = page("verification-templates", templates, lambda one: one.name, params, most=50)
    return {"CustomVerificationEmailTemplates": [_shown(one) for one in chosen], **more}


def send(account: Account, params: Params, caller: Caller) -> Params:
    """Makes the address a pending identity, whatever `verify_at_once` says: it verifies by the mail's link."""
    address = _address(params["EmailAddress"])
    template = account.identities.verification_templates.get(params["TemplateName"])
    if template is None:
        raise _absent(f"Template <{params['TemplateName']}> does not exist")
    if not account.sending.production:
        raise ApiError(
            "BadRequestException",
            "Your account has not been granted production access; custom verification emails need it.",
            kind="production_needed",
        )
    html, token = verification_links.body_with_link(account, template)
    content: Params = {"Simple": {"Subject": {"Data": template.subject}, "Body": {"Html": {"Data": html}}}}
    call = {
        "FromEmailAddress": template.sender,
        "Destination": {"ToAddresses": [address]},
        "Content": content,
    }
    named: str | None = params.get("ConfigurationSetName")
    submission = Submission(
        "SendCustomVerificationEmail", read_letter(call, account.behaviour), content, None, named
    )
    message_id = sending.submit(account, submission, caller)
    verification_links.activate_link(account, token, address, template)
    identities.await_verification(account, address)
    return {"MessageId": message_id}


def template_of(account: Account, name: str) -> VerificationTemplate:
    found = account.identities.verification_templates.get(name)
    if found is None:
        raise _absent(f"Custom verification email template <{name}> does not exist")
    return found


def _absent(message: str) -> ApiError:
    return not_found(message, kind="verification_template_absent")


def _address(text: str) -> str:
    if not text.strip():
        raise bad_request("Email address not specified.")
    try:
        return bare_address(text)
    except ApiError:
        raise bad_request(f"Invalid email address<{text}>.") from None


def _read(account: Account, name: str, params: Params, tags: dict[str, str]) -> VerificationTemplate:
    sender: str = params["FromEmailAddress"]
    identity = account.identities.resolve(bare_address(sender).lower())
    if identity is None or not identity.verified:
        raise not_found(f"The from email address <{sender}> is not verified", kind="from_unverified")
    for which in ("Success", "Failure"):
        if not _URL.fullmatch(params[f"{which}RedirectionURL"]):
            raise bad_request(f"The {which.lower()} redirection URL is invalid")
    if len(params["TemplateContent"].encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise bad_request("The template is larger than 10 MB.", kind="verification_template_invalid")
    return VerificationTemplate(
        name=name,
        arn=account.arn(f"custom-verification-email-template/{name}"),
        sender=sender,
        subject=params["TemplateSubject"],
        content=params["TemplateContent"],
        success_url=params["SuccessRedirectionURL"],
        failure_url=params["FailureRedirectionURL"],
        tags=tags,
    )


def _shown(found: VerificationTemplate) -> Params:
    return {
        "TemplateName": found.name,
        "FromEmailAddress": found.sender,
        "TemplateSubject": found.subject,
        "SuccessRedirectionURL": found.success_url,
        "FailureRedirectionURL": found.failure_url,
    }


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "CreateCustomVerificationEmailTemplate": create,
    "GetCustomVerificationEmailTemplate": get,
    "UpdateCustomVerificationEmailTemplate": update,
    "DeleteCustomVerificationEmailTemplate": delete,
    "ListCustomVerificationEmailTemplates": list_all,
    "SendCustomVerificationEmail": send,
}
