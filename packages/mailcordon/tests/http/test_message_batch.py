"""A batch answers each message as if it had come alone; whole messages, later times and own tags come and are shown."""

import base64
import datetime
import threading
from typing import Any

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.http import problems
from mailcordon.control.key_cache import KeyCache
from mailcordon.core import ids
from mailcordon.core.key_limits import KeyLimits
from mailcordon.door.buckets import TENANT_RATES, Buckets, Rates
from mailcordon.intake import Intake
from mailcordon.send import raw_mail
from mailcordon_fixtures.queue_world import accepting

from . import test_messages
from .test_messages import GOOD, Api, problem

api, world = test_messages.api, test_messages.world  # fixtures

BATCH = "/v1/messages/batch"
RAW = (
    b"From: Acme <a@password-reset.acme.example>\r\nTo: Kim <kim@example.com>\r\nSubject: Hi\r\n"
    b"X-SES-TENANT: zen\r\nReceived: from a by b\r\n\r\nHello\r\n"
)


async def batch(api: Api, *messages: Any, who: str = "acme", **headers: str) -> Any:
    answer = await api.ask("POST", BATCH, who, json={"messages": messages}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def encoded(raw: bytes) -> dict[str, str]:
    return {"type": "password-reset", "raw": base64.b64encode(raw).decode()}


async def test_each_message_of_a_batch_has_its_own_answer_in_order(api: Api) -> None:
    await api.world.suppress("acme", "gone@example.com")
    before = await api.rows()
    messages = [
        GOOD,
        {**GOOD, "to": "nobody", "subject": ""},
        {**GOOD, "type": "fax"},
        {**GOOD, "to": "gone@example.com"},
        {**GOOD, "tenant": "zen"},
        {**GOOD, "type": 7},
        [],
        encoded(RAW),
        {**GOOD, "text": "x" * 300_000},
    ]
    said = await batch(api, *messages)
    assert (said["accepted"], said["refused"]) == (4, 5)
    assert [one["status"] for one in said["results"]] == [202, 422, 422, 202, 403, 422, 422, 202, 202]
    assert [one["field"] for one in said["results"][1]["problem"]["errors"]] == ["to[0]", "subject"]
    assert said["results"][2]["problem"]["code"] == "unknown-type"
    assert said["results"][3]["message"]["deliveries"][0]["state"] == "refused"
    assert said["results"][7]["message"]["headers_removed"] == ["X-SES-TENANT", "Received"]
    assert (await api.rows())["message"] == before["message"] + 4
    shown = await api.ask("GET", f"/v1/messages/{said['results'][0]['message']['id']}")
    assert shown.json()["deliveries"][0]["to"] == "kim@example.com"


async def test_a_batch_that_is_sent_again_stores_nothing_twice(api: Api) -> None:
    messages = [{**GOOD, "idempotency_key": f"k{number}"} for number in range(3)]
    first = await batch(api, *messages)
    count = await api.world.count("message")
    again = await batch(api, *messages, {**GOOD, "subject": "Another", "idempotency_key": "k0"})
    *replayed, conflict = again["results"]
    assert [one["message"]["id"] for one in replayed] == [one["message"]["id"] for one in first["results"]]
    assert all(one["replayed"] for one in replayed)
    assert (conflict["status"], conflict["problem"]["code"]) == (409, "idempotency")
    assert await api.world.count("message") == count


async def test_a_batch_of_a_thousand_is_stored_whole(api: Api) -> None:
    said = await batch(api, *[{**GOOD, "to": f"kim{number}@example.com"} for number in range(1000)])
    assert said["accepted"] == 1000
    sent_to = [one["message"]["deliveries"][0]["to"] for one in said["results"]]
    assert sent_to == [f"kim{number}@example.com" for number in range(1000)]


async def test_what_is_wrong_with_a_batch_itself_stores_nothing(api: Api) -> None:
    before = await api.rows()
    for body, who, headers, expected in (
        ({"messages": []}, "acme", {}, (422, "invalid", ["messages"])),
        ({"messages": [GOOD] * 1001}, "acme", {}, (422, "invalid", ["messages"])),
        ({"messages": [GOOD]}, "acme", {"idempotency-key": "k"}, (422, "invalid", ["Idempotency-Key"])),
        ({"messages": [GOOD]}, "reader", {}, (403, "scope-missing", [])),
        ({"messages": [GOOD]}, None, {}, (401, "unauthorised", [])),
        (GOOD, "acme", {}, (422, "invalid", ["type"])),
    ):
        found = problem(await api.ask("POST", BATCH, who, json=body, headers=headers))
        assert (*found[:2], found[2][:1]) == expected, expected
    too_large = b" " * (problems.MAX_MESSAGES_BODY + 1)
    assert problem(await api.ask("POST", BATCH, "acme", content=too_large))[:2] == (413, "too-large")
    assert (await api.ask("PUT", BATCH, "acme", json={})).status_code == 405
    assert problem(await api.post({**GOOD, "idempotency_key": "k"}))[2] == ["idempotency_key"]
    assert await api.rows() == before


async def test_a_key_that_is_used_up_refuses_what_is_left_of_a_batch(api: Api) -> None:
    await api.key("slow", "acme", "send", limits=KeyLimits(messages_per_second=0.5))
    said = await batch(api, *[GOOD] * 10, who="slow")
    refused = [one for one in said["results"] if one["status"] == 429]
    assert said["accepted"] + len(refused) == 10
    assert refused
    assert all(one["retry_after"] >= 1 and one["problem"]["retryable"] for one in refused)


async def test_a_whole_message_names_what_was_taken_out_also_when_it_is_repeated(api: Api) -> None:
    made = await api.accepted(encoded(RAW), idempotency_key="raw")
    assert made["headers_removed"] == ["X-SES-TENANT", "Received"]
    assert [one["to"] for one in made["deliveries"]] == ["kim@example.com"]
    again = await api.accepted(encoded(RAW), idempotency_key="raw")
    assert (again["id"], again["headers_removed"]) == (made["id"], made["headers_removed"])
    foreign = RAW.replace(b"@password-reset.acme", b"@password-reset.zen")
    assert problem(await api.post(encoded(foreign)))[:2] == (422, "foreign-domain")
    assert problem(await api.post(encoded(b"no headers")))[2] == ["raw"]


async def test_own_tags_are_shown_and_count_as_the_body_of_a_key(api: Api) -> None:
    tags = {"order": "17", "ünïcode-free": "x"}
    assert problem(await api.post({**GOOD, "tags": tags}))[2] == ["tags"]
    bad = {"a": "", "b": "x" * 257, "c": "line\nbreak"}
    assert problem(await api.post({**GOOD, "tags": bad}))[2] == ["tags.a", "tags.b", "tags.c"]
    assert problem(await api.post({**GOOD, "tags": {str(n): "x" for n in range(21)}}))[2] == ["tags"]
    together = {**GOOD, "subject": "", "tags": {"a b": "x"}, "send_at": "tomorrow"}
    assert problem(await api.post(together))[2] == ["subject", "tags", "send_at"], "all faults at once"
    made = await api.accepted({**GOOD, "tags": {"order": "№ 17"}}, idempotency_key="k")
    shown = (await api.ask("GET", f"/v1/messages/{made['id']}")).json()
    assert (shown["tags"], shown["send_at"]) == ({"order": "№ 17"}, None)
    assert problem(await api.post({**GOOD, "tags": {"order": "18"}}, idempotency_key="k"))[1] == "idempotency"


async def test_mail_for_a_later_time_is_accepted_shown_and_cancelled(api: Api) -> None:
    for text, sentence in (
        ("tomorrow", "ISO 8601"),
        ("2026-01-01T00:00:00", "ISO 8601"),
        ("2026-01-01T00:00:00Z", "in the past"),
        ("9999-12-31T23:59:59-12:00", "ISO 8601"),
        ("2099-01-01T00:00:00+01:00", "at most 30 days"),
    ):
        answer = await api.post({**GOOD, "send_at": text})
        assert problem(answer) == (422, "invalid", ["send_at"])
        assert sentence in answer.json()["detail"], text
    moment = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(hours=5)
    made = await api.accepted({**GOOD, "send_at": moment.isoformat()})
    [delivery] = made["deliveries"]
    assert (delivery["state"], delivery["reason"]) == ("waiting", "scheduled")
    shown = (await api.ask("GET", f"/v1/messages/{made['id']}")).json()
    assert shown["send_at"] == moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert shown["accepted_at"] < shown["send_at"]
    assert shown["deliveries"][0]["detail"] == delivery["detail"]
    gone = (await api.ask("DELETE", f"/v1/messages/{made['id']}")).json()
    assert gone["cancelled"] == [ids.delivery_id(ids.parse_message_id(made["id"]) + 1)]


async def test_a_whole_message_is_checked_in_a_thread_before_it_is_large(api: Api) -> None:
    threads: list[str] = []
    pool = await engine.create_pool(api.world.database.dsn("control"))
    principal = await KeyCache(KeyStore(pool)).authenticate(f"Bearer {api.tokens['acme']}")
    await pool.close()

    def parse() -> Any:
        threads.append(threading.current_thread().name)
        return "acme", raw_mail.check(RAW, type="password-reset")

    async def again() -> Any:
        return principal

    async with accepting(api.world) as accept:
        intake = Intake(accept, Buckets(Rates(), TENANT_RATES, lambda limit: None))
        for size, mime in ((40_000, True), (40_000, False), (30_000, True)):
            await intake.take(principal, size, parse, key=None, again=again, mime=mime)
    assert threads[0].startswith("large-message")
    assert threads[1:] == [threading.current_thread().name] * 2
