"""Short functions to send mail with SES v1."""

from __future__ import annotations

from typing import Any

TEXT: Any = {"Subject": {"Data": "Hi <&> é"}, "Body": {"Text": {"Data": "Hello"}}}
SENDER = "Acme <no-reply@mail.acme.example>"


def send(v1: Any, *to: str, **more: Any) -> str:
    call = {"Source": SENDER, "Destination": {"ToAddresses": list(to)}, "Message": TEXT, **more}
    return v1.send_email(**call)["MessageId"]
