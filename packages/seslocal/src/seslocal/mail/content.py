"""Reads the content of a call that sends: addresses, headers, tags, sizes. Simple and Raw content both become a Letter, and what
SES rejects in them raises a BadRequestException here. `address`, `headers` and `multipart` have the grammar, `refusals` the texts
and their sources. Pure.

`read_message` reads raw mail of SES v2, of SES v1 and of SMTP."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from seslocal.errors import bad_request
from seslocal.mail import headers, multipart, refusals
from seslocal.mail.address import Mailbox, mailbox, mailboxes
from seslocal.mail.refusals import MOST_LINE
from seslocal.state.settings import Behaviour
from seslocal.wire.params import Params

if TYPE_CHECKING:
    from seslocal.state.contacts import ManagedMail


MOST_RECIPIENTS: Final = 50
MOST_BYTES: Final = 40 * 1024 * 1024  # of the message after base64
_EICAR: Final = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
_EICAR_BASE64: Final = b"WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JEVJQ0FS"
_TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_OWN_TAGS: Final = ("ses:feedback-id-a", "ses:feedback-id-b")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_REFUSED_HEADERS: Final = frozenset(
    {
        "bcc",
        "cc",
        "content-disposition",
        "content-type",
        "date",
        "from",
        "message-id",
        "mime-version",
        "reply-to",
        "return-path",
        "subject",
        "to",
    }
)
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
#: headers of raw mail that name the identity whose owner lets us send (sending authorization)
_ARNS: Final = ("x-ses-source-arn", "x-ses-from-arn", "x-ses-return-path-arn")


@dataclass(slots=True)
class Letter:
    """One message as SES parses it."""

    source: str  #: From, as given
    senders: tuple[str, ...]  #: bare addresses that identities must cover, in lower case
    recipients: tuple[str, ...]  #: bare addresses of the envelope
    subject: str
    headers: list[dict[str, str]]
    common: Params  #: commonHeaders, without messageId
    size: int  #: bytes
    infected: bool  #: contains the EICAR test file
    tags: dict[str, list[str]]
    #: from X-SES-* headers in Raw; a parameter of the call takes precedence
    tenant: str | None = None
    configuration_set: str | None = None
    #: the template, and why it could not be rendered: the mail is accepted and not delivered
    broken: tuple[str, str] | None = None
    arns: tuple[str, ...] = ()  #: identities that X-SES-*-ARN headers in Raw name
    list_management: str | None = None  #: from X-SES-LIST-MANAGEMENT-OPTIONS in Raw
    managed: ManagedMail | None = None  #: set if it goes to a contact of a list
    opted_out: tuple[str, ...] = ()  #: recipients who unsubscribed
    tracking: Params | None = None  #: the call's own settings for opens and clicks, before those of its set


def read_letter(params: Params, behaviour: Behaviour) -> Letter:
    """Reads a call whose Content is Simple or Raw (a Template is rendered before). Raises ApiError."""
    content: Params = params["Content"]
    if sum(kind in content for kind in ("Simple", "Raw", "Template")) != 1:
        raise bad_request("Content must hold exactly one of Simple, Raw and Template.")
    if "Raw" in content:
        given: Params = params.get("Destination", {})
        letter = read_message(
            content["Raw"]["Data"],
            behaviour,
            sender=params.get("FromEmailAddress"),
            recipients=[one for group in _GROUPS for one in given.get(group, ())],
            others=_feedback(params) + params.get("ReplyToAddresses", []),
        )
    else:
        letter = _simple(params, content["Simple"], behaviour)
        _check_whole(letter)
    if "ConfigurationOverrides" in params:
        letter.tracking = params["ConfigurationOverrides"].get("Tracking")
    if "EmailTags" in params:
        letter.tags = read_tags([(tag["Name"], tag["Value"]) for tag in params["EmailTags"]])
    return letter


def _check_whole(letter: Letter, *, is_encoded: bool = False) -> None:
    if not letter.recipients:
        raise refusals.MISSING_HEADER.error(name="To")
    if len(letter.recipients) > MOST_RECIPIENTS:
        raise bad_request(f"Recipient count exceeds {MOST_RECIPIENTS}.")
    size = letter.size if is_encoded else letter.size * 4 // 3
    if size > MOST_BYTES:
        raise bad_request(f"Message length is more than {MOST_BYTES} bytes long: '{size}'.")


_GROUPS: Final = ("ToAddresses", "CcAddresses", "BccAddresses")


def _feedback(params: Params) -> list[str]:
    address: str | None = params.get("FeedbackForwardingEmailAddress")
    return [] if address is None else [address]


def read_address(name: str, text: str, behaviour: Behaviour) -> str:
    """Returns the address in a parameter of a call; `name` is the header that it becomes. Raises ApiError."""
    headers.check_words(name, text, behaviour)
    return _named(mailbox(text), text, behaviour)


def _named(read: Mailbox, text: str, behaviour: Behaviour) -> str:
    if not read.name.isascii() and behaviour.refuse_bare_names:
        raise refusals.NAME_BEYOND_ASCII.error(address=text)
    return read.address


def read_tags(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = {}
    for name, value in pairs:
        if not _TAG.fullmatch(name) and name not in _OWN_TAGS:
            raise bad_request(
                f"Invalid tag name <{name}>: only alphanumeric ASCII characters, '_', and '-' are allowed, "
                "1 to 256 of them."
            )
        if not _TAG.fullmatch(value):
            raise bad_request(
                f"Invalid tag value <{value}>: only alphanumeric ASCII characters, '_', and '-' are allowed, "
                "1 to 256 of them."
            )
        tags.setdefault(name, []).append(value)
    return tags


def _simple(params: Params, message: Params, behaviour: Behaviour) -> Letter:
    if "FromEmailAddress" not in params:
        raise refusals.MISSING_HEADER.error(name="From")
    source: str = params["FromEmailAddress"]
    destination: Params = params.get("Destination", {})
    to: list[str] = destination.get("ToAddresses", [])
    cc: list[str] = destination.get("CcAddresses", [])
    bcc: list[str] = destination.get("BccAddresses", [])
    reply_to: list[str] = params.get("ReplyToAddresses", [])
    subject: str = message["Subject"]["Data"]
    if _CONTROL.search(subject):
        raise bad_request("Invalid header value: the subject holds a control character.")
    headers.check_words("Subject", subject, behaviour)
    text: str | None = message["Body"].get("Text", {}).get("Data")
    html: str | None = message["Body"].get("Html", {}).get("Data")
    if text is None and html is None:
        raise bad_request("The body must hold Text, Html or both.")
    # SES reads them in this order (floci-io/floci, SesSendAddresses.java, which was tried against SES).
    sender = read_address("From", source, behaviour).lower()
    recipients = [
        read_address(name, address, behaviour)
        for name, group in (("To", to), ("Cc", cc), ("Bcc", bcc))
        for address in group
    ]
    for address in (*_feedback(params), *reply_to):
        read_address("Reply-To", address, behaviour)
    size, infected = len(subject), False
    for part in (text, html):
        if part is not None:
            octets = part.encode("utf-8", "surrogatepass")
            size += len(octets)
            infected = infected or _EICAR in octets
    attachments: list[Params] = message.get("Attachments", [])
    if len(attachments) + 2 > multipart.MOST_PARTS:
        raise multipart.too_many_parts()
    for attachment in attachments:
        multipart.check_file(attachment["FileName"])
        size += len(attachment["RawContent"])
        infected = infected or _EICAR in attachment["RawContent"]
    written = [{"name": "From", "value": source}]
    common: Params = {"from": [source], "to": to, "subject": subject}
    if reply_to:
        written.append({"name": "Reply-To", "value": ", ".join(reply_to)})
        common["replyTo"] = reply_to
    written.append({"name": "To", "value": ", ".join(to)})
    if cc:
        written.append({"name": "Cc", "value": ", ".join(cc)})
        common["cc"] = cc
    written.append({"name": "Subject", "value": subject})
    written.append({"name": "MIME-Version", "value": "1.0"})
    written.append({"name": "Content-Type", "value": _content_type(text, html, bool(attachments))})
    if own := cast("list[dict[str, str]]", message.get("Headers", [])):
        _check_headers(own, behaviour)
        written.extend({"name": header["Name"], "value": header["Value"]} for header in own)
        size += sum(len(header["Name"]) + len(header["Value"]) + 4 for header in own)
    return Letter(
        source=source,
        senders=(sender,),
        recipients=tuple(recipients),
        subject=subject,
        headers=written,
        common=common,
        size=size,
        infected=infected,
        tags={},
    )


def _content_type(text: str | None, html: str | None, attachments: bool) -> str:
    if attachments:
        return 'multipart/mixed; boundary="----=_Part_0_1"'
    if text is not None and html is not None:
        return 'multipart/alternative; boundary="----=_Part_0_1"'
    return "text/html; charset=UTF-8" if text is None else "text/plain; charset=UTF-8"


def _check_headers(own: list[dict[str, str]], behaviour: Behaviour) -> None:
    seen: set[str] = set()
    for header in own:
        name, value = header["Name"], header["Value"]
        if name.lower() in _REFUSED_HEADERS:
            raise bad_request(f"Header {name} is not allowed.")
        headers.check_once(name, seen)
        if len(name) + len(value) > 996:  # its line is two octets longer
            raise bad_request(f"Header {name} is longer than 996 characters.")
        headers.check_words(name, value, behaviour)


def read_message(
    data: bytes,
    behaviour: Behaviour,
    *,
    sender: str | None = None,
    recipients: Sequence[str] = (),
    others: Sequence[str] = (),
    is_encoded: bool = False,
) -> Letter:
    """Reads a whole MIME message. `sender` is that of the call or of MAIL FROM. `recipients` are those of the call or of RCPT TO:
    without any, the headers' are the envelope. `others` are further addresses of the call. With `is_encoded` the
    size counts as it is: mail by SMTP is not encoded again. Raises ApiError.

    SES reads the sender, From, the call's addresses, and then those of the other headers."""
    head = _END_OF_HEAD.split(data, maxsplit=1)[0]
    found = headers.read(head, behaviour)
    by_name: dict[str, list[str]] = {}
    for name, value in found:
        by_name.setdefault(name.lower(), []).append(value)
    if behaviour.refuse_long_lines and _has_long_line(data):
        raise refusals.LONG_LINE.error()
    if "from" not in by_name or not (sender or by_name["from"][0]):
        raise refusals.MISSING_HEADER.error(name="From")
    senders = [read_address("From", sender, behaviour).lower()] if sender else []
    senders += [one.lower() for one in _listed(by_name, "from", behaviour)]
    if not senders:
        raise refusals.NO_DOMAIN.error()
    envelope = [read_address("To", address, behaviour) for address in recipients]
    for address in others:
        read_address("Reply-To", address, behaviour)
    # Users saw SES check To beside a Destination. The others are assumed to be like it.
    shown = [one for name in ("to", "cc", "bcc") for one in _listed(by_name, name, behaviour)]
    for name in ("reply-to", "return-path"):
        _listed(by_name, name, behaviour)
    multipart.check(data, by_name)
    subject = headers.first(by_name, "subject")
    common: Params = {"from": by_name["from"], "to": by_name.get("to", []), "subject": subject}
    for name, key in (("cc", "cc"), ("reply-to", "replyTo")):
        if name in by_name:
            common[key] = by_name[name]
    for name, key in (("date", "date"), ("return-path", "returnPath")):
        if name in by_name:
            common[key] = by_name[name][0]
    letter = Letter(
        source=sender or by_name["from"][0],
        senders=tuple(dict.fromkeys(senders)),
        recipients=tuple(envelope or shown),
        subject=headers.decoded(subject),
        headers=[{"name": name, "value": value} for name, value in found if name.lower() != "bcc"],
        common=common,
        size=len(data),
        infected=_EICAR in data or _EICAR_BASE64 in data,
        tags=read_tags(_tag_pairs(headers.first(by_name, "x-ses-message-tags"))),
        tenant=headers.first(by_name, "x-ses-tenant").strip() or None,
        configuration_set=headers.first(by_name, "x-ses-configuration-set").strip() or None,
        arns=tuple([arn for name in _ARNS if (arn := headers.first(by_name, name).strip())]),
        list_management=headers.first(by_name, "x-ses-list-management-options").strip() or None,
    )
    _check_whole(letter, is_encoded=is_encoded)
    return letter


def _has_long_line(data: bytes) -> bool:
    """Jumps from the last line break within reach to the next, since a mail may have many megabytes."""
    at, most = 0, MOST_LINE + 2
    while len(data) - at > MOST_LINE:
        end = data.rfind(b"\n", at, at + most)
        if end < 0:
            return len(data) - at > MOST_LINE + 1 or not data.endswith(b"\r")
        if end == at + most - 1 and data[end - 1 : end] != b"\r" and data.find(b"\n", at, end) < 0:
            return True
        at = end + 1
    return False


def _listed(by_name: dict[str, list[str]], name: str, behaviour: Behaviour) -> list[str]:
    """The addresses in the headers of a name, which is in lower case. `<>` is nobody, as in a Return-Path."""
    return [
        _named(one, value, behaviour)
        for value in by_name.get(name, ())
        if value.strip() != "<>"
        for one in mailboxes(value)
    ]


def _tag_pairs(text: str) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in re.split(r"[,;]", text) if part.strip()]
    return [(name.strip(), value.strip()) for name, _, value in pairs]
