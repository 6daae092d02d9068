"""boto3, SES v2: SES makes the MIME message (Simple)."""

import base64
from email.utils import formataddr
from typing import Any

import boto3

from real_clients.programs import building

MOST_HEADER = 990  #: characters of a header in Simple content; SES's limit is 995


def client(service: Any, ses: dict[str, str]) -> Any:
    return boto3.client(
        service,
        endpoint_url=ses["endpoint"],
        region_name=ses["region"],
        aws_access_key_id=ses["key"],
        aws_secret_access_key=ses["secret"],
    )


def _people(given: list[dict[str, str]]) -> list[str]:
    return [formataddr((one["name"], one["address"])) for one in given]


def send(given: dict[str, Any]) -> list[str]:
    ses = client("sesv2", given["ses"])
    return [ses.send_email(**request(mail))["MessageId"] for mail in given["mails"]]


def request(mail: dict[str, Any]) -> dict[str, Any]:
    return {
        "FromEmailAddress": formataddr((mail["sender"], mail["from"])),
        "Destination": {
            "ToAddresses": _people(mail["to"]),
            "CcAddresses": _people(mail["cc"]),
            "BccAddresses": _people(mail["bcc"]),
        },
        "Content": {"Simple": _simple(mail)},
    }


def _simple(mail: dict[str, Any]) -> dict[str, Any]:
    simple: dict[str, Any] = {"Subject": {"Data": mail["subject"]}, "Body": {"Text": {"Data": mail["text"]}}}
    if mail["html"]:
        simple["Body"]["Html"] = {"Data": mail["html"]}
    if mail["references"]:
        references = " ".join(mail["references"])[:MOST_HEADER].rpartition(" ")[0]
        simple["Headers"] = [{"Name": "References", "Value": references}]
    if mail["inline"]:
        simple["Attachments"] = [
            {
                "RawContent": base64.b64decode(mail["pixel"]),
                "FileName": "pixel.png",
                "ContentType": "image/png",
                "ContentId": mail["inline"],
                "ContentDisposition": "INLINE",
                "ContentTransferEncoding": "BASE64",
            }
        ]
    if mail["attachment"]:
        simple["Attachments"] = [
            {
                "RawContent": building.attachment(mail),
                "FileName": "Rechnung.pdf",
                "ContentType": "application/pdf",
                "ContentTransferEncoding": "BASE64",
            }
        ]
    return simple
