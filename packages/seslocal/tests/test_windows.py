"""What Windows lacks is taken away from a process of this system. Nothing here was run on Windows itself."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from seslocal.kept.journal import Journal
from seslocal_fixtures import as_on_windows

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are found in /proc")

SCENARIO = [{"at": 3600, "call": "POST /faults", "body": {"fault": "refuse", "message": "später"}}]
POLICY = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def started(directory: Path, *options: str) -> tuple[subprocess.Popen[str], bytes]:
    ready = directory / "ready.json"
    ready.unlink(missing_ok=True)
    process = subprocess.Popen(
        [
            sys.executable, "-X", "warn_default_encoding", as_on_windows.__file__,
            "--port", "0", "--ready-file", str(ready), "--state", str(directory / "state"), *options,
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not ready.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    return process, ready.read_bytes()


def client(line: bytes) -> Any:
    session: Any = boto3.Session("test", "test", region_name="us-east-1")
    return session.client("sesv2", endpoint_url=json.loads(line)["url"])


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> None:
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, ""), out


def test_it_starts_serves_keeps_its_state_and_stops_on_ctrl_c_without_what_windows_lacks(
    tmp_path: Path,
) -> None:
    (tmp_path / "world.toml").write_text("seed = 1 # größer\n", encoding="utf-8")
    for name, content in (("scenario", SCENARIO), ("policy", POLICY)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    files = [
        "--world",
        str(tmp_path / "world.toml"),
        "--scenario",
        str(tmp_path / "scenario.json"),
        "--policy",
        f"test={tmp_path / 'policy.json'}",
    ]
    process, line = started(tmp_path, "--home", str(tmp_path), "--dns-port", "0", *files)
    try:
        ses = client(line)
        ses.create_email_identity(EmailIdentity="acme.example")
        text = {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}
        ses.send_email(
            FromEmailAddress="a@acme.example",
            Destination={"ToAddresses": ["k@example.com"]},
            Content={"Simple": text},
        )
        ses.close()
    finally:
        stopped(process, signal.SIGINT)
    process, line = started(tmp_path)  # reads the journal, and replaces it
    try:
        ses = client(line)
        assert [one["IdentityName"] for one in ses.list_email_identities()["EmailIdentities"]] == [
            "acme.example"
        ]
        ses.close()
    finally:
        stopped(process, signal.SIGTERM)


def test_a_journal_is_closed_before_it_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    assert journal.lock()
    journal.append(b"one")
    refusing = as_on_windows.refusing_open_files(Path.replace)
    monkeypatch.setattr(Path, "replace", refusing)
    with (tmp_path / "journal").open("rb"), pytest.raises(PermissionError):
        journal.rewrite([b"two"])  # the simulation refuses
    journal.append(b"three")
    journal.rewrite([b"four"])
    journal.append(b"five")
    journal.close()
    assert Journal(tmp_path).read() == ([b"four", b"five"], None)


def test_the_loop_of_the_simulation_refuses_signal_handlers() -> None:
    loop = as_on_windows.Loop()
    with pytest.raises(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, lambda: None)
    loop.close()


@pytest.mark.parametrize("module", ["uvloop", "resource"])
def test_a_module_that_windows_lacks_is_not_needed(module: str) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from seslocal import __main__ as main\n"
        "main._allow_many_files(); print(main._loop_factory() is None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == (str(module == "uvloop"), "")


async def test_the_fixtures_server_needs_no_signal_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    from seslocal import testing

    monkeypatch.setattr(asyncio, "new_event_loop", as_on_windows.Loop)
    with testing.serving() as server:
        assert (await asyncio.to_thread(server.seslocal.admin, "GET", "/health"))["status"] == "ok"
