"""A mail as Python's own email package makes it."""

import base64
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any


def people(given: list[dict[str, str]]) -> tuple[Address, ...]:
    return tuple(Address(one["name"], addr_spec=one["address"]) for one in given)


def message(mail: dict[str, Any]) -> EmailMessage:
    made = EmailMessage()
    made["From"] = Address(mail["sender"], addr_spec=mail["from"])
    made["To"] = people(mail["to"])
    if mail["cc"]:
        made["Cc"] = people(mail["cc"])
    made["Subject"] = mail["subject"]
    if mail["references"]:
        made["References"] = " ".join(mail["references"])
    made.set_content(mail["text"])
    if mail["html"]:
        made.add_alternative(mail["html"], subtype="html")
    if mail["inline"]:
        [_, html] = made.iter_parts()
        picture = base64.b64decode(mail["pixel"])
        html.add_related(picture, "image", "png", cid=f"<{mail['inline']}>", filename="pixel.png")  # pyright: ignore[reportAttributeAccessIssue]
    if mail["attachment"]:
        content = attachment(mail)
        made.add_attachment(content, maintype="application", subtype="pdf", filename="Rechnung März.pdf")
    return made


def attachment(mail: dict[str, Any]) -> bytes:
    """Bytes of every value."""
    return (bytes(range(256)) * (mail["attachment"] // 256 + 1))[: mail["attachment"]]


def recipients(mail: dict[str, Any]) -> list[str]:
    return [one["address"] for who in ("to", "cc", "bcc") for one in mail[who]]
