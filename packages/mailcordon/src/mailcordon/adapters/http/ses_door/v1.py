"""SES's API v1: the Query protocol, a form in and XML out, and what its requests ask for."""

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias, cast
from urllib.parse import unquote_to_bytes

from mailcordon.adapters.http.message_endpoint import Reply
from mailcordon.adapters.http.ses_door import base64_text, errors, mail, v2
from mailcordon.adapters.http.ses_door.errors import SesError, bad_request
from mailcordon.control.access_keys import KnownAccess
from mailcordon.messages import ses_door as messages
from mailcordon.send.submission import Submission
from mailcordon.send.templates import Unrendered

MAX_RAW = 10 * 1024 * 1024  #: bytes of a message (ses.md 3.3)
_MOST_FIELDS = 2000
_LONG = 64 * 1024  #: bytes of a value that is decoded in slices
_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]{1,64})(?=&|$)")
_RAW = b"RawMessage.Data="

Form: TypeAlias = Mapping[str, str]


def action(*ends: bytes) -> str:
    """The operation that the beginning or the end of a form names."""
    for end in ends:
        if found := _ACTION.search(end):
            return found[1].decode()
    return ""


def read(raw: bytes) -> tuple[Form, list[bytes]]:
    """The form, and the long value of RawMessage.Data apart, in parts of base64. Raises SesError."""
    rest, long = raw, list[bytes]()
    start = 0 if raw.startswith(_RAW) else raw.find(b"&" + _RAW) + 1
    if start or raw.startswith(_RAW):
        begin = start + len(_RAW)
        end = raw.find(b"&", begin)
        end = len(raw) if end < 0 else end
        long = list(_unquoted(raw, begin, end))
        rest = raw[:start] + raw[end + 1 :]
    if rest.count(b"&") >= _MOST_FIELDS:
        raise SesError("SerializationException", messages.bad_form())
    form: dict[str, str] = {}
    try:
        for field in rest.split(b"&"):  # a third of the time of parse_qsl
            name, _, value = field.partition(b"=")
            form[_text(name)] = _text(value)
    except UnicodeDecodeError:
        raise SesError("SerializationException", messages.bad_form()) from None
    return form, long


def _text(encoded: bytes) -> str:
    if len(encoded) > _LONG:  # `unquote_to_bytes` takes a hundred bytes for each escape
        return b"".join(_unquoted(encoded, 0, len(encoded))).decode()
    if b"+" in encoded:
        encoded = encoded.replace(b"+", b" ")
    return (unquote_to_bytes(encoded) if b"%" in encoded else encoded).decode()


def _unquoted(raw: bytes, at: int, end: int) -> Iterable[bytes]:
    """Slices of a percent-encoded value, none of which ends within an escape."""
    while at < end:
        stop = min(at + _LONG, end)
        if stop < end and (escape := raw.rfind(b"%", max(at, stop - 2), stop)) >= 0:
            stop = escape
        yield unquote_to_bytes(raw[at:stop].replace(b"+", b" "))
        at = stop


def members(form: Form, name: str) -> list[str]:
    """The list that `NAME.member.1` and so on describe."""
    prefix = f"{name}.member."
    found = [(key[len(prefix) :], value) for key, value in form.items() if key.startswith(prefix)]
    return [
        value for _, value in sorted((int(n), value) for n, value in found if n.isascii() and n.isdigit())
    ]


def tags(form: Form, name: str = "Tags") -> list[tuple[str, str]]:
    prefix = f"{name}.member."
    numbers = {key[len(prefix) :].partition(".")[0] for key in form if key.startswith(prefix)}
    return [
        (form.get(f"{prefix}{number}.Name", ""), form.get(f"{prefix}{number}.Value", ""))
        for number in sorted(numbers, key=lambda n: (len(n), n))
    ]


def required(form: Form, name: str) -> str:
    """Raises SesError."""
    value = form.get(name)
    if not value:
        raise SesError("BadRequestException", messages.member_missing(name), v1="ValidationError")
    return value


def submission(access: KnownAccess, raw: bytes) -> tuple[str, Submission]:
    """Of SendEmail. Raises SesError or MailcordonError."""
    form, _ = read(raw)
    asked = mail.asked(access, tenant=None, set_name=form.get("ConfigurationSetName"), tags=tags(form))
    return asked.tenant, mail.simple(
        asked,
        sender=required(form, "Source"),
        to=members(form, "Destination.ToAddresses"),
        cc=members(form, "Destination.CcAddresses"),
        bcc=members(form, "Destination.BccAddresses"),
        reply_to=members(form, "ReplyToAddresses"),
        subject=form.get("Message.Subject.Data", ""),
        text=form.get("Message.Body.Text.Data"),
        html=form.get("Message.Body.Html.Data"),
        headers={},
    )


def templated(access: KnownAccess, raw: bytes) -> tuple[str, Unrendered]:
    """Of SendTemplatedEmail. Raises SesError or MailcordonError."""
    form, _ = read(raw)
    template = v2.Template(template_name=required(form, "Template"))
    call = v2.MailCall(
        content=v2.Content(template=template),
        from_email_address=required(form, "Source"),
        destination=v2.Destination(
            to_addresses=members(form, "Destination.ToAddresses"),
            cc_addresses=members(form, "Destination.CcAddresses"),
            bcc_addresses=members(form, "Destination.BccAddresses"),
        ),
        reply_to_addresses=members(form, "ReplyToAddresses"),
        email_tags=[v2.Tag(name, value) for name, value in tags(form)],
        configuration_set_name=form.get("ConfigurationSetName"),
    )
    return v2.unrendered(access, call, template, required(form, "TemplateData"))


def raw_submission(access: KnownAccess, raw: bytes) -> tuple[str, Submission]:
    """Of SendRawEmail. Raises SesError or MailcordonError."""
    form, parts = read(raw)
    if not parts:
        raise SesError("BadRequestException", messages.member_missing("RawMessage"), v1="ValidationError")
    data = base64_text.decoded(parts, "RawMessage.Data")
    if len(data) > MAX_RAW:
        raise bad_request(messages.raw_too_large(MAX_RAW))
    return mail.raw(
        access,
        data,
        tenant=None,
        set_name=form.get("ConfigurationSetName"),
        tags=tags(form) or None,
        sender=form.get("Source"),
        recipients=members(form, "Destinations") or None,
        field="RawMessage.Data",
    )


def answer(operation: str, members: Mapping[str, object]) -> Reply:
    """The XML of a result."""
    id = errors.new_request_id()
    body = "".join(f"<{name}>{_xml(value)}</{name}>" for name, value in members.items())
    text = (
        f'<{operation}Response xmlns="{errors.V1_NAMESPACE}"><{operation}Result>{body}</{operation}Result>'
        f"<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>"
    )
    return Reply(200, text.encode(), {"content-type": "text/xml", "x-amzn-requestid": id})


def _xml(value: object) -> str:
    if isinstance(value, list):
        items = cast("list[Mapping[str, object]]", value)
        return "".join(
            f"<member>{''.join(f'<{n}>{_xml(v)}</{n}>' for n, v in one.items())}</member>" for one in items
        )
    return errors.xml(str(value))
