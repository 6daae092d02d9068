"""How a command fails: one exit code per kind of failure, and one sentence for the person who typed it.

An expected failure is raised as a `Failure`, wherever it happens. `report.py` prints it, and turns every other exception into
one with `from_exception`. The exit codes are a promise to scripts: docs/cli.md lists them and a test compares the two.
"""

import tempfile
import traceback
from dataclasses import dataclass, field
from enum import IntEnum

from mailcordon.adapters.cli.document import Document, as_document, children
from mailcordon.core import boundary
from mailcordon.messages import cli as messages


class Exit(IntEnum):
    OK = 0
    REFUSED = 1  #: the server or the system refused it, or it failed; the sentence says why
    USAGE = 2  #: the command line or a setting is wrong, or a question could not be asked
    NOT_FOUND = 3  #: it does not exist, for this key
    NOT_ALLOWED = 4  #: no key, an unknown or expired key, or a key that may not do this
    UNAVAILABLE = 5  #: no response, or not now: trying again later can help
    DRILL = 6  #: a step of the drill failed
    INTERRUPTED = 130  #: Ctrl-C, as shells count it


@dataclass(slots=True)
class Failure(Exception):
    exit: Exit
    sentence: str  #: what failed, for whom, what to do next
    code: str = "failed"  #: stable, for machines
    faults: list[tuple[str, str]] = field(
        default_factory=list[tuple[str, str]]
    )  #: field of the request, its problem
    problem: Document | None = None  #: the server's problem document, if the server refused
    partial: Document | None = None  #: what was done before the failure and must not be lost

    def document(self) -> Document:
        """For `--json`: a problem in the form of RFC 9457."""
        problem = self.problem or {
            "type": "about:blank",
            "title": self.exit.name.replace("_", " ").capitalize(),
            "detail": self.sentence,
            "code": self.code,
        }
        return {**(self.partial or {}), "problem": problem, "exit": int(self.exit)}

    def __str__(self) -> str:
        return self.sentence


def usage(sentence: str) -> Failure:
    return Failure(Exit.USAGE, sentence, "usage")


_BY_STATUS = {
    401: Exit.NOT_ALLOWED,
    403: Exit.NOT_ALLOWED,
    404: Exit.NOT_FOUND,
    429: Exit.UNAVAILABLE,
    502: Exit.UNAVAILABLE,
    503: Exit.UNAVAILABLE,
    504: Exit.UNAVAILABLE,
}


def from_problem(status: int, body: object, retry_after: str | None = None) -> Failure:
    """The failure that an HTTP error response means. `body` is the decoded problem+json, None if it was not JSON."""
    exit_code = _BY_STATUS.get(status, Exit.REFUSED)
    problem = as_document(body)
    faults = [
        (str(fault.get("field", "")), str(fault.get("problem", ""))) for fault in children(problem, "errors")
    ]
    said = problem.get("detail") or problem.get("title") or problem.get("error")
    sentence = str(said or messages.unexplained_status(status=status))
    if retry_after is not None and exit_code is Exit.UNAVAILABLE:
        sentence += f" {messages.try_again_in(seconds=retry_after)}"
    if status == 401:
        sentence += f" {messages.where_keys_come_from()}"
    return Failure(exit_code, sentence, str(problem.get("code") or f"http-{status}"), faults, problem or None)


def cannot_connect(url: str, why: str) -> Failure:
    return Failure(Exit.UNAVAILABLE, messages.cannot_connect(url=url, why=why), "cannot-connect")


def from_exception(error: BaseException) -> Failure:
    """The failure that any exception means. An unexpected one is kept in a file, with its traceback."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Failure(Exit.INTERRUPTED, messages.interrupted(), "interrupted")
    if ending := boundary.explain(error):
        return Failure(Exit(ending.status), "\n".join(ending.sentences), ending.code)
    name = type(error).__name__
    said = messages.unexpected(name=name, said=str(error), file=_kept(error))
    return Failure(Exit.REFUSED, said, "unexpected")


def _kept(error: BaseException) -> str:
    """The file that has the traceback; empty if there is no place for it."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="mailcordon-error-", suffix=".log", delete=False
        ) as file:
            traceback.print_exception(error, file=file)
            return file.name
    except OSError:
        return ""
