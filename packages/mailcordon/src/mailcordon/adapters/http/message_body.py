"""The JSON of a message as POST takes it, and its checks."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from mailcordon.adapters.http.shapes import Time
from mailcordon.core.errors import Fault, Invalid, parse_into
from mailcordon.core.template import Rendered, check_data, parse_reference
from mailcordon.messages import api, content, templates
from mailcordon.send import attachments, own_tags, raw_mail, scheduling, submission
from mailcordon.send.attachments import Given
from mailcordon.send.submission import Named, Submission
from mailcordon.send.templates import Unrendered
from mailcordon.send.texts import Text


class Person(msgspec.Struct, forbid_unknown_fields=True):
    """An address, with the name that is shown beside it."""

    address: str
    name: str = ""


class Recipient(msgspec.Struct, forbid_unknown_fields=True):
    """A recipient. With headers of their own it is a mailing: each takes the place of the message's header with its name."""

    address: str
    name: str = ""
    headers: dict[str, str] = {}


class AttachmentBody(msgspec.Struct, forbid_unknown_fields=True):
    """A file. With a content_id it is shown in the HTML, as `<img src="cid:...">`, unless its disposition is attachment."""

    filename: str
    content: str  #: base64
    content_type: str | None = None  #: by default, what the ending of the name says
    content_id: str | None = None
    disposition: str | None = None  #: attachment or inline


Persons = str | Person | list[str | Person]


class SendBody(msgspec.Struct, forbid_unknown_fields=True):
    """A message to send: one delivery to each recipient in `to`, `cc` and `bcc`."""

    type: str
    from_: str | Person | None = msgspec.field(name="from", default=None)
    to: str | Recipient | list[str | Recipient] | None = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    tenant: str | None = None
    reply_to: Persons | None = None
    headers: dict[str, str] = {}
    campaign: str | None = None
    list_: str | None = msgspec.field(name="list", default=None)
    cc: Persons | None = None
    bcc: Persons | None = None
    attachments: list[AttachmentBody] = []
    individually: bool = False  #: each recipient sees only themselves
    unsubscribe: bool = True  #: whether an unsubscribe link may be added
    raw: str | None = None  #: a whole MIME message in base64, in place of the content above
    template: str | None = (
        None  #: in place of subject, text and html: its name, maybe with a version, as in receipt@3
    )
    data: dict[str, Any] | None = None  #: of the template
    tags: dict[str, str] = {}  #: the app's own; kept and shown, never sent
    send_at: Time | None = None  #: any distance from UTC; at most 30 days ahead
    idempotency_key: str | None = None  #: of a message in a batch; a single one has the header


class Long(NamedTuple):
    """The fields of a message that may be long, apart from the others."""

    text: Text | None
    html: Text | None
    raw: Text | None = None
    contents: Sequence[Text] = ()  #: of the attachments


def is_flat(body: SendBody) -> bool:
    """Whether the JSON of this message has no object in it."""
    return (
        not body.headers
        and not body.tags
        and not body.attachments
        and (type(body.to) is str or _are_texts(body.to))
        and type(body.from_) is str
        and body.data is None
        and body.cc is None
        and body.bcc is None
        and (body.reply_to is None or type(body.reply_to) is str or _are_texts(body.reply_to))
    )


def _are_texts(given: object) -> bool:
    return isinstance(given, list) and set(map(type, cast("list[object]", given))) <= {str}


def long_of(body: SendBody) -> Long:
    contents = [one.content for one in body.attachments] if body.attachments else ()
    return Long(body.text, body.html, body.raw, contents)


def checked(body: SendBody, long: Long) -> Submission | Unrendered:
    """The message, or with a template what it is made of. Raises Invalid."""
    if long.raw is not None:
        return _checked_raw(body, long.raw)
    if body.template is not None or body.data is not None:
        return _unrendered(body, long)
    return _checked(body, long)


def _unrendered(body: SendBody, long: Long) -> Unrendered:
    """The other fields are checked once the template is rendered."""
    faults = [
        Fault(field, templates.not_beside_template())
        for field, value in (("subject", body.subject), ("text", long.text), ("html", long.html))
        if value is not None
    ]
    reference = None
    if body.template is None:
        faults.append(Fault("template", templates.data_without_template()))
    else:
        reference = parse_into(faults, "template", parse_reference, body.template)
    if faults or reference is None:
        raise Invalid(*faults)
    data = msgspec.json.encode(body.data or {})
    check_data(data)

    def finish(content: Rendered, label: str | None) -> Submission:
        made = msgspec.structs.replace(body, subject=content.subject, template=label)
        return _checked(made, long._replace(text=content.text, html=content.html))

    return Unrendered(type=body.type, template=reference, data=data, finish=finish)


