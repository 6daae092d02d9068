"""`mailcordon env` is evaluated by real shells, whatever characters are in the values."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mailcordon.adapters.cli.commands import env

Run = Callable[..., tuple[int, str, str]]
ODD = "mck_'\"$(id)`id` \\ ;x"


def write(home: Path, **values: object) -> None:
    (home / "cli.json").write_text(json.dumps(values))


def test_the_key_that_can_only_send_is_printed_and_never_the_command_lines_own(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, url="http://127.0.0.1:8025", key="mck_admin", send_key="mck_send")
    settings = "export MAILCORDON_URL=http://127.0.0.1:8025 MAILCORDON_KEY=mck_send\n"
    assert run("env", "--shell", "sh")[1] == settings
    assert json.loads(run("env", "--json")[1]) == {
        "MAILCORDON_URL": "http://127.0.0.1:8025",
        "MAILCORDON_KEY": "mck_send",
    }
    assert "mck_b" in run("env", "--key", "mck_b")[1]
    monkeypatch.setenv("MAILCORDON_KEY", "mck_admin")
    assert run("env", "--shell", "sh")[1] == settings
    write(tmp_path, url="http://127.0.0.1:8025", key="mck_admin")
    for output in ([], ["--json"]):
        code, out, err = run("env", *output)
        assert (code, "mck_" in out + err, "mailcordon up" in out + err) == (4, False, True)


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "dash"])
def test_a_shell_sets_the_very_value(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    [line] = env.settings({"MAILCORDON_KEY": ODD}, fish=False)
    script = f'{line}; printf %s "$MAILCORDON_KEY"'
    assert subprocess.run([shell, "-c", script], capture_output=True, text=True).stdout == ODD


def test_fish_sets_the_very_value() -> None:
    [line] = env.settings({"MAILCORDON_KEY": ODD}, fish=True)
    if shutil.which("fish") is None:
        assert line == "set -gx MAILCORDON_KEY 'mck_\\'\"$(id)`id` \\\\ ;x';"
        return
    script = f'{line} printf %s "$MAILCORDON_KEY"'
    assert subprocess.run(["fish", "-c", script], capture_output=True, text=True).stdout == ODD


def test_fish_is_recognised_by_SHELL(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, url="http://127.0.0.1:8025", send_key="mck_a")
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert run("env")[1].startswith("set -gx MAILCORDON_URL")


def test_without_a_server_or_a_key_nothing_is_printed(run: Run, tmp_path: Path) -> None:
    assert run("env")[:2] == (5, "")
    write(tmp_path, url="http://127.0.0.1:8025", key="mck_a", send_key="mck_b")
    code, out, err = run("env", "--url", "http://elsewhere.example")
    assert (code, out) == (4, "")
    assert "--key" in err
