"""The mail that both sides send: a short text and a small HTML page, to one recipient each."""

import json
from dataclasses import dataclass

SUBJECT = "Your weekly summary is ready"
TEXT = (
    "Hello,\n\n"
    + "here is what happened in your workspace this week, in a few lines.\n" * 8
    + "\nYours, the team\n"
)
HTML = (
    "<!doctype html><html><body><h1>Your weekly summary</h1>"
    + "<p>Here is what happened in your <b>workspace</b> this week, in a few lines.</p>" * 16
    + '<p><a href="https://app.example/summary">Open it</a></p></body></html>'
)
ONE_CLICK = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


@dataclass(frozen=True, slots=True)
class Stream:
    """One lane that mail is sent on."""

    tenant: str
    type: str
    domain: str
    marketing: bool


def recipients(run: str, count: int) -> list[str]:
    """Each address is used once per bench, so that the ledger identifies each mail."""
    return [f"{run}-{number}@inbox{number % 7}.example" for number in range(count)]


def _unsubscribe(to: str) -> dict[str, str]:
    return {"List-Unsubscribe": f"<https://app.example/unsubscribe/{to}>"}


def request(stream: Stream, to: str | list[str], key: str, host: str, campaign: str | None = None) -> bytes:
    """One whole HTTP request for one mail, or for one to each of several recipients."""
    headers, to_each = {}, to
    if stream.marketing and isinstance(to, str):
        headers = {**ONE_CLICK, **_unsubscribe(to)}
    elif stream.marketing:
        headers, to_each = ONE_CLICK, [{"address": one, "headers": _unsubscribe(one)} for one in to]
    body = json.dumps(
        {
            "tenant": stream.tenant,
            "type": stream.type,
            "from": f"Team <hello@{stream.domain}>",
            "to": to_each,
            "subject": SUBJECT,
            "text": TEXT,
            "html": HTML,
            **({} if isinstance(to, str) or stream.marketing else {"individually": True}),
            **({"headers": headers} if headers else {}),
            **({"campaign": campaign} if campaign else {}),
        }
    ).encode()
    first = to if isinstance(to, str) else to[0]
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: bench-{first}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
