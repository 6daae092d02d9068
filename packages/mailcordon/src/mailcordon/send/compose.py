"""The JSON body of a SendEmail call. The content is encoded once at accept; a call adds recipient, route and attempt.

The body is SES's JSON (ses.md 3.1), joined from pieces. A piece that is not JSON-encoded here (tags, tenant keys, names of
configuration sets) has only characters that need no escaping. SES's Simple content is used where it can say the message, else a
MIME message (docs/decisions/047). What differs from recipient to recipient is in slots.py.
"""

import base64
import functools
import operator
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from mailcordon.core import ids, tags
from mailcordon.core.address import Mailbox
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.event import Attempt
from mailcordon.core.proof import What
from mailcordon.messages import content as content_messages
from mailcordon.send import from_domain, mail_headers, mime, slots, texts
from mailcordon.send.attachments import Attachment
from mailcordon.send.mail_headers import Pairs
from mailcordon.send.slots import Encoder, Frame, Kind, Line, Slot, Unsubscribe
from mailcordon.send.submission import Submission
from mailcordon.send.texts import LongText, Text

#: Bytes of base64 in a call: of a whole message, or of its files and its texts (ses.md 3.3).
MAX_ENCODED = 40 * 1024 * 1024

_encode = msgspec.json.Encoder().encode
_MARK = msgspec.Raw(b'"\0"')  #: the place of a long value; in JSON itself this byte is always escaped
_decode = msgspec.json.Decoder(list[dict[str, str]]).decode
_name_of = operator.itemgetter(Mailbox._fields.index("name"))  # a generator costs more than the rest
_HEADERS = b',"Headers":['  #: in JSON, a quote of a text is always escaped
_RAW = b'"Content":{"Raw":{"Data":"'
_UNSUBSCRIBE = frozenset(("list-unsubscribe", "list-unsubscribe-post"))
_UNSUBSCRIBE_LINES = re.compile(
    rb"^list-unsubscribe(?:-post)?[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE
)


class _Long(NamedTuple):
    """A value that stands in the place of a mark."""

    kind: Kind = Kind.TEXT
    text: Text = ""
    data: tuple[bytes, ...] = ()  #: base64


def content(submission: Submission) -> bytes:
    """What every call for this message shares: members without the enclosing braces.

    If recipients have headers of their own, lines stand before them: the shared headers that an own one can take the place of,
    then the own headers of each recipient. A line is a list of JSON objects without its brackets. If something else differs from
    recipient to recipient, it is the form of slots.py.

    Raises Invalid if it is larger than SES takes.
    """
    if submission.raw is not None:
        return _of_raw(submission)
    if _needs_mime(submission):
        return _built(submission)
    if _needs_frame(submission):
        return _framed(submission)
    shared, replaceable = submission.headers, ()
    if submission.own_headers:
        own = {name.lower() for pairs in submission.own_headers for name, _ in pairs}
        replaceable = tuple(pair for pair in shared if pair[0].lower() in own)
        shared = tuple(pair for pair in shared if pair[0].lower() not in own)
    encoded, _ = _members(submission, shared, listed=bool(shared or submission.own_headers))
    if not submission.own_headers:
        return encoded
    lines = (_encode(_listed(pairs))[1:-1] for pairs in (replaceable, *submission.own_headers))
    return b"\n".join((*lines, encoded))


def _needs_mime(submission: Submission) -> bool:
    """Whether Simple content cannot say it: recipients who see each other, or who are not in To."""
    alone = len(submission.envelope) == len(submission.to) == 1
    return not (alone or submission.is_mailing)


def _needs_frame(submission: Submission) -> bool:
    return (
        not submission.unsubscribe
        or any(map(_name_of, submission.to))
        or texts.has_placeholder(submission.text)
        or texts.has_placeholder(submission.html)
    )


# Simple content -----------------------------------------------------------------------------------------------------------


