"""SES's API v2: the JSON of requests, and what they ask for.

Members that are not named here are left out of account, as SES does with members that it does not know.
"""

import re
from typing import NamedTuple, TypeVar
from urllib.parse import unquote

import msgspec

from mailcordon.adapters.http.ses_door import base64_text, mail
from mailcordon.adapters.http.ses_door.errors import SesError, bad_request
from mailcordon.control.access_keys import KnownAccess
from mailcordon.core import text as texts
from mailcordon.messages import ses_door as messages
from mailcordon.send.submission import Submission

T = TypeVar("T")
PATH = "/v2/email/"
MAIL_PATH = b"/v2/email/outbound-emails"


class Part(msgspec.Struct, rename="pascal"):
    data: str = ""


class Body(msgspec.Struct, rename="pascal"):
    text: Part | None = None
    html: Part | None = None


class Header(msgspec.Struct, rename="pascal"):
    name: str
    value: str


class Attachment(msgspec.Struct, rename="pascal"):
    file_name: str
    raw_content: str
    content_disposition: str = "ATTACHMENT"
    content_type: str | None = None
    content_id: str | None = None


class Simple(msgspec.Struct, rename="pascal"):
    subject: Part
    body: Body
    headers: list[Header] = []
    attachments: list[Attachment] = []


class Raw(msgspec.Struct, rename="pascal"):
    data: str


class Parts(msgspec.Struct, rename="pascal"):
    """The content of a template."""

    subject: str | None = None
    text: str | None = None
    html: str | None = None


class Template(msgspec.Struct, rename="pascal"):
    template_name: str | None = None
    template_arn: str | None = None
    template_content: Parts | None = None
    template_data: str = ""
    headers: list[Header] = []
    attachments: list[Attachment] = []


class Content(msgspec.Struct, rename="pascal"):
    simple: Simple | None = None
    raw: Raw | None = None
    template: Template | None = None


class Destination(msgspec.Struct, rename="pascal"):
    to_addresses: list[str] = []
    cc_addresses: list[str] = []
    bcc_addresses: list[str] = []


class Tag(msgspec.Struct, rename="pascal"):
    name: str
    value: str


class MailCall(msgspec.Struct, rename="pascal"):
    content: Content
    from_email_address: str | None = None
    destination: Destination | None = None
    reply_to_addresses: list[str] = []
    email_tags: list[Tag] = []
    configuration_set_name: str | None = None
    tenant_name: str | None = None
    list_management_options: msgspec.Raw | None = None
    configuration_overrides: msgspec.Raw | None = None


class Operation(NamedTuple):
    name: str
    path: tuple[str, ...] = ()  #: what the address names, decoded


_PATHS: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (method, re.compile(PATH + pattern), name)
    for method, pattern, name in (
        ("POST", "outbound-emails", "SendEmail"),
        ("POST", "outbound-bulk-emails", "SendBulkEmail"),
        ("GET", "account", "GetAccount"),
        ("PUT", "suppression/addresses", "PutSuppressedDestination"),
        ("GET", "suppression/addresses", "ListSuppressedDestinations"),
        ("GET", "suppression/addresses/([^/]+)", "GetSuppressedDestination"),
        ("DELETE", "suppression/addresses/([^/]+)", "DeleteSuppressedDestination"),
        ("POST", "templates", "CreateEmailTemplate"),
        ("GET", "templates", "ListEmailTemplates"),
        ("GET", "templates/([^/]+)", "GetEmailTemplate"),
        ("PUT", "templates/([^/]+)", "UpdateEmailTemplate"),
        ("DELETE", "templates/([^/]+)", "DeleteEmailTemplate"),
        ("POST", "templates/([^/]+)/render", "TestRenderEmailTemplate"),
        ("GET", "insights/([^/]+)", "GetMessageInsights"),
    )
)
MAIL = msgspec.json.Decoder(MailCall)


def operation(method: str, path: str) -> Operation:
    """What a request asks for. `path` is as sent. Raises SesError for what the door does not have."""
    for verb, pattern, name in _PATHS:
        if method == verb and (found := pattern.fullmatch(path.rstrip("/"))) is not None:
            return Operation(name, tuple(unquote(one) for one in found.groups()))
    raise SesError("UnknownOperationException", messages.no_such_operation(""), 404)


def decoded(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    """The request's JSON. Raises SesError."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise bad_request(messages.bad_request_body(texts.harmless(str(error), 200))) from None
    except (ValueError, RecursionError) as error:
        problem = messages.bad_request_body(texts.harmless(str(error), 200))
        raise SesError("SerializationException", problem) from None


def submission(access: KnownAccess, call: MailCall) -> tuple[str, Submission]:
    """Raises SesError or MailcordonError."""
    if call.list_management_options is not None:
        raise bad_request(messages.member_not_taken("ListManagementOptions"))
    if call.configuration_overrides is not None:
        raise bad_request(messages.member_not_taken("ConfigurationOverrides"))
    content = call.content
    if (content.simple is not None) + (content.raw is not None) + (content.template is not None) != 1:
        raise bad_request(messages.one_of_members(["Simple", "Raw", "Template"]))
    if content.raw is not None:
        to = call.destination
        return mail.raw(
            access,
            base64_text.decoded([content.raw.data], "Content.Raw.Data"),
            tenant=call.tenant_name,
            set_name=call.configuration_set_name,
            tags=[(one.name, one.value) for one in call.email_tags] or None,
            sender=call.from_email_address,
            recipients=None
            if to is None
            else [*to.to_addresses, *to.cc_addresses, *to.bcc_addresses] or None,
            field="Content.Raw.Data",
        )
    given = content.simple
    if given is None:
        raise bad_request(messages.member_not_taken("Content"))
    asked = mail.asked(
        access,
        tenant=call.tenant_name,
        set_name=call.configuration_set_name,
        tags=[(one.name, one.value) for one in call.email_tags],
    )
    if call.from_email_address is None:
        raise bad_request(messages.member_missing("FromEmailAddress"))
    to = call.destination or Destination()
    text, html = given.body.text, given.body.html
    return asked.tenant, mail.simple(
        asked,
        sender=call.from_email_address,
        to=to.to_addresses,
        cc=to.cc_addresses,
        bcc=to.bcc_addresses,
        reply_to=call.reply_to_addresses,
        subject=given.subject.data,
        text=None if text is None else text.data,
        html=None if html is None else html.data,
        headers=mail.headers((one.name, one.value) for one in given.headers) if given.headers else {},
    )
