"""Whole messages, batches and later times on a running system: what arrives at SES is what was handed in."""

import base64
import os
import re
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mailcordon_fixtures.traffic import Traffic, domain

CORPUS = Path(os.environ.get("MAILCORDON_SHARED", "nowhere")) / "data" / "robustness" / "mime"
TYPE = "receipt"


@pytest.fixture
async def slug(mail: Traffic) -> str:
    slug = f"raw-{secrets.token_hex(3)}"
    await mail.onboard({slug: (TYPE,)})
    return slug


def whole(slug: str, *lines: str, body: bytes) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"From: Acme <a@{domain(slug, TYPE)}>", *lines))
    return head.encode() + b"\r\n" + body


def message(slug: str, raw: bytes, **more: Any) -> dict[str, Any]:
    return {"tenant": slug, "type": TYPE, "raw": base64.b64encode(raw).decode(), **more}


async def source(mail: Traffic, slug: str, to: str) -> bytes:
    """What SES got for a recipient."""
    [found] = [one for one in await mail.sent(slug) if one["recipients"] == [to]]
    content = (await mail.ses("GET", f"/sent/{found['message_id']}"))["content"]
    return base64.b64decode(content["Raw"]["Data"])


async def test_a_whole_message_arrives_byte_by_byte_for_each_recipient(mail: Traffic, slug: str) -> None:
    lines = (
        "To: Kim <kim@example.com>",
        "Cc: lee@example.com",
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
        "Date: Mon, 1 Jan 2024 10:00:00 +0000",
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="b"',
        "References: <1@acme.example>\r\n <2@acme.example>",
    )
    body = (
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
        b'--b\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        + base64.encodebytes(secrets.token_bytes(300_000)).replace(b"\n", b"\r\n")
        + b"--b--\r\n"
    )
    removed = ("X-SES-TENANT: zen", "Bcc: ann@example.com", "Received: from a\r\n\tby b")
    status, said = await mail.call(
        "POST", "/v1/messages", message(slug, whole(slug, *lines[:3], *removed, *lines[3:], body=body))
    )
    assert status == 202, said
    assert said["headers_removed"] == ["X-SES-TENANT", "Bcc", "Received"]
    people = ["kim@example.com", "lee@example.com", "ann@example.com"]
    assert [one["to"] for one in said["deliveries"]] == people
    await mail.all_final(slug)
    for to in people:
        assert await source(mail, slug, to) == whole(slug, *lines, body=body)


async def test_mail_for_a_later_time_leaves_then_and_not_before(mail: Traffic, slug: str) -> None:
    at = time.time() + 1.5
    body = {
        "tenant": slug,
        "type": TYPE,
        "from": f"a@{domain(slug, TYPE)}",
        "to": "kim@example.com",
        "subject": "Later",
        "text": "Hello",
        "send_at": datetime.fromtimestamp(at, UTC).isoformat(),
        "tags": {"order": "17"},
    }
    status, said = await mail.call("POST", "/v1/messages", body)
    assert status == 202, said
    assert said["deliveries"][0]["state"] == "waiting"
    await mail.all_final(slug)
    _, shown = await mail.call("GET", f"/v1/messages/{said['id']}?tenant={slug}")
    assert shown["tags"] == {"order": "17"}
    called = [one["at"] for one in shown["deliveries"][0]["timeline"] if one["what"] == "called"]
    assert called
    assert all(one >= shown["send_at"] for one in called)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="MAILCORDON_SHARED names no folder with hostile mail")
async def test_hostile_mime_is_refused_with_a_sentence_or_arrives_as_it_is(mail: Traffic, slug: str) -> None:
    own = f"From: a@{domain(slug, TYPE)}".encode()
    files = [path.read_bytes() for path in sorted(CORPUS.iterdir())]
    # Most are from somebody else. With a From of ours, more of them get further.
    files += [re.sub(rb"(?im)^from:[^\r\n]*(\r?\n[ \t]+[^\r\n]*)*", own, raw, count=1) for raw in files]
    messages = [
        message(slug, raw, to=f"kim{number}@example.com", idempotency_key=str(number))
        for number, raw in enumerate(files)
    ]
    results: list[dict[str, Any]] = []
    for start in range(0, len(messages), 50):
        batch = {"messages": messages[start : start + 50]}
        status, said = await mail.call("POST", "/v1/messages/batch", batch)
        assert status == 200, said
        results += said["results"]
    assert {one["status"] for one in results} == {202, 422}
    for one in results:
        assert one["status"] == 202 or all(each["problem"] for each in one["problem"]["errors"])
    await mail.all_final(slug)
    arrived = {one["recipients"][0]: one["message_id"] for one in await mail.sent(slug)}
    taken = [number for number, one in enumerate(results) if one["status"] == 202]
    assert len(taken) > 20
    for number in taken:
        found = await mail.ses("GET", f"/sent/{arrived[f'kim{number}@example.com']}")
        got = base64.b64decode(found["content"]["Raw"]["Data"])
        body = re.split(rb"\r?\n\r?\n", files[number], maxsplit=1)[1]
        assert got.endswith(b"\r\n\r\n" + body)
