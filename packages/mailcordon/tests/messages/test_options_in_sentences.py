"""Who reads a sentence of the API or of a page is at no command line: an option stands in a whole command only."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import mailcordon
from mailcordon.messages import catalogue

_ROOT = Path(mailcordon.__file__).parent
#: What makes sentences for the API and the pages. A command's own sentences may name its options.
_SHOWN = (
    "control",
    "core",
    "door",
    "guard",
    "intake",
    "observe",
    "send",
    "adapters/http",
    "adapters/dashboard",
)
#: `mailcordon assess` and `mailcordon audit verify` alone make these.
_OF_COMMANDS = ("control/assess/", "control/audit_checkpoints.py")
_COMMAND = re.compile(r"`(?:mailcordon|aws) [^`]*`|(?:mailcordon|aws) [^.;()]*")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def _files() -> Iterator[tuple[str, ast.Module]]:
    for folder in _SHOWN:
        for path in sorted((_ROOT / folder).rglob("*.py")):
            name = path.relative_to(_ROOT).as_posix()
            if not name.startswith(_OF_COMMANDS):
                yield name, ast.parse(path.read_text())


def _said() -> Iterator[tuple[str, str, str]]:
    """The subject and the name of each message that one of these files shows, with the file."""
    for name, tree in _files():
        subjects: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "mailcordon.messages":
                subjects |= {one.asname or one.name: one.name for one in node.names}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in subjects
            ):
                yield subjects[node.value.id], node.attr, name


def _bare(text: str) -> list[str]:
    """The options that stand in no command."""
    return _OPTION.findall(_COMMAND.sub("", text))


def test_no_sentence_of_the_api_or_a_page_names_an_option_outside_of_a_command() -> None:
    examples = {
        (subject, entry.name): entry.examples
        for subject in catalogue.SUBJECTS
        for entry in catalogue.messages(subject)
    }
    said = sorted(set(_said()))
    assert len(said) > 500
    wrong = [
        f"{subject}.{name}, shown by {file}: {text}"
        for subject, name, file in said
        for text in examples.get((subject, name), ())
        if _bare(text)
    ]
    assert not wrong, "\n".join(wrong)


def test_an_option_is_seen_where_it_stands_alone() -> None:
    for text, found in (
        ("SES's lists were not read for it; `--read` asks", ["--read"]),
        ("To go on all the same: --override mails", ["--override"]),
        ("`mailcordon lane retire acme newsletter --mail cancel` does it", []),
        ("Next: mailcordon breaker show acme --type invoice. Then arm it", []),
        ("a date -- or none", []),
    ):
        assert _bare(text) == found, text
