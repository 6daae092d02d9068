"""The audit trail of a running system: who acted, whether it is whole, and one tenant's part of it."""

import contextlib
import getpass
import io
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest
from typer.main import get_command

from mailcordon import __main__ as program
from mailcordon_fixtures import systems


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


class System:
    """The running system, and the whole command line in this process."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._main: Callable[..., None] = get_command(program.command_line()).main

    def cli(self, *words: str, **settings: str) -> Done:
        out, err = io.StringIO(), io.StringIO()
        environment = mock.patch.dict("os.environ", systems.environment(self.home, settings), clear=True)
        with environment, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                self._main(list(words), prog_name="mailcordon")
                code = 0
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Done(code, out.getvalue(), err.getvalue())


def onboarded(system: System) -> tuple[str, dict[str, Any]]:
    slug = f"audit-{secrets.token_hex(3)}"
    done = system.cli("tenant", "onboard", slug, "--type", f"newsletter=news.{slug}.example", "--json")
    assert done.returncode == 0, done.stderr
    return slug, json.loads(done.stdout)


def document(system: System, *words: str, code: int = 0) -> dict[str, Any]:
    done = system.cli(*words, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def here(system: systems.System) -> System:
    return System(system.home)


@pytest.fixture(scope="module")
def tenant(here: System) -> tuple[str, str]:
    """A tenant with a suppression that Kim Lee added, and its own key."""
    slug, made = onboarded(here)
    key = document(
        here, "key", "create", "--platform", "--name", "desk", "--holder", "Kim Lee", "--scope", "operate", "--scope", "read"
    )  # fmt: skip
    words = ("suppression", "add", "zoe@example.com", "--tenant", slug, "--because", "asked by letter")
    assert here.cli(*words, "--scope", "tenant", "--key", key["key"]).returncode == 0
    return slug, made["api_key"]["key"]


def test_the_trail_names_the_holder_of_a_key_and_shows_what_is_personal(
    here: System, tenant: tuple[str, str]
) -> None:
    slug, _ = tenant
    [row] = [
        one for one in document(here, "audit", "--tenant", slug)["items"] if one["action"] == "suppression.add"
    ]  # fmt: skip
    assert row["actor"].startswith("Kim Lee (key desk, ")
    assert (row["object"], row["because"]) == (
        "suppression of zoe@example.com, scope tenant",
        "asked by letter",
    )
    assert "Kim Lee" in here.cli("key", "list", "-o", "wide").stdout
    assert "Kim Lee" in here.cli("audit", "list", "-o", "wide", "--tenant", slug).stdout


def test_the_command_lines_own_key_is_held_by_the_user_of_this_machine(here: System) -> None:
    slug, _ = onboarded(here)
    [row] = [
        one for one in document(here, "audit", "--tenant", slug)["items"] if one["action"] == "tenant.onboard"
    ]
    assert row["actor"].startswith(f"{getpass.getuser()} (key cli, ")


def test_the_trail_of_a_running_system_is_whole(here: System, tenant: tuple[str, str]) -> None:
    found = document(here, "audit", "verify")
    assert (found["ok"], found["break"]) == (True, None)
    assert found["rows"] > 10
    done = here.cli("audit", "verify")
    assert (done.returncode, "is whole" in done.stdout) == (0, True)
    doctor = here.cli("doctor", "--json")
    [said] = [one for one in json.loads(doctor.stdout)["findings"] if one["about"] == "audit trail"][:1]
    assert said["state"] == "ok"


@pytest.mark.parametrize("whose", ["platform", "own"])
def test_a_tenants_part_is_checked_without_a_server(
    here: System, tenant: tuple[str, str], whose: str, tmp_path: Path
) -> None:
    slug, own = tenant
    other, _ = onboarded(here)
    file, kept = tmp_path / "part.jsonl", tmp_path / "kept.jsonl"
    words = ("--tenant", slug) if whose == "platform" else ("--key", own)
    wrote = document(here, "audit", "export", *words, "--file", str(file))
    assert wrote["own_rows"] >= 2
    text = file.read_text()
    assert "zoe@example.com" in text
    assert other not in text
    nowhere = {"MAILCORDON_HOME": str(tmp_path / "nowhere")}
    done = here.cli("audit", "verify", "--export", str(file), "--json", **nowhere)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["ok"], found["tenant"], found["own_rows"]) == (True, slug, wrote["own_rows"])
    checkpoint = {"at": "t", "installation": "local", "seq": found["rows"], "hash": found["hash"]}
    kept.write_text(json.dumps(checkpoint) + "\n")
    agreed = here.cli(
        "audit", "verify", "--export", str(file), "--checkpoints", str(kept), "--json", **nowhere
    )
    assert json.loads(agreed.stdout)["checkpoints"] == 1
    kept.write_text(json.dumps(checkpoint | {"hash": "0" * 64}) + "\n")
    done = here.cli("audit", "verify", "--export", str(file), "--checkpoints", str(kept), **nowhere)
    assert done.returncode == 1
    assert "the checkpoint of t" in done.stdout
    file.write_text(text.replace("zoe@example.com", "ann@example.com"))
    done = here.cli("audit", "verify", "--export", str(file), "--json", **nowhere)
    assert done.returncode == 1
    assert json.loads(done.stdout)["break"]["kind"] == "changed"
    assert json.loads(done.stdout)["break"]["action"] == "suppression.add"


def test_another_tenants_part_is_not_found(here: System, tenant: tuple[str, str], tmp_path: Path) -> None:
    _, own = tenant
    other, _ = onboarded(here)
    done = here.cli("audit", "export", "--tenant", other, "--key", own, "--file", str(tmp_path / "x.jsonl"))
    assert done.returncode == 3


def test_a_file_that_is_no_export_is_refused_with_its_line(here: System, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"format": 1}\n')
    done = here.cli("audit", "verify", "--export", str(file))
    assert done.returncode == 1
    assert "Line 1 is no part of an export" in done.stderr
    done = here.cli("audit", "verify", "--export", str(tmp_path / "none"))
    assert (done.returncode, "cannot be read" in done.stderr) == (1, True)
    done = here.cli("audit", "verify", "--checkpoints", str(tmp_path / "none"))
    assert (done.returncode, "cannot be read" in done.stderr) == (1, True)
