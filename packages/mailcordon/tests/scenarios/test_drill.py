"""The drill on real processes: it passes, and if mail or an event is lost it says where."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from mailcordon_fixtures import systems

DRILL_FAILED = 6
PATIENCE = 60  #: seconds, on a busy machine


Run = Callable[..., tuple[int, str, str]]


def drilled(run: Run, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the document of a drill in this process."""
    code, out, _ = run("drill", *words, "--json")
    return code, json.loads(out)


def asked(method: str, url: str, body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {} if data is None else {"Content-Type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(url, data, headers, method=method), timeout=60
    ) as response:
        return json.loads(response.read() or b"{}")


@contextlib.contextmanager
def fault(system: systems.System, **which: object) -> Iterator[None]:
    made = asked("POST", f"{system.ses_url}/_seslocal/faults", which)
    try:
        yield
    finally:
        asked("DELETE", f"{system.ses_url}/_seslocal/faults/{made['id']}")


@contextlib.contextmanager
def stopped(system: systems.System, name: str) -> Iterator[None]:
    pid = system.processes[name]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_every_step_of_the_drill_passes_even_after_one_that_failed(system: systems.System, run: Run) -> None:
    with fault(system, fault="drop_events", events=["Bounce"]):
        code, found = drilled(run, "--patience", "3")
    assert code == DRILL_FAILED
    last = found["steps"][-1]
    assert last["title"].startswith("Mail of one tenant to kim bounces")
    assert "No Bounce event for kim@" in last["wrong"]
    assert "lost between SES and the queue" in last["wrong"]
    assert "drop_events of Bounce, 1 time." in last["wrong"]

    code, found = drilled(run, "--patience", str(PATIENCE))
    assert code == 0, found
    assert [step["wrong"] for step in found["steps"]] == [None] * 13
    states = {
        (one["tenant"].partition("-")[0], one["type"], one["to"][:3]): one["state"]
        for one in found["deliveries"]
    }
    # The last mail of each kind.
    assert states["acme", "password-reset", "kim"] == "refused"
    assert states["zen", "password-reset", "kim"] == "delivered"
    assert states["acme", "newsletter", "lee"] == "refused"
    assert states["acme", "password-reset", "lee"] == "delivered"
    assert states["acme", "newsletter", "rob"] == "delivered"
    culprits, mitigated = (step["seen"] for step in found["steps"][-2:])
    print(culprits, mitigated, sep="\n")
    assert re.search(
        r"list bought of acme-\w+/newsletter \(100 % of what is too much\): identified after", culprits
    )
    assert re.search(
        r"user test \(127\.0\.0\.1\), who changed event-destination mc-\w+-marketing/outcome", culprits
    )
    assert re.search(r"zen-\w+ is in no incident, and all of its mail was delivered", mitigated)
    # What it changed for that is as before.
    code, out, _ = run("drift", "policy", "--json")
    policies = {one["kind"]: one["act"] for one in json.loads(out)["items"]}
    assert (code, policies["destination-disabled"]) == (0, "apply")
    tenants = {one["tenant"] for one in found["deliveries"]}
    _, out, _ = run("incident", "list", "--kind", "rates", "--json")
    assert [one for one in json.loads(out)["items"] if one["tenant"] in tenants] == []
    _, out, _ = run("holds", "list", "--open", "--json")
    assert [one for one in json.loads(out)["items"] if one["tenant"] in tenants] == []


def test_without_a_running_system_the_drill_starts_a_temporary_one_and_leaves_nothing(
    short_home: Callable[[], AbstractContextManager[Path]],
) -> None:
    with short_home() as home:
        done = systems.mailcordon(home, "drill", "--patience", str(PATIENCE), TMPDIR=str(home))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "All 13 steps passed in" in done.stdout
        assert list(home.iterdir()) == []
        assert systems.processes_naming(str(home)) == {}


@pytest.mark.parametrize(
    ("role", "says"),
    [
        ("dispatch", "SES did not receive the password-reset of acme"),
        ("observe", "unread in the queue mailcordon-outcome"),
    ],
)
def test_with_a_role_stopped_the_drill_says_where_its_mail_was_last_seen(
    system: systems.System, run: Run, role: str, says: str
) -> None:
    with stopped(system, role):
        code, found = drilled(run, "--patience", "2")
    assert code == DRILL_FAILED
    assert says in found["steps"][-1]["wrong"]
    assert role in found["steps"][-1]["wrong"]


def test_the_drill_refuses_an_ses_that_is_not_the_local_one(
    system: systems.System, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILCORDON_HOME", str(tmp_path))
    for ses_url, why in (
        (None, "not known to send through a local SES"),
        ("https://email.example.com", "not on this machine"),
    ):
        (tmp_path / "cli.json").write_text(
            json.dumps({"url": system.url, "key": system.key, "ses_url": ses_url})
        )
        code, found = drilled(run)
        assert code == 1
        assert why in found["problem"]["detail"]


def test_a_ledger_that_does_not_have_the_tenants_stops_the_drill_before_it_sends(
    system: systems.System, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILCORDON_HOME", str(tmp_path))
    # Another local SES than the one the system sends through: as good as AWS to the drill.
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "seslocal", "--port", "0", "--ready-file", str(ready)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as other_ses:
        try:
            systems.wait_until(ready.exists, "the other local SES is there")
            other = {"url": system.url, "key": system.key, "ses_url": json.loads(ready.read_text())["url"]}
            (tmp_path / "cli.json").write_text(json.dumps(other))
            sent_before = asked("GET", f"{system.ses_url}/_seslocal/health")["sent"]
            code, found = drilled(run)
            assert code == DRILL_FAILED
            assert "does not send through the local SES" in found["steps"][-1]["wrong"]
            assert found["deliveries"] == []
            assert asked("GET", f"{system.ses_url}/_seslocal/health")["sent"] == sent_before
        finally:
            other_ses.terminate()
