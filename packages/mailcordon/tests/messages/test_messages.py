"""Every sentence that a user can read comes from `mailcordon.messages`, and the reference page shows all of them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mailcordon
from mailcordon.messages import catalogue

SOURCES = Path(mailcordon.__file__).parent
PAGE = Path(__file__).parents[4] / "docs" / "reference" / "messages.md"
#: Calls whose text arguments a user reads.
SPEAKING = {
    *("print", "say", "_say", "echo", "secho", "BadParameter", "Fault", "Failure", "usage", "BadConfig"),
    *("MailcordonError", "Refused", "Invalid", "Unauthorised", "Forbidden", "NotFound", "Conflict"),
    *("Later", "TooMuch", "Unavailable", "Malformed", "TooLarge", "Finding"),
    *(
        "CallFailed",
        "NotSent",
        "Ambiguous",
        "_fail",
        "NoCredentials",
        "Unreachable",
        "Answer",
        "Health",
        "Notice",
    ),
    *("DatabaseWillNotStart", "MigrationFailed", "NoPlaceForDatabase", "SecretsUnreadable", "UnfitDatabase"),
}
#: Modules whose sentences have still to move.
STILL_TO_MOVE: frozenset[str] = frozenset([])


@pytest.mark.parametrize("subject", catalogue.SUBJECTS)
def test_each_message_says_when_it_is_seen_and_has_an_example(subject: str) -> None:
    entries = list(catalogue.messages(subject))
    assert [entry.name for entry in entries if not entry.when or not entry.examples] == []


def test_the_reference_page_has_every_module_with_messages() -> None:
    modules = {path.stem for path in (SOURCES / "messages").glob("*.py") if "@example" in path.read_text()}
    assert modules - {"__init__", "catalogue"} == set(catalogue.SUBJECTS)


def test_the_reference_page_shows_the_messages_as_they_are() -> None:
    assert PAGE.read_text() == catalogue.page(), "run `./dev messages` and read what changed"


def sentences(source: str) -> Iterator[tuple[int, str]]:
    """Texts with a space in them that are written inside a call which a user reads."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in SPEAKING:
            continue
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            # A nested call gives its own texts: messages.api.x("..."), shlex.join([...]).
            for text in _texts(argument):
                if re.search(r"\w \w", text):
                    yield node.lineno, text


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from _texts(child)


def modules() -> dict[str, str]:
    return {
        str(path.relative_to(SOURCES)): path.read_text()
        for path in sorted(SOURCES.rglob("*.py"))
        if path.relative_to(SOURCES).parts[0] != "messages"
    }


def test_no_other_module_writes_sentences() -> None:
    found = {
        f"{name}:{line}: {text}"
        for name, source in modules().items()
        if name not in STILL_TO_MOVE
        for line, text in sentences(source)
    }
    assert found == set()


def test_no_module_stays_listed_that_has_moved() -> None:
    sources = modules()
    assert {name for name in STILL_TO_MOVE if not list(sentences(sources.get(name, "")))} == set()


@pytest.mark.parametrize(
    "source",
    [
        "raise Refused('no such tenant')",
        "raise errors.NotFound(f'no tenant {slug} here')",
        "raise Invalid(Fault('to', 'is no address'))",
        "print(f'stopped process {pid}')",
        "self._say('starting it again')",
        "raise failures.usage('one or the other')",
        "raise NotSent(f'no connection to {host}')",
        "return Answer(0, code='NoCredentials', text=str(problem) or 'there are none')",
        "return Health(ok=False, database=f'does not respond ({why})')",
    ],
)
def test_a_sentence_elsewhere_is_seen(source: str) -> None:
    assert list(sentences(source))


@pytest.mark.parametrize(
    "source",
    [
        "raise Refused(api.no_tenant(slug='a b'))",
        "raise KeyError('a developer reads this')",
        "log.warning('event name here')",
        "Fault('to', message, 'invalid')",
    ],
)
def test_what_no_user_reads_is_left_alone(source: str) -> None:
    assert list(sentences(source)) == []
