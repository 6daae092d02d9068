"""The SMTP password of an access key. SES derives it from the secret, for each region, so that no password is stored (SES
Developer Guide, "Obtaining SMTP credentials by converting existing AWS credentials"). Pure."""

from __future__ import annotations

import base64
import hmac
from typing import Final

#: what is hashed after "AWS4" + secret; the region stands between date and service
_DATE: Final = "11111111"
_REST: Final = ("ses", "aws4_request", "SendRawEmail")
_VERSION: Final = b"\x04"


def smtp_password(secret: str, region: str) -> str:
    """Returns the password for SES's SMTP interface of the region. The user name is the access key's id."""
    signature = f"AWS4{secret}".encode()
    for part in (_DATE, region, *_REST):
        signature = hmac.digest(signature, part.encode(), "sha256")
    return base64.b64encode(_VERSION + signature).decode()
