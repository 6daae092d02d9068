"""Starting and stopping: as a process, inside a test's event loop, and with a seed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest

import seslocal
from seslocal.__main__ import main
from seslocal_fixtures import signing


def started(tmp_path: Path, *options: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "seslocal", "--port", "0", "--ready-file", str(ready), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not ready.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    return process, json.loads(ready.read_text())


def test_the_command_prints_its_url_serves_and_stops_on_sigterm(tmp_path: Path) -> None:
    process, ready = started(
        tmp_path, "--rate", "7", "--quota", "70", "--region", "eu-west-1", "--account", "1" * 12
    )
    try:
        session = boto3.Session("test", "test", region_name="eu-west-1")
        client: Any = session.client("sesv2", endpoint_url=f"http://127.0.0.1:{ready['port']}")
        quota = client.get_account()["SendQuota"]
        assert (quota["MaxSendRate"], quota["Max24HourSend"]) == (7, 70)
        arn = client.create_tenant(TenantName="t")["TenantArn"]
        assert arn.startswith(f"arn:aws:ses:eu-west-1:{'1' * 12}:tenant/t/")
        client.close()
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err == ""
    assert f"http://127.0.0.1:{ready['port']}" in out
    assert 'boto3.client("sesv2"' in out


def test_the_ready_line_can_go_to_a_file_descriptor(tmp_path: Path) -> None:
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "seslocal", "--port", "0", "--ready-fd", str(write)],
        pass_fds=[write],
        stdout=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            port = json.loads(pipe.read())["port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_seslocal/health") as answer:
            assert json.loads(answer.read())["status"] == "ok"
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_a_taken_port_is_reported_in_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "seslocal", "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=240,
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--port", "99999", "'99999' is not a whole number from 0 to 65,535"),
        ("--dns-port", "x", "'x' is not a whole number from 0 to 65,535"),
        ("--rate", "-5", "'-5' is not a number from 0 to 1,000,000,000"),
        ("--quota", "nan", "'nan' is not a number from -1 to"),
        ("--management-rate", "-1", "'-1' is not a number from 0 to"),
        ("--event-delay", "soon", "'soon' is not a number from 0 to"),
        ("--speed", "-1", "'-1' is not a number from 0 to"),
        ("--ledger", "0", "'0' is not a whole number from 1 to"),
        ("--queue-most", "1.5", "'1.5' is not a whole number from 1 to"),
        ("--region", "mars", "'mars' is not a region"),
        ("--account", "12", "'12' is not an account id of 12 digits"),
        ("--clock", "yesterday", "time must be a time"),
        ("--key", "abc", "'abc' is not ID:SECRET"),
        ("--allow-host", "ses:8005", "'ses:8005' is not a host name, such as seslocal"),
        ("--allow-host", "*", "'*' is not a host name, such as seslocal"),
        ("--token", "two words", "the token must be at least one and at most 200 printable ASCII characters"),
        ("--max-connections", "0", "'0' is not a whole number from 1 to"),
        ("--head-seconds", "0", "'0' is not a number from 1 to"),
        ("--sns-url", "here", "'here' is not local or a URL"),
        ("--home", __file__, "is not a directory"),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(
    option: str, value: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([f"{option}={value}"])
    assert stopped.value.code == 2
    assert f"argument {option}: " in (err := capsys.readouterr().err)
    assert sentence in err


def test_a_ready_file_that_cannot_be_written_is_reported_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "ready"
    done = subprocess.run(
        [sys.executable, "-m", "seslocal", "--port", "0", "--ready-file", str(path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr == f"seslocal: cannot write the ready line to {path}: No such file or directory.\n"


def get(url: str, token: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_beyond_loopback_it_warns_and_prints_a_token(tmp_path: Path) -> None:
    process, ready = started(tmp_path, "--host", "0.0.0.0", "--allow-host", "seslocal")
    try:
        assert ready["url"] == f"http://127.0.0.1:{ready['port']}"
        assert (tmp_path / "ready.json").stat().st_mode & 0o777 == 0o600
        sent = ready["url"] + "/_seslocal/sent"
        assert [get(sent), get(sent, ready["token"])] == [401, 200]
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert f"WARNING: it listens on 0.0.0.0:{ready['port']}, which other machines can reach." in err
    assert "test:test is known to everyone" in err
    assert f"this token, which was generated: {ready['token']}\n" in err


def test_a_chosen_token_is_not_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESLOCAL_TOKEN", "chosen-for-this-test")
    process, ready = started(tmp_path, "--host", "0.0.0.0", "--no-auth")
    try:
        sent = ready["url"] + "/_seslocal/sent"
        assert [get(sent), get(sent, "chosen-for-this-test")] == [401, 200]
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert "chosen-for-this-test" not in out + err
    assert "Signatures are not checked (--no-auth)" in err


async def test_a_server_in_the_event_loop_stops_with_open_polls() -> None:
    async with seslocal.running() as local:

        def use() -> str:
            session = boto3.Session("test", "test", region_name="us-east-1")
            client: Any = session.client("sesv2", endpoint_url=local.url)
            client.create_email_identity(EmailIdentity="a.example")
            client.close()
            return local.url

        assert (await asyncio.to_thread(use)).startswith("http://127.0.0.1:")
        assert list(local.account.identities) == ["a.example"]
        queue = local.account.queues.ensure("q")
        reader, writer = await asyncio.open_connection(local.host, local.port)
        body = b'{"QueueUrl":"http://x/123456789012/q","WaitTimeSeconds":20}'
        target = {"X-Amz-Target": "AmazonSQS.ReceiveMessage"}
        writer.write(signing.wire("POST", "/", body, target, service="sqs"))
        await writer.drain()
        while not queue.polls:
            await asyncio.sleep(0.001)
    assert await reader.read() == b""
    writer.close()
    with pytest.raises(OSError):
        await asyncio.open_connection(local.host, local.port)


async def test_two_servers_in_one_loop_are_independent() -> None:
    async with seslocal.running() as one, seslocal.running() as two:
        assert one.port != two.port
        one.account.queues.ensure("q")
        assert "q" not in two.account.queues.by_name


class StoppedClock(seslocal.Clock):
    def now(self) -> float:
        return 1_800_000_000.0


async def test_ids_repeat_with_a_seed_and_a_stopped_clock() -> None:
    async def ids() -> list[str]:
        settings = seslocal.Settings(seed=42)
        async with seslocal.running(settings=settings, clock=StoppedClock()) as local:

            def use() -> list[str]:
                session = boto3.Session("test", "test", region_name="us-east-1")
                client: Any = session.client("sesv2", endpoint_url=local.url)
                client.create_email_identity(EmailIdentity="a.example")
                sent = [
                    client.send_email(
                        FromEmailAddress="x@a.example",
                        Destination={"ToAddresses": ["kim@example.com"]},
                        Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
                    )["MessageId"]
                    for _ in range(3)
                ]
                sent.append(client.create_tenant(TenantName="t")["TenantArn"])
                client.close()
                return sent

            return await asyncio.to_thread(use)

    first = await ids()
    assert len(set(first)) == 4
    assert first == await ids()


async def test_the_ledger_keeps_the_newest_and_counts_all() -> None:
    settings = seslocal.Settings(ledger=3, ledger_bytes=10)
    async with seslocal.running(settings=settings) as local:

        def use() -> None:
            session = boto3.Session("test", "test", region_name="us-east-1")
            client: Any = session.client("sesv2", endpoint_url=local.url)
            client.create_email_identity(EmailIdentity="a.example")
            for i in range(5):
                client.send_email(
                    FromEmailAddress="x@a.example",
                    Destination={"ToAddresses": [f"k{i}@example.com"]},
                    Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "123456"}}}},
                )
            client.close()

        await asyncio.to_thread(use)
        lines = list(local.account.mail.ledger.since(0))
        assert (local.account.mail.ledger.total, len(lines)) == (5, 3)
        assert [line.recipients for line in lines] == [
            ("k2@example.com",),
            ("k3@example.com",),
            ("k4@example.com",),
        ]
        assert [line.content is None for line in lines] == [True, True, False]
