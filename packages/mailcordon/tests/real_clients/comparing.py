"""Whether two mails are the same to a reader: pure.

Compared are the headers that a person or a mail program uses, and each part's type, name, Content-ID, disposition and bytes. How
it is written is not compared: encodings of parts and names, boundaries, the case of parameters, the folding of lines.
"""

import email
import email.policy
import email.utils
from email.message import EmailMessage
from typing import Any, Final, NamedTuple, cast

#: What each mail has for itself, or what SES and we set.
_OWN: Final = frozenset(
    (
        "message-id",
        "date",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
        "content-disposition",
        "bcc",
        "received",
    )
)
_PEOPLE: Final = frozenset(("from", "to", "cc", "reply-to", "sender"))


class Part(NamedTuple):
    kind: str
    name: str | None
    content_id: str | None
    disposition: str | None
    content: bytes | str


class Seen(NamedTuple):
    headers: dict[str, list[Any]]
    parts: list[Part]


def seen(source: bytes) -> Seen:
    message = cast("EmailMessage", email.message_from_bytes(source, policy=email.policy.default))
    headers: dict[str, list[Any]] = {}
    for name, value in message.items():
        lower = name.lower()
        if lower in _OWN:
            continue
        headers.setdefault(lower, []).append(
            # Python reads neighbouring encoded words of a name with a space between them, which is not there (RFC 2047 6.2).
            [("".join(one.display_name.split()), one.addr_spec) for one in value.addresses]
            if lower in _PEOPLE
            else " ".join(str(value).split())
        )
    parts = [_part(one) for one in message.walk()]
    return Seen(headers, _numbered(parts))


def _numbered(parts: list[Part]) -> list[Part]:
    """With a number for each Content-ID that the HTML shows, and none for the others: some programs make new ones each time."""
    html = "".join(str(part.content) for part in parts if part.kind == "text/html")
    shown = [part.content_id for part in parts if part.content_id and f"cid:{part.content_id}" in html]
    numbered: list[Part] = []
    for part in parts:
        content = part.content
        if isinstance(content, str):
            for number, one in enumerate(shown):
                content = content.replace(f"cid:{one}", f"cid:{number}")
        number = str(shown.index(part.content_id)) if part.content_id in shown else None
        numbered.append(part._replace(content_id=number, content=content))
    return numbered


def _part(part: EmailMessage) -> Part:
    content: bytes | str = b""
    if not part.is_multipart():
        payload = part.get_payload(decode=True)
        content = payload if isinstance(payload, bytes) else b""
        if part.get_content_maintype() == "text":
            # Lines end as the encoding needs it, and some programs add the last line's end.
            content = (
                content.decode(part.get_content_charset() or "utf-8", "replace")
                .replace("\r\n", "\n")
                .rstrip("\n")
            )
    return Part(
        part.get_content_type(),
        part.get_filename(),
        part["content-id"] and str(part["content-id"]).strip(" <>"),
        part.get_content_disposition(),
        content,
    )


def differences(meant: bytes, arrived: bytes, *, marks: tuple[str, str]) -> list[str]:
    """One line for each thing that a reader would see otherwise. `marks` are the two mails' own in their subjects."""
    first, second = seen(meant), seen(arrived)
    first.headers["subject"] = [str(one).replace(*marks) for one in first.headers.get("subject", [])]
    found = [
        f"{name}: {first.headers.get(name)} became {second.headers.get(name)}"
        for name in sorted({*first.headers, *second.headers})
        if first.headers.get(name) != second.headers.get(name)
    ]
    if [part.kind for part in first.parts] != [part.kind for part in second.parts]:
        found.append(f"parts: {[p.kind for p in first.parts]} became {[p.kind for p in second.parts]}")
        return found
    for place, (one, other) in enumerate(zip(first.parts, second.parts, strict=True)):
        found += [
            f"part {place} ({one.kind}), {name}: {str(was)[:80]!r} became {str(became)[:80]!r}"
            for name, was, became in zip(Part._fields, one, other, strict=True)
            if was != became
        ]
    return found
