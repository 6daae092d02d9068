"""The parts of a mail for viewing: text, HTML, attachments and source, whether the caller gave it raw or in parts. Malformed mail
is shown as far as it can be parsed; nothing here raises."""

from __future__ import annotations

import base64
import binascii
import email.parser
import email.policy
import re
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Final, cast

import msgspec

from seslocal.mail import mime
from seslocal.mail.mime import ENCODINGS, File
from seslocal.state.ledger import LedgerEntry

Json = dict[str, Any]
#: SES sends attachments in seven bits by default, which corrupts eight-bit data (ses.md 3.3)
_SEVEN_BIT: Final = bytes(range(128)) + b"?" * 128
_UNSAFE_NAME: Final = re.compile(r'[\x00-\x1f\x7f"\\/:]')


@dataclass(slots=True)
class Parts:
    text: str | None = None
    html: str | None = None
    files: list[File] = field(default_factory=list[File])
    source: bytes = b""  #: as sent, before SES adds its headers


@dataclass(frozen=True, slots=True)
class UsedTemplate:
    """The template of a mail."""

    name: str | None  #: of the template; None: it came with the call
    data: str
    failure: str | None  #: why it could not be rendered


def template_of(entry: LedgerEntry) -> UsedTemplate | None:
    if entry.content is None:
        return None
    content = cast(Json, msgspec.json.decode(entry.content))
    given = content.get("Template")
    if given is None:
        return None
    arn = given.get("TemplateArn")
    name = given.get("TemplateName") or (arn.rpartition("/")[2] if arn else None)
    return UsedTemplate(name, given.get("TemplateData") or "", content.get("Failure"))


def read_parts(entry: LedgerEntry) -> Parts | None:
    """Returns None if the ledger dropped the content to save memory."""
    if entry.content is None:
        return None
    content = cast(Json, msgspec.json.decode(entry.content))
    if "Raw" in content:
        return _from_source(_bytes(content["Raw"].get("Data", "")))
    simple = content.get("Simple") or content.get("Rendered")
    if "Failure" in content:
        return Parts()
    if simple is None:
        text = msgspec.json.format(entry.content, indent=2).decode()
        return Parts(text=text, source=text.encode())
    parts = Parts(text=_body(simple, "Text"), html=_body(simple, "Html"))
    parts.files = [_file(one) for one in cast("list[Json]", simple.get("Attachments") or [])]
    try:
        parts.source = _source(entry, parts)
    except Exception:
        parts.source = (parts.text or parts.html or "").encode("utf-8", "replace")
    return parts


def _file(attachment: Json) -> File:
    encoding = attachment.get("ContentTransferEncoding", "SEVEN_BIT")
    data = _bytes(attachment.get("RawContent", ""))
    return File(
        _safe(str(attachment.get("FileName", "attachment"))),
        str(attachment.get("ContentType") or "application/octet-stream"),
        data.translate(_SEVEN_BIT) if encoding == "SEVEN_BIT" else data,
        attachment.get("ContentId"),
        ENCODINGS[encoding],
        attachment.get("ContentDisposition") == "INLINE",
    )


def _body(simple: Json, kind: str) -> str | None:
    return simple.get("Body", {}).get(kind, {}).get("Data")


def _from_source(source: bytes) -> Parts:
    try:
        return _parsed(source)
    except Exception:
        # The email package fails on some malformed headers in various ways; the source can be shown nevertheless.
        return Parts(text=source.decode("utf-8", "replace"), source=source)


def _parsed(source: bytes) -> Parts:
    message = email.parser.BytesParser(policy=email.policy.default).parsebytes(source)
    parts = Parts(source=source)
    for part in message.walk():
        if part.is_multipart():
            continue
        kind = part.get_content_type()
        name = part.get_filename()
        is_file = part.get_content_disposition() == "attachment" or name is not None
        if kind == "text/plain" and not is_file and parts.text is None:
            parts.text = _text(part)
        elif kind == "text/html" and not is_file and parts.html is None:
            parts.html = _text(part)
        else:
            found: object = part.get_payload(decode=True)
            content_id = str(part.get("Content-ID", "")).strip(" <>") or None
            name = _safe(name or content_id or f"part-{len(parts.files) + 1}")
            parts.files.append(File(name, kind, found if isinstance(found, bytes) else b"", content_id))
    return parts


def _text(part: EmailMessage) -> str:
    found: object = part.get_payload(decode=True)
    data = found if isinstance(found, bytes) else b""
    try:
        return data.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _source(entry: LedgerEntry, parts: Parts) -> bytes:
    """Returns the source of a mail that was given in parts."""
    ours = ("mime-version", "content-type")
    headers = [
        (one["name"], one["value"]) for one in entry.shown()["headers"] if one["name"].lower() not in ours
    ]
    body = mime.body(parts.text, parts.html, parts.files, str(entry.number))
    return mime.head(headers) + body


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""


def _safe(name: str) -> str:
    return _UNSAFE_NAME.sub("_", name)[:200] or "attachment"
