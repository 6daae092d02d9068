"""Checks a whole MIME message that an app hands in, by any door.

Its bytes are kept, but for headers that are not the app's to set: these are removed and named (raw_head.py). What SES would
refuse is refused here, with the place. From is one mailbox, read strictly, in the lane's domain (resolve.py); Sender may stand
beside it in the same domain. Date and Message-ID stay in the message, and SES replaces them (ses.md 3.3).

Pure. A large message takes milliseconds and is checked in a thread (intake). No call here keeps the interpreter's lock for more
than about a millisecond (docs/decisions/026).
"""

import re
from collections.abc import Sequence

from mailcordon.core import address, address_list, encoded_words, names
from mailcordon.core import text as texts
from mailcordon.core.address import Address, Mailbox
from mailcordon.core.errors import Fault, Invalid, parse_into
from mailcordon.core.ids import MAX_RECIPIENTS
from mailcordon.messages import content, mail
from mailcordon.messages import raw_mail as messages
from mailcordon.send import attachments, mail_headers, mime_parts, raw_head
from mailcordon.send.raw_head import Head
from mailcordon.send.submission import MAX_REPLY_TO, Place, Raw, Submission
from mailcordon.send.texts import MAX_PLACEHOLDERS, PLACEHOLDERS, QUOTED_PLACEHOLDER

MAX_BYTES = 30 * 1024 * 1024  #: SES takes 40 MB after base64 (ses.md 3.3)
SLOW = (
    32 * 1024
)  #: bytes of a message that is checked in a thread: a hostile one of this size takes some milliseconds
LONGEST_SENDER = 4096  #: characters of From or Sender, whose names may be encoded
LONGEST_REPLY_TO = 16 * 1024

#: Headers that SES takes once only, as its developer guide lists them (ses.md 3.3).
_ONCE = frozenset(
    (
        *(
            "accept-language",
            "archived-at",
            "auto-submitted",
            "bounces-to",
            "comments",
            "content-alternative",
        ),
        *("content-base", "content-class", "content-description", "content-disposition", "content-duration"),
        *("content-id", "content-language", "content-length", "content-location", "content-md5"),
        *(
            "content-transfer-encoding",
            "content-type",
            "date",
            "errors-to",
            "from",
            "importance",
            "in-reply-to",
        ),
        *("keywords", "list-archive", "list-help", "list-id", "list-owner", "list-post", "list-subscribe"),
        *("list-unsubscribe", "list-unsubscribe-post", "message-context", "message-id", "mime-version"),
        *("organization", "original-from", "original-message-id", "original-recipient", "original-subject"),
        *("precedence", "priority", "references", "reply-to", "return-receipt-to", "sender", "sensitivity"),
        *("solicitation", "subject", "thread-index", "thread-topic", "user-agent", "vbr-info"),
    )
)
_RECIPIENTS = ("to", "cc", "bcc")
_PLACEHOLDER = re.compile(b"|".join(re.escape(one.encode()) for one in PLACEHOLDERS))
_QUOTED_PLACEHOLDER = re.compile(QUOTED_PLACEHOLDER.pattern.encode())
_LONGEST_PLACEHOLDER = 6 * max(map(len, PLACEHOLDERS))  #: bytes


def header_values(raw: bytes, *names: str) -> dict[str, list[str]]:
    """The values of these headers by name in lower case, in one line each: for what a door must know before `check`, such as
    X-Mailcordon-Type or Message-ID. Empty lists if the message has none, or cannot be read; `check` says why. Characters that a
    header may not have are escaped: a value with them is none that anybody knows, but it is there."""
    values: dict[str, list[str]] = {name.lower(): [] for name in names}
    try:
        for field in raw_head.read(raw).fields:
            if field.lower in values:
                values[field.lower].append(_readable(field))
    except ValueError:
        return {name: [] for name in values}
    return values


def _readable(field: raw_head.Field) -> str:
    try:
        return field.text()
    except ValueError:
        return ascii(field.value.decode("latin-1").strip())[1:-1]


