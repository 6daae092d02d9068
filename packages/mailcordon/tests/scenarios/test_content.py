"""Content from the API to the mail that arrives: who sees whom, files, pictures; the same parts in each form that SES takes."""

import base64
import secrets
from typing import Any

from mailcordon_fixtures.traffic import Traffic, domain
from real_clients import comparing

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LARGE = base64.encodebytes(bytes(range(256)) * 2800).decode()  #: more than the dispatcher reads with a claim
CONTENT: dict[str, Any] = {
    "subject": "Grüße – 請求書 😀",
    "text": "Danke, Zoë.\n\n.\nFrom here on\n" + "lang " * 300,
    "html": '<p>Danke <img src="cid:pixel@acme"></p>' + "ü" * 2000,
    "headers": {"X-Order": "17", "References": " ".join(f"<{n:032x}@acme.example>" for n in range(12))},
    "reply_to": [{"address": "help@acme.example", "name": "Hilfe, Ä"}],
    "attachments": [
        {"filename": "pixel.png", "content": PIXEL, "content_id": "pixel@acme"},
        {"filename": "Rechnung Ä.pdf", "content": LARGE, "content_type": "application/pdf"},
        {"filename": "invite.ics", "content": "aGk=", "content_type": "text/calendar; method=REQUEST"},
    ],
}


async def test_whoever_sees_a_mail_it_has_the_same_parts_and_nobody_sees_bcc(mail: Traffic) -> None:
    slug = f"content-{secrets.token_hex(3)}"
    await mail.onboard({slug: ["receipt"]})
    forms: dict[str, dict[str, Any]] = {
        "alone": {"to": "Kim Ä <kim@example.com>"},
        "visible": {
            "to": ["Kim Ä <kim@example.com>", {"address": "lee@example.com", "name": "Lee"}],
            "cc": {"address": "pat@example.com", "name": "太郎, 山田"},
            "bcc": "boss@example.com",
        },
        "mailing": {"to": ["Kim Ä <kim@example.com>", "lee@example.com"], "individually": True},
    }
    for over in forms.values():
        status, said = await mail.call(
            "POST",
            "/v1/messages",
            {
                "tenant": slug,
                "type": "receipt",
                "from": {"address": f"a@{domain(slug, 'receipt')}", "name": "Grüße, Acme"},
                **CONTENT,
                **over,
            },
        )
        assert status == 202, said
    await mail.all_final(slug)
    found = [(one["recipients"], await source(mail, one["message_id"])) for one in await mail.sent(slug)]
    assert sorted(to for to, _ in found) == sorted(
        [[f"{name}@example.com"] for name in ("boss", "kim", "kim", "kim", "lee", "lee", "pat")]
    )
    seen = [comparing.seen(mail) for _, mail in found]
    assert all(b"boss" not in one and b"bcc:" not in one.lower() for _, one in found)
    kim, lee, pat = (
        ("KimÄ", "kim@example.com"),
        ("Lee", "lee@example.com"),
        ("太郎,山田", "pat@example.com"),
    )
    assert sorted(str((one.headers["to"], one.headers.get("cc"))) for one in seen) == sorted(
        str(one)
        for one in (
            ([[kim]], None),  # alone
            *[([[kim, lee]], [[pat]])] * 4,
            ([[kim]], None),  # of the mailing
            ([[("", "lee@example.com")]], None),
        )
    )
    first = seen[0]
    assert [one.kind for one in first.parts] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "image/png", "application/pdf", "text/calendar",
    ]  # fmt: skip
    assert first.parts[5].content == base64.b64decode(LARGE)
    assert first.parts[4].disposition == "inline"
    assert all(b"<pixel@acme>" in one for _, one in found)
    assert all(one.parts == first.parts for one in seen)
    assert all({**one.headers, "to": 0, "cc": 0} == {**first.headers, "to": 0, "cc": 0} for one in seen)


async def source(mail: Traffic, message_id: str) -> bytes:
    async with mail.http.get(f"{mail.system.ses_url}/mail/{message_id}/source") as answer:
        return await answer.read()
