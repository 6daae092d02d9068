"""What one worker of a test run makes for all: under a lock of its own, and anew if that worker dies."""

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mailcordon_fixtures import once

DIES_WHILE_IT_MAKES = """
import os, pathlib, signal, sys
from mailcordon_fixtures import once

def make():
    os.kill(os.getpid(), signal.SIGKILL)

once.share(pathlib.Path(sys.argv[1]))
once.make_once("thing", make)
"""


@pytest.fixture(autouse=True)
def _shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr(once, "_shared", [tmp_path])


def never() -> Path:
    raise AssertionError("it is made already")


def test_a_thing_is_made_once_under_a_lock_that_holds_up_nobody_else(tmp_path: Path) -> None:
    thing, other = tmp_path / "thing", tmp_path / "other"

    def make() -> Path:
        with (tmp_path / "thing.lock").open("a") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert once.make_once("other", lambda: other) == other
        return thing

    assert once.make_once("thing", make) == thing
    assert once.make_once("thing", never) == thing
    assert once.make_once("other", never) == other


def test_what_a_killed_worker_or_an_error_left_unfinished_is_made_anew(tmp_path: Path) -> None:
    search = str(Path(once.__file__).parents[1])
    killed = subprocess.run(
        [sys.executable, "-c", DIES_WHILE_IT_MAKES, str(tmp_path)], env={"PYTHONPATH": search}, check=False
    )
    assert killed.returncode == -signal.SIGKILL

    def fails() -> Path:
        raise ValueError("no disk")

    with pytest.raises(ValueError, match="no disk"):
        once.make_once("thing", fails)
    assert once.make_once("thing", lambda: tmp_path / "anew") == tmp_path / "anew"
