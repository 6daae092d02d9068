"""Both clients, against a server that answers as told."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import mailcordon_client
from mailcordon_client import AsyncClient, Attachment, Client, Message, Recipient

ACCEPTED = {
    "id": "msg_1",
    "tenant": "acme",
    "type": "invoice",
    "deliveries": [
        {"id": "msg_1.0", "to": "kim@example.com", "state": "queued"},
        {
            "id": "msg_1.1",
            "to": "lee@example.com",
            "state": "refused",
            "reason": "suppressed",
            "detail": "Hard bounce.",
        },
    ],
}
MESSAGE = Message(
    type="invoice", from_="a@acme.example", to="kim@example.com", subject="Rechnung für März", text="Hallo"
)


def answer(body: object, status: int = 202, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return (
        status,
        {name.replace("_", "-"): value for name, value in headers.items()},
        json.dumps(body).encode(),
    )


Do = Callable[..., Any]


@contextmanager
def sync(url: str) -> Iterator[Do]:
    with Client(url, "mck_x", sleep=lambda seconds: None) as client:
        yield lambda name, argument, **more: getattr(client, name)(argument, **more)


@contextmanager
def asynchronous(url: str) -> Iterator[Do]:
    async def rest(seconds: float) -> None:
        pass

    async def call(name: str, argument: Any, **more: Any) -> Any:
        async with AsyncClient(url, "mck_x", sleep=rest) as client:
            return await getattr(client, name)(argument, **more)

    yield lambda name, argument, **more: asyncio.run(call(name, argument, **more))


BOTH = pytest.mark.parametrize("client", [sync, asynchronous])


@BOTH
def test_a_message_is_sent_with_the_key_and_an_idempotency_key(server, client):
    server.answers = [answer(ACCEPTED)]
    with client(server.url) as do:
        accepted = do("send", MESSAGE)
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/messages")
    assert asked.headers["authorization"] == "Bearer mck_x"
    assert len(asked.headers["idempotency-key"]) == 32
    assert json.loads(asked.body) == {
        "type": "invoice",
        "from": "a@acme.example",
        "to": ["kim@example.com"],
        "subject": "Rechnung für März",
        "text": "Hallo",
    }
    assert accepted.id == "msg_1"
    assert not accepted.replayed
    assert [(one.to, one.reason, one.detail) for one in accepted.refused] == [
        ("lee@example.com", "suppressed", "Hard bounce.")
    ]


@BOTH
def test_a_lost_answer_is_asked_for_again_with_the_same_key_and_body(server, client):
    server.answers = [None, answer({}, 503), answer(ACCEPTED, idempotency_replayed="true")]
    with client(server.url) as do:
        accepted = do("send", MESSAGE)
    assert len({(one.headers["idempotency-key"], one.body) for one in server.asked}) == 1
    assert len(server.asked) == 3
    assert accepted.replayed
    assert accepted.idempotency_key == server.asked[0].headers["idempotency-key"]


@BOTH
def test_an_error_has_the_key_to_send_the_message_again_with(server, client):
    server.answers = [answer({"detail": "Too fast.", "retryable": True}, 429, retry_after="600")]
    with client(server.url) as do, pytest.raises(mailcordon_client.TooMuch, match="Too fast") as caught:
        do("send", MESSAGE)
    assert caught.value.idempotency_key == server.asked[0].headers["idempotency-key"]


@BOTH
def test_a_batch_answers_each_message_and_is_sent_again_with_the_same_keys(server, client):
    busy = {"detail": "Too fast.", "code": "rate-limit", "retryable": True}
    results = [{"status": 202, "message": ACCEPTED}, {"status": 429, "problem": busy, "retry_after": 7}]
    server.answers = [None, answer({"results": results, "accepted": 1, "refused": 1}, 200)]
    with client(server.url) as do:
        first, second = do("send_batch", [MESSAGE, MESSAGE])
    assert server.asked[0].body == server.asked[1].body
    keys = [one["idempotency_key"] for one in json.loads(server.asked[1].body)["messages"]]
    assert "idempotency-key" not in server.asked[1].headers
    assert len(set(keys)) == 2
    assert (first.id, first.idempotency_key) == ("msg_1", keys[0])
    assert isinstance(second, mailcordon_client.TooMuch)
    assert (str(second), second.retry_after, second.idempotency_key) == ("Too fast.", 7, keys[1])


@BOTH
def test_a_batch_that_fails_as_a_whole_has_the_keys_to_send_it_again_with(server, client):
    server.answers = [answer({"detail": "Too fast.", "retryable": True}, 429, retry_after="600")]
    with client(server.url) as do, pytest.raises(mailcordon_client.TooMuch) as caught:
        do("send_batch", [MESSAGE, MESSAGE])
    sent = [one["idempotency_key"] for one in json.loads(server.asked[0].body)["messages"]]
    assert caught.value.idempotency_keys == tuple(sent)


@BOTH
def test_a_key_that_no_header_can_have_is_not_taken_for_a_lost_connection(server, client):
    for key in ("a\nb", "invoice-\u00e9"):
        with client(server.url) as do, pytest.raises(ValueError, match="idempotency key"):
            do("send", MESSAGE, idempotency_key=key)
    assert server.asked == []


@BOTH
def test_an_answer_that_cannot_be_decompressed_is_no_answer(server, client):
    server.answers = [answer({"detail": "x"}, 200, content_encoding="gzip")] * 4
    with client(server.url) as do, pytest.raises(mailcordon_client.NoAnswer):
        do("send", MESSAGE)


@BOTH
def test_a_message_is_shown_and_cancelled(server, client):
    moment = {"at": "2026-11-29T10:00:00.000Z", "what": "accepted", "detail": ""}
    delivery = {
        "id": "msg_1.0",
        "to": "kim@example.com",
        "state": "delivered",
        "since": moment["at"],
        "new": 1,
    }
    shown = {**ACCEPTED, "accepted_at": moment["at"], "deliveries": [{**delivery, "timeline": [moment]}]}
    server.answers = [answer(shown, 200), answer({"id": "msg_1", "cancelled": ["msg_1.0"], "left": 0}, 200)]
    with client(server.url) as do:
        status = do("message", "msg_1")
        cancelled = do("cancel", "../x")
    assert status.deliveries[0].timeline[0].what == "accepted"
    assert status.deliveries[0].json["new"] == 1, "what a newer server adds can be read"
    assert cancelled.cancelled == ("msg_1.0",)
    assert [one.path for one in server.asked] == ["/v1/messages/msg_1", "/v1/messages/..%2Fx"]


@BOTH
def test_an_answer_of_another_server_is_named(server, client):
    for body in ({}, [], "welcome", {"id": "x", "tenant": "t", "type": "u", "deliveries": [1]}):
        server.answers = [answer(body, 200)]
        with client(server.url) as do, pytest.raises(mailcordon_client.BadAnswer):
            do("send", MESSAGE)


def test_nobody_listening_is_no_answer():
    client = Client("http://127.0.0.1:9", "mck_x", retries=mailcordon_client.Retries(most=0))
    with client, pytest.raises(mailcordon_client.NoAnswer, match="127.0.0.1:9"):
        client.send(MESSAGE)


def test_without_a_url_or_a_key_the_client_says_what_to_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MAILCORDON_URL", raising=False)
    monkeypatch.delenv("MAILCORDON_KEY", raising=False)
    with pytest.raises(ValueError, match="MAILCORDON_KEY"):
        Client("http://127.0.0.1:9")
    for url in (None, "mailcordon.internal", "ftp://x", "https://"):
        with pytest.raises(ValueError, match="MAILCORDON_URL"):
            Client(url, "mck_x")
    with pytest.raises(ValueError) as caught:
        Client("http://127.0.0.1:9", "mck_x\nsecret")
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("MAILCORDON_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("MAILCORDON_KEY", "mck_x")
    Client().close()


def test_a_message_says_only_what_was_given():
    whole = Message(
        type="invoice",
        from_="a@acme.example",
        to=[Recipient(address="kim@example.com", name="Kim")],
        cc="lee@example.com",
        reply_to="help@acme.example",
        unsubscribe=False,
        attachments=[
            Attachment(filename="a.pdf", content=b"%PDF"),
            Attachment(filename="logo.png", content=b"\x89PNG", content_id="logo"),
            Attachment(filename="log.csv.gz", content=b"\x1f"),
        ],
    )
    assert whole.json() == {
        "type": "invoice",
        "from": "a@acme.example",
        "to": [{"address": "kim@example.com", "name": "Kim"}],
        "cc": ["lee@example.com"],
        "reply_to": ["help@acme.example"],
        "unsubscribe": False,
        "attachments": [
            {"filename": "a.pdf", "content": "JVBERg==", "content_type": "application/pdf"},
            {
                "filename": "logo.png",
                "content": "iVBORw==",
                "content_type": "image/png",
                "content_id": "logo",
            },
            {"filename": "log.csv.gz", "content": "Hw==", "content_type": "application/octet-stream"},
        ],
    }