def check(
    raw: bytes,
    *,
    type: str,
    recipients: Sequence[str] | None = None,
    sender: str | None = None,
    campaign: str | None = None,
    list: str | None = None,
    tags: tuple[tuple[str, str], ...] = (),
    send_at: int | None = None,
    unsubscribe: bool = True,
    field: str = "raw",
) -> Submission:
    """Returns what is sent. Raises Invalid with a fault for each thing that is wrong; `field` is what the caller calls it.

    `recipients` is the envelope, with or without names; None takes it from To, Cc and Bcc. `sender` is a sender that the caller
    named beside the message; it must be in the domain of From. `tags` and `send_at` have been checked.
    """
    if len(raw) > MAX_BYTES:
        raise Invalid(Fault(field, messages.too_large(MAX_BYTES), "too-large"))
    try:
        head = raw_head.read(raw)
        mime_parts.check_lines(raw)
    except ValueError as problem:
        raise Invalid(Fault(field, str(problem))) from None
    faults: list_[Fault] = []
    values = _values(head, field, faults)
    if faults:
        raise Invalid(*faults)
    from_ = _from(values, field, faults)
    if from_ is not None:
        _sender(values, from_, sender, field, faults)
    _reply_to(values, field, faults)
    subject = _subject(values, field, faults)
    envelope = (
        _named_recipients(values, field, faults) if recipients is None else _envelope(recipients, faults)
    )
    pairs = _unsubscribe(head, len(envelope), field, faults)
    places: tuple[Place, ...] = ()
    try:
        parts = mime_parts.read(raw, head.end, mime_parts.head_of(values))
    except ValueError as problem:
        faults.append(Fault(field, str(problem)))
    else:
        _files(parts, field, faults)
        places = _places(raw, head.end, parts)
        if len(places) > MAX_PLACEHOLDERS:
            faults.append(Fault(field, content.too_many_placeholders(MAX_PLACEHOLDERS)))
    if campaign is not None:
        parse_into(faults, "campaign", names.campaign, campaign)
    if list is not None:
        parse_into(faults, "list", names.list_, list)
    if faults or from_ is None:
        raise Invalid(*faults)
    return Submission(
        type=type,
        sender=from_,
        envelope=envelope,
        subject=subject,
        text=None,
        html=None,
        reply_to=(),
        headers=pairs,
        campaign=campaign,
        list=list,
        to=_shown(values.get("to", "")),
        cc=_shown(values.get("cc", "")),
        raw=Raw(raw_head.kept(head), memoryview(raw)[head.end :], places),
        tags=tags,
        send_at=send_at,
        unsubscribe=unsubscribe,
        removed=raw_head.removed_names(head),
    )


list_ = list  # `list` is a field of the API above


def _values(head: Head, field: str, faults: list_[Fault]) -> dict[str, str]:
    """The values by name in lower case, of repeated ones joined as addresses are; of all but the removed headers and Bcc."""
    found: dict[str, str] = {}
    for one in head.fields:
        if one.is_removed and one.lower != "bcc":
            continue
        where = f"{field}.{one.name[: mail_headers.LONGEST_NAME]}"
        try:
            value = one.text()
        except ValueError as problem:
            faults.append(Fault(where, str(problem)))
            continue
        if one.lower in _ONCE and one.lower in found:
            faults.append(Fault(where, messages.header_repeated()))
        elif encoded_words.hide_line_break(value):
            faults.append(Fault(where, mail.has_encoded_line_break(), "header-injection"))
        found[one.lower] = f"{found[one.lower]}, {value}" if one.lower in found else value
    return found


def _from(values: dict[str, str], field: str, faults: list_[Fault]) -> Mailbox | None:
    where = f"{field}.From"
    if "from" not in values:
        faults.append(Fault(where, messages.header_missing()))
        return None
    mailboxes = _mailboxes(where, values["from"], faults, LONGEST_SENDER)
    if mailboxes is not None and len(mailboxes) != 1:
        faults.append(Fault(where, messages.not_one_address()))
    return mailboxes[0] if mailboxes else None


def _sender(
    values: dict[str, str], from_: Mailbox, beside: str | None, field: str, faults: list_[Fault]
) -> None:
    """Sender, and the one that came beside the message: both name who is responsible for it, as From does."""
    own = from_.address.domain
    for where, value in ((f"{field}.Sender", values.get("sender")), ("from", beside)):
        if value is None:
            continue
        mailboxes = _mailboxes(where, value, faults, LONGEST_SENDER)
        if mailboxes is None:
            continue
        if len(mailboxes) != 1:
            faults.append(Fault(where, messages.not_one_address()))
        elif (given := mailboxes[0].address.domain) != own:
            faults.append(Fault(where, messages.sender_elsewhere(own, given), "foreign-domain"))


def _reply_to(values: dict[str, str], field: str, faults: list_[Fault]) -> None:
    if "reply-to" in values:
        mailboxes = _mailboxes(f"{field}.Reply-To", values["reply-to"], faults, LONGEST_REPLY_TO)
        if mailboxes is not None and len(mailboxes) > MAX_REPLY_TO:
            faults.append(Fault(f"{field}.Reply-To", mail.too_many_addresses(MAX_REPLY_TO)))


