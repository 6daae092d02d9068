"""Signs requests that no client makes, with botocore: returns the headers, or the bytes to send."""

from __future__ import annotations

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "us-east-1"
TEST = Credentials("test", "test")


def service_of(path: str, body: bytes | None, headers: dict[str, str]) -> str | None:
    """Returns the service that a call is for, or None if it needs no signature."""
    if any(name.lower() == "x-amz-target" for name in headers):
        return "sqs"
    if path.startswith("/v2/"):
        return "ses"
    return "sns" if b"Version=2010-03-31" in (body or b"") else None


def signed(
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    *,
    host: str,
    service: str = "ses",
    credentials: Credentials = TEST,
    region: str = REGION,
) -> dict[str, str]:
    """Returns the headers with date and Authorization added."""
    request = AWSRequest(method, f"http://{host}{path}", headers or {}, body or b"")
    SigV4Auth(credentials, service, region).add_auth(request)
    return dict(request.headers)


def wire(
    method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, *, service: str = "ses"
) -> bytes:
    """Returns the bytes of the whole request, to the host localhost."""
    lines = signed(method, path, body, headers, host="localhost", service=service)
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    length = "" if "Transfer-Encoding" in lines or not body else f"Content-Length: {len(body)}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}{head}\r\n".encode() + body