def _members(
    submission: Submission, headers: Pairs, *, listed: bool, placeholders: bool = False
) -> tuple[bytes, list[Slot]]:
    """The members, and the slots in them. The list of headers comes last, so that a call can add to it."""
    long: list[_Long] = []
    simple: dict[str, object] = {}
    if submission.attachments:
        simple["Attachments"] = [_attachment(one) for one in submission.attachments]
        long += [_Long(data=one.data) for one in submission.attachments]
    body: dict[str, object] = {}
    for name, text in (("Text", submission.text), ("Html", submission.html)):
        if not text:
            continue
        apart = placeholders or isinstance(text, LongText)
        if apart:
            long.append(_Long(Kind.HTML if name == "Html" else Kind.TEXT, text))
        body[name] = {"Data": _MARK if apart else text, "Charset": "UTF-8"}
    simple["Subject"] = {"Data": submission.subject, "Charset": "UTF-8"}
    simple["Body"] = body
    if listed:
        simple["Headers"] = _listed(headers)
    members: dict[str, object] = {"FromEmailAddress": submission.sender.header()}
    if submission.reply_to:
        members["ReplyToAddresses"] = [mailbox.header() for mailbox in submission.reply_to]
    members["Content"] = {"Simple": simple}
    encoded = _encode(members)[1:-1]
    return _with_long(encoded, long) if long else (encoded, [])


def _attachment(file: Attachment) -> dict[str, object]:
    """SES's default encoding is seven bits, which corrupts files (ses.md 3.3)."""
    said: dict[str, object] = {
        "FileName": file.filename,
        "RawContent": _MARK,
        "ContentType": file.content_type,
        "ContentDisposition": "INLINE" if file.inline else "ATTACHMENT",
        "ContentTransferEncoding": "BASE64",
    }
    if file.content_id is not None:
        said["ContentId"] = file.content_id
    return said


def _with_long(encoded: bytes, long: Sequence[_Long]) -> tuple[bytes, list[Slot]]:
    """Puts long texts and files in the places of their marks, encoded part by part, and slots in those of placeholders."""
    first, *rest = encoded.split(b"\0")
    pieces, found = [first], list[Slot]()
    for one, after in zip(long, rest, strict=True):
        pieces += one.data
        segments, placeholders = texts.split(one.text)
        for number, segment in enumerate(segments):
            pieces += [_encode(part)[1:-1] for part in segment]
            if number < len(placeholders):
                found.append(Slot(sum(map(len, pieces)), int(one.kind), "", "", placeholders[number]))
        pieces.append(after)
    _check_size(sum(map(len, pieces)), "attachments")
    return b"".join(pieces), found


def _framed(submission: Submission) -> bytes:
    """Simple content with a display name, a placeholder, or a wish for no link of ours."""
    own = {name.lower() for pairs in submission.own_headers for name, _ in pairs} | _UNSUBSCRIBE
    replaceable = tuple([pair for pair in submission.headers if pair[0].lower() in own])
    shared = tuple([pair for pair in submission.headers if pair[0].lower() not in own])
    members, found = _members(submission, shared, listed=True, placeholders=True)
    of_each = submission.own_headers or ((),) * len(submission.to)
    lines = [
        Line(one.header() if one.name else "", list(mail_headers.merged(replaceable, pairs)), "")
        for one, pairs in zip(submission.to, of_each, strict=True)
    ]
    return slots.stored(Frame(False, len(lines), submission.unsubscribe, found), lines, [members])


def _listed(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in pairs]


# MIME ---------------------------------------------------------------------------------------------------------------------


def _built(submission: Submission) -> bytes:
    replaceable = tuple([pair for pair in submission.headers if pair[0].lower() in _UNSUBSCRIBE])
    shared = tuple([pair for pair in submission.headers if pair[0].lower() not in _UNSUBSCRIBE])
    head = mime.addresses("From", [submission.sender])
    head += _visible(submission.to, submission.cc)
    head += (
        mime.addresses("Reply-To", submission.reply_to)
        + mime.subject(submission.subject)
        + mime.lines(shared)
    )
    out = Encoder(len(_RAW))
    out.slot(Kind.HEADERS, "")
    seed = "\n".join((submission.subject, str(submission.sender), *map(str, submission.envelope)))
    mime.write(out, head, submission.text, submission.html, submission.attachments, seed)
    return _encoded(submission, out, slots.padded(mime.lines(replaceable), 0), "attachments")


def _visible(to: Sequence[Mailbox], cc: Sequence[Mailbox]) -> str:
    if not to and not cc:
        return mime.header("To", "undisclosed-recipients:;")
    return mime.addresses("To", to) + mime.addresses("Cc", cc)


