"""The outermost error boundary: an ordinary mistake is a sentence, a bug is a traceback."""

import errno

import pytest

from mailcordon.core import boundary
from mailcordon.core.errors import BadConfig, Refused, Unavailable


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/srv/home/cli.json"), "/srv/home/cli.json"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space is left"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/srv/home/lock"), "no space is left"),
        (PermissionError(errno.EACCES, "Permission denied", "/srv/home/lock"), "MAILCORDON_HOME"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/srv/home"), "a file where a directory"),
        (FileExistsError(errno.EEXIST, "File exists", "/srv/home"), "a file where a directory"),
        (OSError(errno.EROFS, "Read-only file system", "/srv/home/lock"), "Read-only file system"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (ModuleNotFoundError("No module", name="seslocal"), 'pip install "mailcordon[local]"'),
        (ModuleNotFoundError("No module", name="structlog.dev"), "The package structlog is missing"),
    ],
)
def test_what_the_machine_refuses_is_a_sentence(error: Exception, words: str):
    ending = boundary.explain(error)
    assert ending is not None
    assert words in " ".join(ending.sentences)
    assert ending.status == boundary.FAILED


def test_each_wrong_setting_keeps_its_sentence():
    ending = boundary.explain(BadConfig("one is wrong.", "two is wrong."))
    assert ending is not None
    assert (ending.sentences, ending.status) == (("one is wrong.", "two is wrong."), boundary.REFUSED)


def test_an_ending_says_whether_trying_again_can_help():
    assert [boundary.explain(error).retryable for error in (Refused("no"), Unavailable("later"))] == [  # pyright: ignore[reportOptionalMemberAccess]
        False,
        True,
    ]


@pytest.mark.parametrize(
    "error", [KeyError("x"), TimeoutError(), ModuleNotFoundError("No module", name="mailcordon.typo")]
)
def test_a_bug_keeps_its_traceback(error: Exception):
    def act() -> int:
        raise error

    with pytest.raises(type(error)):
        boundary.guard(act)


def test_the_guard_prints_one_line_a_sentence(capsys: pytest.CaptureFixture[str]):
    def act() -> int:
        raise BadConfig("one is wrong.", "two is wrong.")

    assert boundary.guard(act) == boundary.REFUSED
    assert capsys.readouterr().err == "mailcordon: one is wrong.\nmailcordon: two is wrong.\n"


def test_ctrl_c_is_no_failure_to_explain(capsys: pytest.CaptureFixture[str]):
    def act() -> int:
        raise KeyboardInterrupt

    assert boundary.guard(act) == boundary.INTERRUPTED
    assert capsys.readouterr().err == ""
