"""What one client of submission may take."""

import asyncio
import contextlib

import pytest

from mailcordon.adapters.smtp import connection
from mailcordon.door.limits import Limits
from mailcordon_fixtures.smtp_client import MAIL, Smtp

MB = 1024 * 1024


class TestFewConnections:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(connections=4, connections_per_key=2)

    async def test_connections_are_counted_for_key_address_and_process(self, smtp: Smtp) -> None:
        keyed = [await smtp.logged_in() for _ in range(2)]
        third = await smtp.greeted()
        code, text = await third.login("acme", smtp.tokens["acme"])
        assert code == 421
        assert "Your key is in use on 2 connections" in text
        assert await third.is_closed()
        strangers = [await smtp.greeted() for _ in range(2)]
        # The process is full: the oldest stranger makes room, and keys keep their connections.
        newest = await smtp.connect()
        assert (await strangers[0].reply())[0] == 421
        assert (await newest.reply())[0] in (220, 421)
        for client in keyed:
            assert (await client.send())[0] == 250


async def test_large_mail_of_one_key_takes_bounded_memory_and_gives_it_back(smtp: Smtp) -> None:
    client, other = await smtp.logged_in(), await smtp.logged_in()
    ticket_bytes = smtp.door.limits.body_memory // 2
    for line in ("MAIL FROM:<a@acme.example>", "RCPT TO:<kim@example.com>", "DATA"):
        assert (await client.say(line))[0] < 400
    smtp.door.facts.body_bytes = smtp.door.limits.body_memory - MB
    await client.write(MAIL + ("x" * 70 + "\r\n") * (2 * MB // 72) + ".\r\n")
    code, text = await client.reply()
    assert (code, text[:5]) == (452, "4.3.1")
    assert ticket_bytes
    smtp.door.facts.body_bytes -= smtp.door.limits.body_memory - MB
    assert smtp.door.facts.body_bytes == 0
    assert (await client.send())[0] == 250
    assert (await other.send(MAIL.replace("<1@", "<2@")))[0] == 250


async def test_a_mail_that_is_too_large_is_refused_at_once_or_at_its_end(smtp: Smtp) -> None:
    smtp.door.most_bytes = MB
    client = await smtp.logged_in()
    code, text = await client.say(f"MAIL FROM:<a@acme.example> SIZE={MB + 1}")
    assert (code, text[:5]) == (552, "5.3.4")
    for line in ("MAIL FROM:<a@acme.example>", "RCPT TO:<kim@example.com>", "DATA"):
        assert (await client.say(line))[0] < 400
    await client.write(MAIL + ("x" * 70 + "\r\n") * (MB * 3 // 2 // 72) + ".\r\n")
    code, text = await client.reply()
    assert (code, text[:5]) == (552, "5.3.4")
    assert "at most 1,048,576 bytes" in text
    assert (await client.send())[0] == 250
    for line in ("MAIL FROM:<a@acme.example>", "RCPT TO:<kim@example.com>", "DATA"):
        assert (await client.say(line))[0] < 400
    with contextlib.suppress(ConnectionError):
        await client.write(("x" * 70 + "\r\n") * (4 * MB // 72))  # has no end
    assert (await client.reply())[0] == 552
    assert await client.is_closed()


async def test_a_command_without_an_end_is_refused(smtp: Smtp) -> None:
    client = await smtp.greeted()
    await client.write("x" * 3000)
    assert (await client.reply())[0] == 500
    assert await client.is_closed()


async def test_a_client_that_does_nothing_useful_is_closed(smtp: Smtp) -> None:
    client = await smtp.greeted()
    codes = [(await client.say("NOOP"))[0] for _ in range(50)]
    assert codes == [250] * 49 + [421]
    client = await smtp.logged_in()
    for _ in range(connection.MOST_ERRORS):
        assert (await client.say("FROBNICATE"))[0] == 500
    assert (await client.say("FROBNICATE"))[0] == 421
    assert await client.is_closed()


class TestSlowClients:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(body_seconds=0.2, head_seconds=0.2)

    async def test_a_mail_that_does_not_come_and_a_handshake_that_does_not_end_are_closed(
        self, smtp: Smtp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connection, "TICK", 0.1)
        monkeypatch.setattr(connection, "LOGIN_SECONDS", 0.1)
        monkeypatch.setattr(connection, "IDLE_SECONDS", 0.1)
        sending, idle = await smtp.logged_in(), await smtp.logged_in()
        for line in ("MAIL FROM:<a@acme.example>", "RCPT TO:<kim@example.com>", "DATA"):
            await sending.write(line + "\r\n")
        for code in (250, 250, 354, 421):
            assert (await sending.reply())[0] == code
        assert await sending.is_closed()
        assert (await idle.reply())[0] == 421
        assert await idle.is_closed()
        stranger = await smtp.connect()
        assert [(await stranger.reply())[0] for _ in range(2)] == [220, 421]
        silent = await smtp.connect(smtp.tls_port)
        assert await silent.is_closed()


async def test_at_the_end_of_the_process_mail_is_answered_and_idle_clients_are_told(smtp: Smtp) -> None:
    idle, sending = await smtp.logged_in(), await smtp.logged_in()
    for line in ("MAIL FROM:<a@acme.example>", "RCPT TO:<kim@example.com>", "DATA"):
        await sending.say(line)
    smtp_lock = smtp.world.connection.transaction()
    await smtp_lock.start()
    await smtp.world.connection.execute("lock table message in exclusive mode")
    await sending.write(MAIL + ".\r\n")
    while smtp.door.facts.body_bytes == 0:
        await asyncio.sleep(0)
    drained = asyncio.create_task(smtp.door.drain(30))
    assert (await idle.reply())[0] == 421
    await smtp_lock.rollback()
    assert (await sending.reply())[0] == 250
    assert (await sending.reply())[0] == 421
    await drained
    assert await smtp.world.count("message") == 1
