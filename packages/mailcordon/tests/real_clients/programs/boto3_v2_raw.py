"""boto3, SES v2: the app makes the MIME message (Raw)."""

from typing import Any

from real_clients.programs import building
from real_clients.programs.boto3_v2 import client


def send(given: dict[str, Any]) -> list[str]:
    ses = client("sesv2", given["ses"])
    return [
        ses.send_email(
            FromEmailAddress=mail["from"],
            Destination={"ToAddresses": building.recipients(mail)},
            Content={"Raw": {"Data": building.message(mail).as_bytes()}},
        )["MessageId"]
        for mail in given["mails"]
    ]
