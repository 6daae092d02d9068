"""SES's API v2: the JSON of requests, and what they ask for.

Members that are not named here are left out of account, as SES does with members that it does not know.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeVar
from urllib.parse import unquote

import msgspec

from mailcordon.adapters.http import large_message
from mailcordon.adapters.http.ses_door import base64_text, mail
from mailcordon.adapters.http.ses_door.errors import SesError, bad_request
from mailcordon.control.access_keys import KnownAccess
from mailcordon.core import text as texts
from mailcordon.core.errors import parse_field
from mailcordon.core.template import SES, Reference, Rendered, Source, check_data, check_name, check_source
from mailcordon.messages import ses_door as messages
from mailcordon.send import attachments
from mailcordon.send.accept_item import LARGE
from mailcordon.send.submission import Submission
from mailcordon.send.templates import Unrendered
from mailcordon.send.texts import LongText, Text

T = TypeVar("T")
_MOST_AT_ONCE = 8 * 1024 * 1024  #: bytes of JSON that is not made of long texts
PATH = "/v2/email/"
MAIL_PATH = b"/v2/email/outbound-emails"


#: A text, or the number of a long one that was cut out of the JSON.
Cut: TypeAlias = str | int


class Part(msgspec.Struct, rename="pascal"):
    data: Cut = ""


class Body(msgspec.Struct, rename="pascal"):
    text: Part | None = None
    html: Part | None = None


class Header(msgspec.Struct, rename="pascal"):
    name: str
    value: str


class Attachment(msgspec.Struct, rename="pascal"):
    file_name: str
    raw_content: Cut
    content_disposition: str = "ATTACHMENT"
    content_type: str | None = None
    content_id: str | None = None


class Simple(msgspec.Struct, rename="pascal"):
    subject: Part
    body: Body
    headers: list[Header] = []
    attachments: list[Attachment] = []


class Raw(msgspec.Struct, rename="pascal"):
    data: Cut


class Parts(msgspec.Struct, rename="pascal"):
    """The content of a template."""

    subject: str | None = None
    text: str | None = None
    html: str | None = None


class Template(msgspec.Struct, rename="pascal"):
    template_name: str | None = None
    template_arn: str | None = None
    template_content: Parts | None = None
    template_data: Cut = ""
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


def read(raw: bytes) -> "Read":
    """A mail. Raises SesError."""
    return Read(*cut_and_decoded(MAIL, raw))


def cut_and_decoded(decoder: msgspec.json.Decoder[T], raw: bytes) -> tuple[T, Mapping[int, LongText]]:
    """The request's JSON, and the long texts that its numbers stand for. Raises SesError.

    A large one is read in slices, as large_message.py says."""
    if len(raw) <= LARGE:
        return decoded(decoder, raw), {}
    try:
        found = large_message.cut(raw)
    except ValueError:
        found = None
    if found is not None:
        return decoded(decoder, found[0]), found[1]
    if len(raw) > _MOST_AT_ONCE:
        raise SesError("SerializationException", messages.bad_request_body(messages.too_many_members()))
    return decoded(decoder, raw), {}


class Read(NamedTuple):
    """A mail as it was asked for."""

    call: MailCall
    long: Mapping[int, LongText]  #: by the numbers that stand for them

    def text(self, given: Cut) -> Text:
        """Raises SesError for a number of the caller's own."""
        if isinstance(given, str):
            return given
        found = self.long.get(given)
        if found is None:
            raise bad_request(messages.bad_request_body(messages.number_for_text()))
        return found

    def part(self, given: Part | None) -> Text | None:
        return None if given is None else self.text(given.data)


def submission(access: KnownAccess, raw: bytes) -> tuple[str, Submission | Unrendered]:
    """Raises SesError or MailcordonError."""
    read_ = read(raw)
    call = read_.call
    check(call)
    content = call.content
    to = call.destination
    if content.raw is not None:
        text = read_.text(content.raw.data)
        return mail.raw(
            access,
            base64_text.decoded(text if isinstance(text, LongText) else [text], "Content.Raw.Data"),
            tenant=call.tenant_name,
            set_name=call.configuration_set_name,
            tags=[(one.name, one.value) for one in call.email_tags] or None,
            sender=call.from_email_address,
            recipients=None
            if to is None
            else [*to.to_addresses, *to.cc_addresses, *to.bcc_addresses] or None,
            field="Content.Raw.Data",
        )
    if content.template is not None:
        data = read_.text(content.template.template_data)
        made = files(read_, content.template.attachments)
        return unrendered(access, call, content.template, "".join(data), made)
    given = content.simple
    assert given is not None, "the check above sees to it"
    subject = given.subject.data
    asked = asked_of(access, call)
    return asked.tenant, submitted(
        call,
        asked,
        parts=(
            subject if isinstance(subject, str) else "",
            read_.part(given.body.text),
            read_.part(given.body.html),
        ),
        headers=given.headers,
        attachments=files(read_, given.attachments),
    )


