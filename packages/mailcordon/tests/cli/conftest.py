"""The command line without a server, and without the settings of whoever runs the tests."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from mailcordon.adapters.cli import app as command_line

Run = Callable[..., tuple[int, str, str]]


def _local(home: str = "") -> None:
    """Do something on this machine."""


@pytest.fixture(scope="session")
def app() -> typer.Typer:
    return command_line.build(
        up=_local,
        down=_local,
        migrate=_local,
        doctor=_local,
        assess=(_local, "mailcordon assess"),
        iam=(("queue-policy", _local, "mailcordon iam queue-policy"),),
        verify_audit=_local,
        rebuild_metrics=_local,
        run=_local,
    )


@pytest.fixture(autouse=True)
def empty_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("MAILCORDON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MAILCORDON_HOME", str(tmp_path))


@pytest.fixture(scope="session")
def root(app: typer.Typer) -> Callable[..., None]:
    """The tree of commands, built once: that takes longer than most tests."""
    return get_command(app).main


@pytest.fixture
def run(root: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command: exit code, stdout, stderr."""

    def command(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            root(list(words), prog_name="mailcordon")
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return command
