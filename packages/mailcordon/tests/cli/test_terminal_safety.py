"""What others wrote never drives the terminal of who reads it: names, subjects, diagnostics, and what a server answers."""

import ast
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console, Group, RenderableType
from rich.text import Text

import mailcordon.adapters.cli
from mailcordon.adapters.cli import command, failures, report, show, watch
from mailcordon.adapters.cli.document import Document

SOURCES = Path(mailcordon.adapters.cli.__file__).parent
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[8m\x9b31m\u202egnp\u2066\x08\r\x7fend"
#: Our own colours may stand before and after a text.
DRIVING = re.compile("\x1b(?!\\[[\\d;]*m)|[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
CONCEALED = "\x1b[8m"


def on_a_terminal(*views: RenderableType) -> str:
    out = io.StringIO()
    show.put(Console(file=out, width=100, force_terminal=True, color_system="standard"), *views)
    return out.getvalue()


def test_no_view_drives_the_terminal_whatever_a_command_puts_into_it() -> None:
    """A plain text too, which no command has made harmless."""
    views: list[RenderableType] = [
        HOSTILE,
        Text(HOSTILE, "bold"),
        Group("held", HOSTILE),
        show.bullet(HOSTILE),
        show.fields([("subject", Text(HOSTILE))]),
        show.table(("state", "why"), [("held", HOSTILE), (Text(HOSTILE), "x")], prose=("why",)),
        show.table((HOSTILE, "why"), [("held", HOSTILE)], stack=True),
    ]
    for view in views:
        shown = on_a_terminal(view)
        assert "end" in shown
        assert DRIVING.search(shown) is None, repr(shown)
        assert CONCEALED not in shown
    assert "\x1b[31mheld" in on_a_terminal(show.table(("state",), [("held",)]))  # our colours stay


def test_letters_of_all_scripts_and_line_breaks_of_ours_stay() -> None:
    text = "Grüße, 你好, שלום, नमस्ते 👩‍🚀\nthe second line"
    assert on_a_terminal(text) == text + "\n"


@pytest.mark.parametrize("one_line", [True, False])
def test_json_is_the_same_document_and_drives_no_terminal(
    capsys: pytest.CaptureFixture[str], one_line: bool
) -> None:
    document: Document = {"subject": HOSTILE, HOSTILE: ["Grüße \ud800"]}
    report.print_json(document, one_line=one_line)
    printed = capsys.readouterr().out
    assert json.loads(printed) == document
    assert DRIVING.search(printed) is None
    assert "\x1b" not in printed
    assert "Grüße" in printed


def test_a_failure_says_what_a_server_answered_without_its_control_characters() -> None:
    out = io.StringIO()
    failure = failures.from_problem(
        404, {"detail": HOSTILE, "errors": [{"field": HOSTILE, "problem": HOSTILE}]}
    )
    report.print_failure(failure, as_json=False, err=out)
    assert DRIVING.search(out.getvalue()) is None
    assert "\x1b" not in out.getvalue()


class Ended(Exception):
    """The test has seen enough."""


async def test_a_watch_shows_a_failure_without_its_control_characters() -> None:
    failing = iter([failures.Failure(failures.Exit.UNAVAILABLE, HOSTILE), Ended()])

    async def once(file: object) -> Document:
        raise next(failing)

    out = io.StringIO()
    with pytest.raises(Ended):
        await watch.repeat(once, out, every=0.0, title="x", as_json=False)
    assert "end" in out.getvalue()
    assert DRIVING.search(out.getvalue()) is None


def test_a_question_is_asked_without_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Keyboard("y\n"))
    out = io.StringIO()
    like = Console(force_terminal=True, width=300)
    command.confirm(show.console(out, like=like), f"Cancel campaign {HOSTILE}?", yes=False)
    assert "[y/N]" in out.getvalue()
    assert DRIVING.search(out.getvalue()) is None
    assert CONCEALED not in out.getvalue()


def test_a_file_for_a_pipe_is_exact_and_on_a_terminal_harmless() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    pipe, terminal = io.StringIO(), Terminal()
    for out in (pipe, terminal):
        show.write(out, f"address,evidence\r\nkim@example.com,{HOSTILE}\r\n")
    assert HOSTILE in pipe.getvalue()
    assert DRIVING.search(terminal.getvalue()) is None
    assert "\x1b" not in terminal.getvalue()


#: Where a module may write to the terminal by itself: what it writes is ours, or was made harmless by `show`, `text` or `json`.
WRITERS = {
    "app.py": "completion, usage errors of the parser, the version",
    "report.py": "failures, through text.plain; JSON",
    "show.py": "all views",
    "watch.py": "views that show has rendered",
    "command.py": "the end of a watch; a question, through text.harmless",
    "completion.py": "scripts and words of our own",
    "env.py": "shell settings, quoted",
    "plan.py": "YAML, which escapes what is not printable; our own schema",
    "policy.py": "YAML; our own schema",
    "runbook.py": "pages of our own",
}
_PRINTS = {
    "print",
    "typer.echo",
    "sys.stdout.write",
    "sys.stderr.write",
    "cli.out.print",
    "cli.err.print",
    "err.print",
}


def test_only_few_modules_write_to_the_terminal_by_themselves() -> None:
    found = {
        file.name
        for file in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and (ast.unparse(node.func) in _PRINTS or ast.unparse(node.func).endswith("file.write"))
        if "drill" not in file.parts  # all of its names are our own
    }
    assert found - {"document_file.py"} <= set(WRITERS)