def _of_raw(submission: Submission) -> bytes:
    """A message as it was handed in. What the app says of unsubscribing, and placeholders, are slots that have what they had."""
    raw = submission.raw
    assert raw is not None
    out = Encoder(len(_RAW))
    found = list(_UNSUBSCRIBE_LINES.finditer(raw.head))
    begin, end = (found[0].start(), found[-1].end()) if found else (0, 0)
    block = raw.head[begin:end].decode("latin-1")
    out.write(raw.head[:begin])
    out.slot(Kind.HEADERS, block)
    out.write(raw.head[end:])
    out.write(b"\r\n")
    body, done = memoryview(raw.body), 0
    for place in raw.places:
        out.write(body[done : place.start])
        if place.quoted_printable:
            kind = Kind.QUOTED_HTML if place.html else Kind.QUOTED_TEXT
        else:
            kind = Kind.HTML if place.html else Kind.TEXT
        out.slot(kind, bytes(body[place.start : place.end]).decode("latin-1"))
        done = place.end
    out.write(body[done:])
    return _encoded(submission, out, block, "raw")


def _encoded(submission: Submission, out: Encoder, block: str, field: str) -> bytes:
    out.end()
    _check_size(out.size, field)
    frame = Frame(True, 1, submission.unsubscribe, out.slots)
    return slots.stored(frame, [Line("", [], block)], (_RAW, *out.pieces, b'"}}'))


def _check_size(size: int, field: str) -> None:
    if size > MAX_ENCODED:
        raise Invalid(Fault(field, content_messages.too_large_for_ses(MAX_ENCODED, size), "too-large"))


# Our own mail -------------------------------------------------------------------------------------------------------------


def canary_content(domain: str) -> bytes:
    """The content of a canary. Its Send event proves that events of this route arrive."""
    members = {
        "FromEmailAddress": f"canary@{domain}",
        "Content": {
            "Simple": {
                "Subject": {"Data": "Mailcordon canary"},
                "Body": {"Text": {"Data": "Shows that this route is alive and that its events come back."}},
            }
        },
    }
    return _encode(members)[1:-1]


def canary_recipient(delivery: str) -> str:
    """An address of SES's simulator with the delivery as label. Such mail counts for no quota, rate or reputation (ses.md 9)."""
    return f"success+{delivery}@simulator.amazonses.com"


def proof_content(domain: str, what: What) -> bytes:
    """The content of a mail of a proof. SES rejects a mail with the EICAR test file, which is no virus (ses.md 9)."""
    simple: dict[str, object] = {
        "Subject": {"Data": "Mailcordon proof of attribution"},
        "Body": {"Text": {"Data": "Shows that the events of this lane's mail come back to it."}},
    }
    if what is What.REJECT:
        simple["Attachments"] = [
            {
                "FileName": "eicar.txt",
                "RawContent": base64.b64encode("".join(_EICAR).encode()).decode(),
                "ContentType": "text/plain",
            }
        ]
    return _encode({"FromEmailAddress": f"canary@{domain}", "Content": {"Simple": simple}})[1:-1]


def proof_recipient(delivery: str, what: What) -> str:
    """The simulator's address for what is to happen. A rejected mail never gets so far, and has the one of success."""
    local = What.SUCCESS if what is What.REJECT else what
    return f"{local}+{delivery}@simulator.amazonses.com"


#: In parts, so that virus scanners do not take this file for one.
_EICAR = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE", "!$H+H*")


# The call -----------------------------------------------------------------------------------------------------------------


def call(
    content: bytes,
    *,
    to: str,
    ses_tenant: str,
    configuration_set: str,
    key: bytes,
    attempt: Attempt,
    unsubscribe: Unsubscribe | None = None,
    domain: str | None = None,
) -> bytes:
    """One recipient's SendEmail body, with tenant, configuration set and tags (architecture, invariant 1).

    `domain`: that of the path, which From gets; None: From is as it was accepted.

    `unsubscribe` fills the app's placeholders, and its headers are added if the recipient has no one-click link of the app's own;
    nothing of it if the app forbids it.
    """
    members: Sequence[bytes | memoryview] = (content,)
    first = content[:1]
    if first == b"[":
        to, members = _of_frame(content, to, ids.recipient_of(attempt.delivery), unsubscribe)
    elif first in (b"{", b"\n"):
        members = (_of_recipient(content, ids.recipient_of(attempt.delivery)),)
    if unsubscribe is not None and unsubscribe.headers and first != b"[":
        members = (_with_link(bytes(members[0]), unsubscribe),)
    if domain is not None:
        members = from_domain.changed(members, domain)
    delivery, value = tags.attempt_values(key, attempt)
    frame = _frame(ses_tenant, configuration_set, attempt.installation, attempt.tenant_key, attempt.type)
    head = (
        f'{{"Destination":{{"ToAddresses":[{_encode(to).decode()}]}},{frame},{{"Name":"{tags.DELIVERY}","Value":"{delivery}"}},'
        f'{{"Name":"{tags.ATTEMPT}","Value":"{value}"}}],'
    )
    return b"".join((head.encode(), *members, b"}"))