def unrendered(
    access: KnownAccess,
    call: MailCall,
    template: Template,
    data: str,
    made: Sequence[attachments.Given] = (),
) -> tuple[str, Unrendered]:
    """Tenant and message of a template, which is not rendered yet. Raises SesError or MailcordonError."""
    given = (template.template_name, template.template_arn, template.template_content)
    if sum(one is not None for one in given) != 1:
        raise bad_request(messages.one_of_members(["TemplateName", "TemplateArn", "TemplateContent"]))
    content = template.template_content
    if content is not None:
        source: Reference | Source = Source(
            dialect=SES, subject=content.subject or "", text=content.text, html=content.html
        )
        check_source(source)
    else:
        name = template.template_name
        if name is None:
            name = (template.template_arn or "").rpartition("template/")[2]
        source = Reference(parse_field("TemplateName", check_name, name), None)
    raw = mail.template_data(data)
    check_data(raw, "TemplateData")
    asked = asked_of(access, call)

    def finish(rendered: Rendered, label: str | None) -> Submission:
        return submitted(
            call,
            asked,
            parts=rendered,
            headers=template.headers,
            attachments=made,
            template=label,
        )

    return asked.tenant, Unrendered(type=asked.type, template=source, data=raw, finish=finish)


def templated(access: KnownAccess, read_: Read) -> tuple[str, Unrendered]:
    """An entry of SendBulkEmail. Raises SesError or MailcordonError."""
    call = read_.call
    check(call)
    template = call.content.template
    assert template is not None, "bulk.py sees to it"
    data = "".join(read_.text(template.template_data))
    return unrendered(access, call, template, data, files(read_, template.attachments))


def check(call: MailCall) -> None:
    """What can be refused before the content is looked at. Raises SesError."""
    if call.list_management_options is not None:
        raise bad_request(messages.member_not_taken("ListManagementOptions"))
    if call.configuration_overrides is not None:
        raise bad_request(messages.member_not_taken("ConfigurationOverrides"))
    content = call.content
    if (content.simple is not None) + (content.raw is not None) + (content.template is not None) != 1:
        raise bad_request(messages.one_of_members(["Simple", "Raw", "Template"]))


def files(read_: Read, given: Sequence[Attachment]) -> list[attachments.Given]:
    """Attachments as every door takes them. SES's own encodings are left out of account: a file arrives as it is."""
    return [
        attachments.Given(
            one.file_name,
            read_.text(one.raw_content),
            one.content_type,
            one.content_id,
            one.content_disposition.lower(),
        )
        for one in given
    ]


def asked_of(access: KnownAccess, call: MailCall) -> mail.Asked:
    """Raises SesError, Forbidden or Invalid."""
    return mail.asked(
        access,
        tenant=call.tenant_name,
        set_name=call.configuration_set_name,
        tags=[(one.name, one.value) for one in call.email_tags],
    )


def submitted(
    call: MailCall,
    asked: mail.Asked,
    *,
    parts: tuple[str, Text | None, Text | None],
    headers: Sequence[Header],
    attachments: Sequence[attachments.Given] = (),
    template: str | None = None,
) -> Submission:
    """The message of subject, text and HTML. Raises SesError or Invalid."""
    if call.from_email_address is None:
        raise bad_request(messages.member_missing("FromEmailAddress"))
    to = call.destination or Destination()
    subject, text, html = parts
    return mail.simple(
        asked,
        sender=call.from_email_address,
        to=to.to_addresses,
        cc=to.cc_addresses,
        bcc=to.bcc_addresses,
        reply_to=call.reply_to_addresses,
        subject=subject,
        text=text,
        html=html,
        headers=mail.headers((one.name, one.value) for one in headers) if headers else {},
        attachments=attachments,
        template=template,
    )
