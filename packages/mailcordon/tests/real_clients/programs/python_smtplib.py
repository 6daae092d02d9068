"""Python's smtplib."""

import smtplib
import ssl
from email.policy import SMTP
from typing import Any

from real_clients.programs import building


def send(given: dict[str, Any]) -> None:
    door = given["smtp"]
    with smtplib.SMTP(door["host"], door["port"], timeout=60) as smtp:
        if door["starttls"]:
            smtp.starttls(context=ssl.create_default_context(cafile=door["ca"]))
        smtp.login(door["username"], door["password"])
        for mail in given["mails"]:
            made = building.message(mail).as_bytes(policy=SMTP)
            refused = smtp.sendmail(mail["from"], building.recipients(mail), made)
            if refused:
                raise smtplib.SMTPRecipientsRefused(refused)