def shown(content: bytes, to: str, number: int) -> tuple[str, bytes]:
    """Whom the mail of the recipient of this number shows in To, and its members without braces: what `call` sends, with the
    app's placeholders in the place of links. `to`: the recipient's address."""
    if content[:1] == b"[":
        to, members = _of_frame(content, to, number, None)
        return to, b"".join(members)
    return to, _of_recipient(content, number) if content[:1] in (b"{", b"\n") else content


def _of_frame(
    content: bytes, to: str, number: int, unsubscribe: Unsubscribe | None
) -> tuple[str, Sequence[bytes | memoryview]]:
    filled = slots.fill(content, number, unsubscribe)
    if filled.headers:
        *before, last = filled.members
        open_list = last[:-3]
        comma = b"" if open_list[-1:] == b"[" else b","
        return filled.to or to, (*before, open_list, comma, _encode(_listed(filled.headers))[1:-1], b"]}}")
    return filled.to or to, filled.members


def wants_link(content: bytes, number: int, *, one_click: bool) -> bool:
    """Whether this recipient's mail needs a link of ours: for a placeholder, or because its class needs one click and the app
    brings no such link. `one_click`: whether the class does."""
    first = content[:1]
    if first == b"[":
        return slots.wants_link(content) or (one_click and not slots.has_link(content, number))
    if not one_click:
        return False
    members = _of_recipient(content, number) if first in (b"{", b"\n") else content
    return mail_headers.one_click_link(_own_headers(members)) is None


def _own_headers(members: bytes) -> Pairs:
    at = members.rfind(_HEADERS)
    headers = _decode(members[at + len(_HEADERS) - 1 : -2]) if at >= 0 else []
    return tuple([(one["Name"], one["Value"]) for one in headers])


def _with_link(members: bytes, unsubscribe: Unsubscribe) -> bytes:
    """The members with a link of ours, unless their headers have one of the app's own."""
    at = members.rfind(_HEADERS)
    own = _own_headers(members)
    if mail_headers.one_click_link(own) is not None:
        return members
    listed = _encode(_listed(mail_headers.merged(own, unsubscribe.headers)))
    return b"".join((members[: at if at >= 0 else -2], _HEADERS[:-1], listed, b"}}"))


def _of_recipient(stored: bytes, number: int) -> bytes:
    """The members for one recipient: the content ends with the list of headers that all have, and it gets the others."""
    before, _, content = stored.rpartition(b"\n")
    replaceable, own = (lines := before.split(b"\n"))[0], lines[number]
    if replaceable and own:
        names = {one["Name"].lower() for one in _decode(b"[%b]" % own)}
        kept = [one for one in _decode(b"[%b]" % replaceable) if one["Name"].lower() not in names]
        replaceable = _encode(kept)[1:-1]
    added = [pairs for pairs in (replaceable, own) if pairs]
    open_list = content.removesuffix(b"]}}")
    if added and not open_list.endswith(b"["):
        open_list += b","
    return open_list + b",".join(added) + b"]}}"


@functools.lru_cache(maxsize=10_000)
def _frame(ses_tenant: str, configuration_set: str, installation: str, tenant_key: str, type: str) -> str:
    """What all calls of a lane share. The list of tags is left open for the two that differ."""
    pairs = {
        tags.INSTALLATION: installation,
        tags.TENANT: tenant_key,
        tags.TYPE: type,
        # Feedback-ID, as Gmail's Postmaster Tools group by it (ses.md 4.4): the type, then the tenant.
        "ses:feedback-id-a": type,
        "ses:feedback-id-b": tenant_key,
    }
    listed = ",".join(f'{{"Name":"{name}","Value":"{value}"}}' for name, value in pairs.items())
    return f'"TenantName":"{ses_tenant}","ConfigurationSetName":"{configuration_set}","EmailTags":[{listed}'
