"""Django's mail, by whatever backend and settings are given."""

import base64
from email.mime.image import MIMEImage
from email.utils import formataddr
from typing import Any

import django
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.test.utils import override_settings

from real_clients.programs import building


def _people(given: list[dict[str, str]]) -> list[str]:
    return [_mailbox(one["name"], one["address"]) for one in given]


def _mailbox(name: str, address: str) -> str:
    # SES takes no other names from django-ses than encoded ones.
    encoded = not name or "django_ses" in settings.EMAIL_BACKEND
    return formataddr((name, address)) if encoded else f'"{name}" <{address}>'


def send(given: dict[str, Any]) -> None:
    if not settings.configured:
        settings.configure(INSTALLED_APPS=given["django"].get("INSTALLED_APPS", []))
        django.setup()
    with override_settings(**given["django"]):
        sent = get_connection().send_messages([_message(mail) for mail in given["mails"]])
    if sent != len(given["mails"]):
        raise RuntimeError(f"{sent} of {len(given['mails'])} mails were sent")


def _message(mail: dict[str, Any]) -> EmailMultiAlternatives:
    made = EmailMultiAlternatives(
        mail["subject"],
        mail["text"],
        _mailbox(mail["sender"], mail["from"]),
        _people(mail["to"]),
        bcc=_people(mail["bcc"]),
        cc=_people(mail["cc"]),
        headers={"References": " ".join(mail["references"])} if mail["references"] else None,
    )
    if mail["html"]:
        made.attach_alternative(mail["html"], "text/html")
    if mail["inline"]:
        made.mixed_subtype = "related"
        picture = MIMEImage(base64.b64decode(mail["pixel"]), "png")
        picture.add_header("Content-ID", f"<{mail['inline']}>")
        picture.add_header("Content-Disposition", "inline", filename="pixel.png")
        made.attach(picture)
    if mail["attachment"]:
        made.attach("Rechnung März.pdf", building.attachment(mail), "application/pdf")
    return made
