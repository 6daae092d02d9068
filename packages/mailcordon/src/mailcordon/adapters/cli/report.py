"""How a command ends: its documents on stdout, and a failure as sentences on stderr with an exit code.

`run` is the error boundary of the whole command line. With `--json` a failure is one JSON document on stdout as well.
"""

import itertools
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from mailcordon.adapters.cli import failures, text
from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.failures import Exit, Failure
from mailcordon.messages import cli as messages

#: Characters that JSON may have as they are, and that drive a terminal or change what it shows.
_HIDDEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

#: The failure that an exception of the caller's own libraries means; None leaves it to `failures.from_exception`.
Translate = Callable[[BaseException], Failure | None]


def run(act: Callable[[], int | None], *, as_json: bool, translate: Translate) -> int:
    """The exit code of `act`, which returns its own or None for 0. Prints what failed; `SystemExit` passes."""
    try:
        return int(act() or 0)
    except BrokenPipeError:
        _discard_stdout()
        return int(Exit.REFUSED)
    except (Exception, KeyboardInterrupt) as error:
        return print_failure(translate(error) or failures.from_exception(error), as_json=as_json)


def print_failure(failure: Failure, *, as_json: bool, err: TextIO | None = None) -> int:
    """Prints the failure and returns its exit code."""
    try:
        if as_json:
            print_json(failure.document())
        for line in _lines(failure):
            print(line, file=err or sys.stderr, flush=True)
    except OSError:
        _discard_stdout()
    return int(failure.exit)


def _lines(failure: Failure) -> list[str]:
    unsaid = [fault for fault in failure.faults if fault[1] not in failure.sentence]
    if not unsaid and len(failure.faults) > 1:
        # The sentence only joins the faults: a list reads better.
        said, unsaid = [messages.fields_refused(count=len(failure.faults))], failure.faults
    else:
        said = failure.sentence.splitlines()
    return [
        *(f"mailcordon: {text.plain(line)}" for line in said),
        *(f"  {text.plain(field)}: {text.plain(problem)}" for field, problem in unsaid),
    ]


def print_json(document: Document, *, one_line: bool = False) -> None:
    text = json.dumps(document, indent=None if one_line else 2, ensure_ascii=False)
    sys.stdout.write(_HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text) + "\n")
    sys.stdout.flush()


def wants_json(words: Sequence[str]) -> bool:
    """Whether a command line asks for JSON, including one that cannot be parsed."""
    before = list(words[: words.index("--")] if "--" in words else words)
    formats = [after for word, after in itertools.pairwise(before) if word in ("-o", "--output")]
    return "--json" in before or "json" in formats or bool({"-ojson", "--output=json"} & set(before))


def _discard_stdout() -> None:
    """The reader of stdout has gone. Without this the interpreter would complain when it flushes at exit."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, sys.stdout.fileno())
    except (OSError, ValueError):
        pass
    finally:
        os.close(nothing)
