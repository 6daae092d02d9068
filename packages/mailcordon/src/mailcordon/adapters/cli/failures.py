"""How a command fails: one exit code per kind of failure, and a sentence for the person who typed it.

Whatever goes wrong on purpose is raised as a `Failure`, wherever it happens, and printed in one place (`command.py`). The exit
codes are a promise to scripts: docs/cli.md lists them and a test compares the two.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from mailcordon.adapters.cli.document import Document, as_document, parts


class Exit(IntEnum):
    OK = 0
    REFUSED = 1  #: the server understood and said no, or failed; nothing more is known
    USAGE = 2  #: the command line itself is wrong, or a question could not be asked
    NOT_FOUND = 3  #: no such thing, for this key
    NOT_ALLOWED = 4  #: no key, an unknown or expired one, or one that may not do this
    UNAVAILABLE = 5  #: nobody answers, or "not now": trying again later can help
    DRILL = 6  #: the drill saw something else than it must


@dataclass(slots=True)
class Failure(Exception):
    exit: Exit
    sentence: str  #: what failed, for whom, what to do next
    code: str = "failed"  #: stable, for machines
    faults: list[tuple[str, str]] = field(
        default_factory=list[tuple[str, str]]
    )  #: field of the request, its problem
    problem: Document | None = None  #: what the server sent, where it was a server that failed
    partial: Document | None = None  #: what was done all the same, and must not be lost

    def document(self) -> Document:
        """For `--json`: the problem in the form of RFC 9457, whoever found it."""
        problem = self.problem or {
            "type": "about:blank",
            "title": self.exit.name.replace("_", " ").capitalize(),
            "detail": self.sentence,
            "code": self.code,
        }
        return {**(self.partial or {}), "problem": problem, "exit": int(self.exit)}

    def __str__(self) -> str:
        return self.sentence


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
    """What an answer that is no success means. `body` is the decoded problem+json, or None where it was something else."""
    exit_code = _BY_STATUS.get(status, Exit.REFUSED)
    problem = as_document(body)
    faults = [
        (str(fault.get("field", "")), str(fault.get("problem", ""))) for fault in parts(problem, "errors")
    ]
    said = problem.get("detail") or problem.get("title") or problem.get("error")
    sentence = str(said or f"the server answered {status} and did not say why")
    if retry_after is not None and exit_code is Exit.UNAVAILABLE:
        sentence += f" (try again in {retry_after} s)"
    if status == 401:
        sentence += " Keys come from --key, MAILCORDON_KEY or the cli.json that `mailcordon up` writes."
    return Failure(exit_code, sentence, str(problem.get("code") or f"http-{status}"), faults, problem or None)


def cannot_connect(url: str, why: str) -> Failure:
    return Failure(
        Exit.UNAVAILABLE,
        f"nobody answers at {url} ({why}). Is it running? `mailcordon up` starts everything on this machine; "
        "--url or MAILCORDON_URL names another place.",
        "cannot-connect",
    )


def usage(sentence: str) -> Failure:
    return Failure(Exit.USAGE, sentence, "usage")
