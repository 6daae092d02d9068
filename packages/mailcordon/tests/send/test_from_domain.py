"""A composed mail leaves with From in the domain of its path; everything else of it stays byte by byte."""

import base64
import json
from email import message_from_bytes, policy
from typing import Any

from mailcordon.core.event import Attempt
from mailcordon.send import compose, submission
from mailcordon.send.slots import Unsubscribe

KEY = b"k" * 32
ATTEMPT = Attempt(
    installation="mc", tenant_key="mc-acme0000", type="receipt", delivery=1 << 30 | 1, attempt=1, called_at=1
)
NEW, OLD = "mail.acme.example", "mail.platform.example"
NAMES = ("", 'Acme, "Shop" @ home', "Ärztin Öl", "x" * 90, "Ü" * 60, '","Content', "a>b <c@d.example>")


def mail(**over: Any) -> submission.Submission:
    return submission.check(
        **{
            "type": "receipt",
            "sender": submission.Named(name="", address=f"hello@{NEW}"),
            "to": ["kim@example.com"],
            "subject": "x",
            "text": f"Write to hello@{NEW}.",
            "html": None,
            "reply_to": [f"help@{NEW}"],
            "headers": {},
            "campaign": None,
            "list": None,
            **over,
        }
    )


OFFER = Unsubscribe((("List-Unsubscribe", "<https://u.example/1>"),), "https://u.example/1")


def call(one: submission.Submission, domain: str | None, offer: Unsubscribe | None = None) -> dict[str, Any]:
    return json.loads(
        compose.call(
            compose.content(one),
            to="kim@example.com",
            ses_tenant="t",
            configuration_set="s",
            key=KEY,
            attempt=ATTEMPT,
            domain=domain,
            unsubscribe=offer,
        )
    )


def test_simple_content() -> None:
    for name in NAMES:
        sender = submission.Named(name=name, address=f"hello@{NEW}")
        forms = ({}, {"own_headers": [{"X-A": "1"}]}, {"unsubscribe": False}, {"reply_to": []})
        for form in forms:
            written = call(mail(sender=sender, **form), None)
            assert call(mail(sender=sender, **form), NEW) == written
            moved = call(mail(sender=sender, **form), OLD)
            assert moved["FromEmailAddress"] == written["FromEmailAddress"].replace(
                f"hello@{NEW}", f"hello@{OLD}"
            )
            assert moved["FromEmailAddress"] != written["FromEmailAddress"]
            assert {**moved, "FromEmailAddress": ""} == {**written, "FromEmailAddress": ""}


def test_mime_content() -> None:
    for name in NAMES:
        for domain in (OLD, f"x.{OLD}", f"xx.{OLD}"):  # each leaves another rest in base64
            one = mail(
                sender=submission.Named(name=name, address=f"hello@{NEW}"),
                cc=["lee@example.com"],
                text="ä" * 20_000,
            )
            offer = OFFER if name else None
            written, moved = (_parsed(call(one, each, offer)) for each in (None, domain))
            assert moved["From"].addresses[0].addr_spec == f"hello@{domain}"
            assert moved["From"].addresses[0].display_name == written["From"].addresses[0].display_name
            del written["From"], moved["From"]
            assert moved.as_bytes() == written.as_bytes()


def _parsed(body: dict[str, Any]) -> Any:
    data = base64.b64decode(body["Content"]["Raw"]["Data"], validate=True)
    return message_from_bytes(data, policy=policy.default)