def _mailboxes(where: str, value: str, faults: list_[Fault], longest: int) -> list_[Mailbox] | None:
    """None if one of them cannot be taken."""
    if len(value) > longest:
        faults.append(Fault(where, mail.header_value_too_long(longest)))
        return None
    try:
        found = [_mailbox(one) for one in address_list.parse(value, MAX_REPLY_TO + 1)]
    except ValueError as problem:
        faults.append(Fault(where, str(problem), "bad-address"))
        return None
    return found


def _mailbox(entry: address_list.Entry) -> Mailbox:
    if "=?" in entry.name:
        raise ValueError(messages.word_unreadable())
    return address.make_mailbox(entry.name, entry.address)


def _subject(values: dict[str, str], field: str, faults: list_[Fault]) -> str:
    subject = encoded_words.decode(values.get("subject", ""))
    if texts.has_disguise(subject):
        faults.append(Fault(f"{field}.Subject", mail.has_hidden_letters()))
    return subject


def _named_recipients(values: dict[str, str], field: str, faults: list_[Fault]) -> tuple[Address, ...]:
    found: dict[str, Address] = {}
    before = len(faults)
    for name in _RECIPIENTS:
        if name not in values:
            continue
        try:
            for entry in address_list.parse(values[name], MAX_RECIPIENTS + 1):
                one = address.parse(entry.address)
                found.setdefault(str(one).lower(), one)
        except ValueError as problem:
            faults.append(Fault(f"{field}.{name.title()}", str(problem), "bad-address"))
    if not found and len(faults) == before:
        faults.append(Fault(field, messages.no_recipients()))
    elif len(found) > MAX_RECIPIENTS:
        faults.append(Fault(field, mail.bad_recipient_count(MAX_RECIPIENTS)))
    return tuple(found.values())


def _shown(value: str) -> tuple[Mailbox, ...]:
    """Whom a header shows; nobody if it cannot be read. The envelope says who gets the mail."""
    try:
        return tuple(_mailbox(one) for one in address_list.parse(value, MAX_RECIPIENTS + 1)) if value else ()
    except ValueError:
        return ()


def _envelope(recipients: Sequence[str], faults: list_[Fault]) -> tuple[Address, ...]:
    found: dict[str, Address] = {}
    if not 1 <= len(recipients) <= MAX_RECIPIENTS:
        faults.append(Fault("to", mail.bad_recipient_count(MAX_RECIPIENTS)))
        return ()
    for place, text in enumerate(recipients):
        try:
            one = address.parse(text) if "<" not in text else _only(text)
        except ValueError as problem:
            faults.append(Fault(f"to[{place}]", str(problem), "bad-address"))
            continue
        found.setdefault(str(one).lower(), one)
    return tuple(found.values())


def _only(text: str) -> Address:
    if len(text) > 2 * address.LONGEST_MAILBOX:  # a name may be encoded
        raise ValueError(mail.mailbox_too_long(address.LONGEST_MAILBOX))
    entries = address_list.parse(text, 2)
    if len(entries) != 1:
        raise ValueError(mail.not_one_mailbox())
    return address.parse(entries[0].address)


def _unsubscribe(head: Head, recipients: int, field: str, faults: list_[Fault]) -> mail_headers.Pairs:
    """The app's own unsubscribe headers, which resolution asks for; one link must not stand for several recipients (RFC 8058)."""
    pairs = tuple(
        (one.name, one.text())
        for one in head.fields
        if one.lower in ("list-unsubscribe", "list-unsubscribe-post")
    )
    if recipients > 1 and mail_headers.one_click_link(pairs) is not None:
        where = f"{field}.{mail_headers.UNSUBSCRIBE}"
        faults.append(Fault(where, mail.unsubscribe_shared(), "unsubscribe-shared"))
    return pairs


def _files(parts: mime_parts.Parts, field: str, faults: list_[Fault]) -> None:
    """SES refuses files by their names, and says so only after the mail was accepted here."""
    for name in parts.names:
        if (ending := attachments.refused_ending(name)) is not None:
            faults.append(
                Fault(field, messages.refused_file(texts.harmless(name, 80), ending), "refused-file-type")
            )


def _places(raw: bytes, body: int, parts: mime_parts.Parts) -> tuple[Place, ...]:
    """Where the parts have the placeholder of the unsubscribe link. In quoted-printable, a soft line break may be inside it."""
    found: list_[Place] = []
    for part in parts.readable:
        wanted = _QUOTED_PLACEHOLDER if part.is_quoted else _PLACEHOLDER
        for one in mime_parts.find(raw, part, wanted, _LONGEST_PLACEHOLDER):
            found.append(Place(one.start() - body, one.end() - body, part.is_quoted, part.is_html))
            if len(found) > MAX_PLACEHOLDERS:  # that is refused
                return tuple(found)
    return tuple(found)