def _checked(body: SendBody, long: Long) -> Submission:
    if body.from_ is None or body.subject is None or body.to is None:
        _require_fields(body)
    if body.tags or body.send_at is not None:
        return _with_tags_and_time(body, functools.partial(_checked_content, body, long))
    return _checked_content(body, long)


def _checked_content(
    body: SendBody, long: Long, tags: own_tags.Tags = (), send_at: int | None = None
) -> Submission:
    to, own_headers = _recipients(body.to)
    return submission.check(
        type=body.type,
        sender=_person(body.from_ or ""),
        to=to,
        cc=() if body.cc is None else _persons(body.cc),
        bcc=() if body.bcc is None else _persons(body.bcc),
        subject=body.subject or "",
        text=long.text,
        html=long.html,
        reply_to=() if body.reply_to is None else _persons(body.reply_to),
        headers=body.headers,
        own_headers=own_headers,
        campaign=body.campaign,
        list=body.list_,
        attachments=_files(body, long) if body.attachments else (),
        individually=body.individually,
        unsubscribe=body.unsubscribe,
        template=body.template,
        tags=tags,
        send_at=send_at,
    )


def _require_fields(body: SendBody) -> None:
    needed: dict[str, object] = {"from": body.from_, "to": body.to, "subject": body.subject}
    if body.cc is not None or body.bcc is not None:
        del needed["to"]
    if missing := [Fault(field, api.field_required()) for field, value in needed.items() if value is None]:
        raise Invalid(*missing)


def _files(body: SendBody, long: Long) -> list[Given]:
    return [
        Given(one.filename, content, one.content_type, one.content_id, one.disposition)
        for one, content in zip(body.attachments, long.contents, strict=True)
    ]


def _with_tags_and_time(
    body: SendBody, check: Callable[[own_tags.Tags, int | None], Submission]
) -> Submission:
    """What `check` makes with the message's own tags and its time. Their faults are reported with all others."""
    if not body.tags and body.send_at is None:
        return check((), None)
    faults: list[Fault] = []
    tags = own_tags.check(body.tags, faults)
    send_at = None
    try:
        send_at = None if body.send_at is None else scheduling.parse(body.send_at)
    except Invalid as not_a_time:
        faults += not_a_time.faults
    try:
        checked = check(tags, send_at)
    except Invalid as others:
        raise Invalid(*others.faults, *faults) from None
    if faults:
        raise Invalid(*faults)
    return checked


def _checked_raw(body: SendBody, encoded: Text) -> Submission:
    """A whole message. Its envelope is `to`, `cc` and `bcc` if one of them is given, else what its headers say."""
    beside = {
        "subject": body.subject is not None,
        "text": body.text is not None,
        "html": body.html is not None,
        "reply_to": body.reply_to is not None,
        "headers": bool(body.headers),
        "attachments": bool(body.attachments),
        "individually": body.individually,
        "template": body.template is not None,
        "data": body.data is not None,
    }
    to, own_headers = _recipients(body.to)
    beside["to"] = any(own_headers)
    if faults := [Fault(field, content.not_beside_raw()) for field, is_given in beside.items() if is_given]:
        raise Invalid(*faults)
    try:
        raw = attachments.octets(encoded)
    except ValueError:
        raise Invalid(Fault("raw", content.not_base64())) from None
    envelope = [*to, *_persons(body.cc), *_persons(body.bcc)]
    sender = None if body.from_ is None else _person(body.from_)
    check = functools.partial(
        raw_mail.check,
        raw,
        type=body.type,
        recipients=[_bare(one) for one in envelope]
        if (body.to, body.cc, body.bcc) != (None, None, None)
        else None,
        sender=sender if sender is None else _bare(sender),
        campaign=body.campaign,
        list=body.list_,
        unsubscribe=body.unsubscribe,
    )
    return _with_tags_and_time(body, lambda tags, send_at: check(tags=tags, send_at=send_at))


def _recipients(
    to: str | Recipient | list[str | Recipient] | None,
) -> tuple[list[str | Named], list[dict[str, str] | None]]:
    """The recipients, and the headers of each; none at all if nobody has own ones."""
    if isinstance(to, str):
        return [to], []
    if to is None:
        return [], []
    if isinstance(to, Recipient):
        to = [to]
    elif _are_texts(to):
        return cast("list[str | Named]", to), []
    return (
        [one if isinstance(one, str) else _named(one) for one in to],
        [None if isinstance(one, str) else one.headers for one in to],
    )


def _persons(given: Persons | None) -> list[str | Named]:
    if given is None:
        return []
    return [_person(one) for one in (given if isinstance(given, list) else [given])]


def _person(given: str | Person) -> str | Named:
    return given if isinstance(given, str) else _named(given)


def _named(given: Person | Recipient) -> str | Named:
    return Named(given.name, given.address) if given.name else given.address


def _bare(given: str | Named) -> str:
    return given if isinstance(given, str) else given.address
