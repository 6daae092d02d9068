"""Whatever goes wrong below it, the command line prints a sentence and an exit code, and no traceback."""

import errno
import json
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from mailcordon.adapters.cli import failures, report
from mailcordon.adapters.cli.failures import Exit, Failure
from mailcordon.core import errors

RAISED = {
    "a failure": (Failure(Exit.NOT_FOUND, "There is no such tenant."), 3),
    "wrong settings": (errors.BadConfig("A is wrong.", "B is wrong."), 2),
    "a refusal": (errors.Refused("The home is taken."), 1),
    "a part that is away": (errors.Unavailable("The database does not respond."), 1),
    "no space": (OSError(errno.ENOSPC, "No space left on device", "/home/x"), 1),
    "no permission": (PermissionError(errno.EACCES, "Permission denied", "/home/x"), 1),
    "a file in place of a directory": (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/home/x"), 1),
    "a missing package": (ModuleNotFoundError("No module named 'seslocal'", name="seslocal"), 1),
    "Ctrl-C": (KeyboardInterrupt(), 130),
    "a bug": (KeyError("items"), 1),
    "a bug in a task": (ExceptionGroup("tasks", [ValueError("x")]), 1),
    "a timeout": (TimeoutError(), 1),
}


@pytest.mark.parametrize(("error", "code"), RAISED.values(), ids=RAISED.keys())
@pytest.mark.parametrize("as_json", [False, True])
def test_every_exception_is_a_sentence_and_an_exit_code(
    error: BaseException,
    code: int,
    as_json: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def act() -> None:
        raise error

    assert report.run(act, as_json=as_json, translate=lambda _: None) == code
    out, err = capsys.readouterr()
    assert err.startswith("mailcordon: ")
    assert "Traceback" not in err
    if as_json:
        assert json.loads(out)["exit"] == code
    else:
        assert out == ""


def test_a_bug_keeps_its_traceback_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failure = failures.from_exception(KeyError("items"))
    [file] = tmp_path.iterdir()
    assert str(file) in failure.sentence
    assert "KeyError" in file.read_text()


def test_a_bug_is_a_sentence_even_if_there_is_no_place_for_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert failures.from_exception(KeyError("items")).sentence == "Internal error: KeyError: 'items'."


def test_a_command_that_returns_nothing_is_done() -> None:
    assert report.run(lambda: None, as_json=False, translate=lambda _: None) == 0


def test_a_closed_stdout_is_no_failure(monkeypatch: pytest.MonkeyPatch, app: typer.Typer) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(SystemExit) as ended:
        get_command(app).main(["completion", "bash"], prog_name="mailcordon")
    assert ended.value.code == 0
    sys.stdout.close()
