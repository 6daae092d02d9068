"""Builds the MIME message of a mail that was given in parts, as SES would send it. Slow, and done only when somebody views it.
The same parts and boundary always give the same bytes."""

from __future__ import annotations

import email.message
import email.policy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: ContentTransferEncoding -> Python's name for it
ENCODINGS: Final = {"BASE64": "base64", "QUOTED_PRINTABLE": "quoted-printable", "SEVEN_BIT": "7bit"}


@dataclass(slots=True)
class File:
    name: str
    kind: str  #: media type
    data: bytes
    content_id: str | None = None  #: by which the HTML refers to it
    encoding: str = "base64"
    inline: bool = False


def head(headers: Sequence[tuple[str, str]]) -> bytes:
    lines = [f"{name}: {_on_one_line(value)}\r\n" for name, value in headers]
    return "".join(lines).encode("utf-8", "replace")


def body(text: str | None, html: str | None, files: Sequence[File], boundary: str) -> bytes:
    """Returns the message from MIME-Version and Content-Type on."""
    made = email.message.EmailMessage(policy=email.policy.SMTP)
    if text is not None or html is None:
        made.set_content(_encodable(text or ""))
    if html is not None:
        if text is None:
            made.set_content(_encodable(html), subtype="html")
        else:
            made.add_alternative(_encodable(html), subtype="html")
    for file in files:
        _attach(made, file)
    for number, part in enumerate(made.walk()):
        if part.is_multipart():
            part.set_boundary(f"----=_Part_{number}_{boundary}")
    return made.as_bytes()


def _attach(made: email.message.EmailMessage, file: File) -> None:
    main, _, sub = file.kind.partition(";")[0].strip().partition("/")
    cid = f"<{file.content_id}>" if file.content_id else None
    disposition = "inline" if file.inline else "attachment"
    try:
        made.add_attachment(
            file.data,
            maintype=main,
            subtype=sub or "octet-stream",
            cte=file.encoding,
            disposition=disposition,
            filename=file.name,
            cid=cid,
        )
    except (ValueError, KeyError, TypeError):
        made.add_attachment(file.data, maintype="application", subtype="octet-stream", filename=file.name)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _on_one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")
