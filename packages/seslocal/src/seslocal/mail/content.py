"""Parses the content of a call that sends: addresses, headers, tags, sizes. Simple and Raw content both become a Letter.
Everything SES rejects in them raises a BadRequestException here. Pure."""

from __future__ import annotations

import email.errors
import email.header
import email.parser
import email.policy
import email.utils
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, cast

from seslocal.errors import ApiError, bad_request
from seslocal.wire.params import Params

if TYPE_CHECKING:
    from seslocal.state.contacts import ManagedMail


MOST_RECIPIENTS: Final = 50
MOST_BYTES: Final = 40 * 1024 * 1024  # of the message after base64
_EICAR: Final = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
_EICAR_BASE64: Final = b"WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JEVJQ0FS"
_LOCAL: Final = re.compile(r"[!#-'*+/-9=?A-Z^-~-]+(\.[!#-'*+/-9=?A-Z^-~-]+)*|\"[ !#-\[\]-~]{1,62}\"")
_DOMAIN: Final = re.compile(
    r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
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
#: headers allowed once, as the Developer Guide lists them
_ONCE: Final = frozenset(
    (
        "accept-language", "archived-at", "auto-submitted", "bounces-to", "comments",
        "content-alternative", "content-base", "content-class", "content-description",
        "content-disposition", "content-duration", "content-id", "content-language", "content-length",
        "content-location", "content-md5", "content-transfer-encoding", "content-type", "date",
        "dkim-signature", "domainkey-signature", "errors-to", "from", "importance", "in-reply-to",
        "keywords", "list-archive", "list-help", "list-id", "list-owner", "list-post",
        "list-subscribe", "list-unsubscribe", "list-unsubscribe-post", "message-context", "message-id",
        "mime-version", "organization", "original-from", "original-message-id", "original-recipient",
        "original-subject", "precedence", "priority", "references", "reply-to", "return-path",
        "return-receipt-to", "sender", "sensitivity", "solicitation", "subject", "thread-index",
        "thread-topic", "user-agent", "vbr-info",
    )
)  # fmt: skip
MOST_LINE: Final = 1000  # octets of a line with its line break (RFC 5322, 2.1.1)
_LONG_LINE: Final = re.compile(rb"[^\n]{%d}" % MOST_LINE)
MOST_PARTS: Final = 500  #: MIME parts of one message
#: as the Developer Guide lists them
_REFUSED_FILES: Final = frozenset(
    (
        "ade", "adp", "app", "asp", "bas", "bat", "cer", "chm", "cmd", "com", "cpl", "crt", "csh", "der",
        "exe", "fxp", "gadget", "hlp", "hta", "inf", "ins", "isp", "its", "js", "jse", "ksh", "lib", "lnk",
        "mad", "maf", "mag", "mam", "maq", "mar", "mas", "mat", "mau", "mav", "maw", "mda", "mdb", "mde",
        "mdt", "mdw", "mdz", "msc", "msh", "msh1", "msh2", "mshxml", "msh1xml", "msh2xml", "msi", "msp",
        "mst", "ops", "pcd", "pif", "plg", "prf", "prg", "reg", "scf", "scr", "sct", "shb", "shs", "sys",
        "ps1", "ps1xml", "ps2", "ps2xml", "psc1", "psc2", "tmp", "url", "vb", "vbe", "vbs", "vps",
        "vsmacros", "vss", "vst", "vsw", "vxd", "ws", "wsc", "wsf", "wsh", "xnk",
    )
)  # fmt: skip
#: what follows `name` where raw mail can name a file
_NAMED: Final = re.compile(rb"(\*?)[0-9*]{0,9}\s*=\s*\"?([^\"\r\n;]{0,255})")


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
    list_management: str | None = None  #: from X-SES-LIST-MANAGEMENT-OPTIONS in Raw
    managed: ManagedMail | None = None  #: set if it goes to a contact of a list
    opted_out: tuple[str, ...] = ()  #: recipients who unsubscribed
    tracking: Params | None = None  #: the call's own settings for opens and clicks, before those of its set


def read_letter(params: Params) -> Letter:
    """Parses a call whose Content is Simple or Raw (a Template is rendered before). Raises ApiError."""
    content: Params = params["Content"]
    if sum(kind in content for kind in ("Simple", "Raw", "Template")) != 1:
        raise bad_request("Content must hold exactly one of Simple, Raw and Template.")
    letter = _raw(params, content["Raw"]["Data"]) if "Raw" in content else _simple(params, content["Simple"])
    if not letter.recipients:
        raise bad_request("Missing required header 'To'.")
    if len(letter.recipients) > MOST_RECIPIENTS:
        raise bad_request(f"Recipient count exceeds {MOST_RECIPIENTS}.")
    if letter.size * 4 // 3 > MOST_BYTES:
        raise bad_request(f"Message length is more than {MOST_BYTES} bytes long: '{letter.size * 4 // 3}'.")
    if "ConfigurationOverrides" in params:
        letter.tracking = params["ConfigurationOverrides"].get("Tracking")
    if "EmailTags" in params:
        letter.tags = read_tags([(tag["Name"], tag["Value"]) for tag in params["EmailTags"]])
    return letter


def bare_address(text: str) -> str:
    """Returns the address in `Name <address>` or the text itself, checked as SES does. Raises ApiError."""
    if _CONTROL.search(text):
        raise bad_request("Local address contains control or whitespace")
    address = text.strip()
    if address.endswith(">"):
        name, bracket, address = address[:-1].rpartition("<")
        if not bracket or not name.isascii():
            raise bad_request(f"Illegal address: {text}")
        address = address.strip()
    local, at, domain = address.rpartition("@")
    if not at:
        raise bad_request("Missing final '@domain'")
    if not local or len(local) > 64 or not _LOCAL.fullmatch(local):
        raise bad_request(f"Illegal address: the local part of {address} holds a character it must not.")
    if not _DOMAIN.fullmatch(domain):
        raise bad_request("Domain contains illegal character")
    return address


@lru_cache(maxsize=1024)
def _sender(text: str) -> str:
    """Cached: senders repeat, recipients do not."""
    return bare_address(text)


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


def _simple(params: Params, message: Params) -> Letter:
    if "FromEmailAddress" not in params:
        raise bad_request("Missing required header 'From'.")
    source: str = params["FromEmailAddress"]
    destination: Params = params.get("Destination", {})
    to: list[str] = destination.get("ToAddresses", [])
    cc: list[str] = destination.get("CcAddresses", [])
    bcc: list[str] = destination.get("BccAddresses", [])
    reply_to: list[str] = params.get("ReplyToAddresses", [])
    subject: str = message["Subject"]["Data"]
    if _CONTROL.search(subject):
        raise bad_request("Invalid header value: the subject holds a control character.")
    text: str | None = message["Body"].get("Text", {}).get("Data")
    html: str | None = message["Body"].get("Html", {}).get("Data")
    if text is None and html is None:
        raise bad_request("The body must hold Text, Html or both.")
    for address in reply_to:
        bare_address(address)
    sender = _sender(source).lower()
    size, infected = len(subject), False
    for part in (text, html):
        if part is not None:
            octets = part.encode("utf-8", "surrogatepass")
            size += len(octets)
            infected = infected or _EICAR in octets
    attachments: list[Params] = message.get("Attachments", [])
    if len(attachments) + 2 > MOST_PARTS:
        raise _too_many_parts()
    for attachment in attachments:
        _check_file(attachment["FileName"])
        size += len(attachment["RawContent"])
        infected = infected or _EICAR in attachment["RawContent"]
    headers = [{"name": "From", "value": source}]
    common: Params = {"from": [source], "to": to, "subject": subject}
    if reply_to:
        headers.append({"name": "Reply-To", "value": ", ".join(reply_to)})
        common["replyTo"] = reply_to
    headers.append({"name": "To", "value": ", ".join(to)})
    if cc:
        headers.append({"name": "Cc", "value": ", ".join(cc)})
        common["cc"] = cc
    headers.append({"name": "Subject", "value": subject})
    headers.append({"name": "MIME-Version", "value": "1.0"})
    headers.append({"name": "Content-Type", "value": _content_type(text, html, bool(attachments))})
    if own := cast("list[dict[str, str]]", message.get("Headers", [])):
        _check_headers(own)
        headers.extend({"name": header["Name"], "value": header["Value"]} for header in own)
        size += sum(len(header["Name"]) + len(header["Value"]) + 4 for header in own)
    return Letter(
        source=source,
        senders=(sender,),
        recipients=tuple([bare_address(address) for group in (to, cc, bcc) for address in group]),
        subject=subject,
        headers=headers,
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


def _check_headers(headers: list[dict[str, str]]) -> None:
    seen: set[str] = set()
    for header in headers:
        name = header["Name"].lower()
        if name in _REFUSED_HEADERS:
            raise bad_request(f"Header {header['Name']} is not allowed.")
        if name in _ONCE and name in seen:
            raise bad_request(f"Duplicate header '{header['Name']}'.")
        if len(name) + len(header["Value"]) > 996:
            raise bad_request(f"Header {header['Name']} is longer than 996 characters.")
        seen.add(name)


def _check_file(name: str) -> None:
    stem, _, ending = name.rpartition(".")
    if (stem or "." in name) and ending.strip().lower() in _REFUSED_FILES:
        raise bad_request(f"Illegal filename '{name}'.")


def _check_parts(data: bytes) -> None:
    """Checks raw mail, which is parsed only if it may contain a forbidden file name or too many parts."""
    lowered = data.lower()
    # The message is a part itself; every other part starts with a boundary, or is a message in a message.
    most = 1 + data.count(b"\n--") + lowered.count(b"message/")
    if most <= MOST_PARTS and not _may_hold_refused(lowered):
        return
    try:
        message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(data)
        parts = list(message.walk())
    except RecursionError:  # parts nested too deeply
        raise _too_many_parts() from None
    if len(parts) > MOST_PARTS:
        raise _too_many_parts()
    for part in parts:
        _check_file(_decoded(part.get_filename() or ""))


def _too_many_parts() -> ApiError:
    return bad_request(f"The message has more than {MOST_PARTS} MIME parts.")


def _may_hold_refused(data: bytes) -> bool:
    """Four times as fast as one regular expression, and linear, because a match consumes all that it read."""
    at = 0
    while (at := data.find(b"name", at)) >= 0:
        at += 4
        if found := _NAMED.match(data, at):
            if found[1] or _perhaps_refused(found[2]):
                return True
            at = found.end()
    return False


def _perhaps_refused(name: bytes) -> bool:
    ending = name.rstrip().rpartition(b".")[2]
    return b"=?" in name or ending.decode("ascii", "replace") in _REFUSED_FILES


def _raw(params: Params, data: bytes) -> Letter:
    head = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0]
    parsed = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(head + b"\r\n\r\n")
    found = [(name, re.sub(r"\r?\n[ \t]*", " ", str(value))) for name, value in parsed.items()]
    by_name: dict[str, list[str]] = {}
    for name, value in found:
        by_name.setdefault(name.lower(), []).append(value)
    for name, values in by_name.items():
        if len(values) > 1 and name in _ONCE:
            raise bad_request(f"Duplicate header '{name.title()}'.")
    if _LONG_LINE.search(data):
        raise bad_request(f"A line of the message is longer than {MOST_LINE} octets.")
    source: str | None = params.get("FromEmailAddress") or next(iter(by_name.get("from", ())), None)
    if not source or "from" not in by_name:
        raise bad_request("Missing required header 'From'.")
    senders = [bare_address(source).lower(), *(a.lower() for a in _addresses(by_name["from"]))]
    given: Params = params.get("Destination", {})
    groups = [given.get(name, []) for name in ("ToAddresses", "CcAddresses", "BccAddresses")]
    recipients = [bare_address(address) for group in groups for address in group]
    # A Destination is the envelope. Without one the headers are, and only then must they be valid.
    recipients = recipients or [
        one for name in ("to", "cc", "bcc") for one in _addresses(by_name.get(name, []))
    ]
    _check_parts(data)
    subject = next(iter(by_name.get("subject", ())), "")
    common: Params = {"from": by_name["from"], "to": by_name.get("to", []), "subject": subject}
    for name, key in (("cc", "cc"), ("reply-to", "replyTo")):
        if name in by_name:
            common[key] = by_name[name]
    for name, key in (("date", "date"), ("return-path", "returnPath")):
        if name in by_name:
            common[key] = by_name[name][0]
    return Letter(
        source=source,
        senders=tuple(dict.fromkeys(senders)),
        recipients=tuple(recipients),
        subject=_decoded(subject),
        headers=[{"name": name, "value": value} for name, value in found if name.lower() != "bcc"],
        common=common,
        size=len(data),
        infected=_EICAR in data or _EICAR_BASE64 in data,
        tags=read_tags(_tag_pairs(next(iter(by_name.get("x-ses-message-tags", ())), ""))),
        tenant=next(iter(by_name.get("x-ses-tenant", ())), "").strip() or None,
        configuration_set=next(iter(by_name.get("x-ses-configuration-set", ())), "").strip() or None,
        list_management=next(iter(by_name.get("x-ses-list-management-options", ())), "").strip() or None,
    )


def _addresses(values: list[str]) -> list[str]:
    return [bare_address(address) for _, address in email.utils.getaddresses(values) if address]


def _tag_pairs(text: str) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in re.split(r"[,;]", text) if part.strip()]
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _decoded(subject: str) -> str:
    try:
        return str(email.header.make_header(email.header.decode_header(subject)))
    except (LookupError, ValueError, email.errors.MessageError):
        return subject
