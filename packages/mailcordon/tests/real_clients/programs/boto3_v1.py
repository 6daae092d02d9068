"""boto3, SES v1: SendRawEmail for what has files or headers, SendEmail for the rest."""

from email.utils import formataddr
from typing import Any

from real_clients.programs import building
from real_clients.programs.boto3_v2 import client


def send(given: dict[str, Any]) -> list[str]:
    ses = client("ses", given["ses"])
    return [_send(ses, mail) for mail in given["mails"]]


def _send(ses: Any, mail: dict[str, Any]) -> str:
    if mail["inline"] or mail["attachment"] or mail["references"]:
        return ses.send_raw_email(
            Source=mail["from"],
            Destinations=building.recipients(mail),
            RawMessage={"Data": building.message(mail).as_bytes()},
        )["MessageId"]
    body = {"Text": {"Data": mail["text"], "Charset": "UTF-8"}}
    if mail["html"]:
        body["Html"] = {"Data": mail["html"], "Charset": "UTF-8"}
    return ses.send_email(
        Source=formataddr((mail["sender"], mail["from"])),
        Destination={
            name: [formataddr((one["name"], one["address"])) for one in mail[who]]
            for name, who in (("ToAddresses", "to"), ("CcAddresses", "cc"), ("BccAddresses", "bcc"))
        },
        Message={"Subject": {"Data": mail["subject"], "Charset": "UTF-8"}, "Body": body},
    )["MessageId"]
