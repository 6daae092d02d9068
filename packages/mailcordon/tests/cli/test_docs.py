"""Every command line of the docs, the READMEs and the messages is one that the command line understands.

Lines of a block are read as a shell would, and parsed whole by the real parser; nothing is run. Text may leave out what it does
not speak of, and names what a reader puts in with capitals: of a line in the text only the command and the options must exist.
"""

import ast
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from mailcordon.__main__ import command_line

ROOT = Path(__file__).parents[4]
PAGES = [
    *sorted(ROOT.glob("docs/**/*.md")),
    *(
        ROOT / name
        for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "packages/mailcordon/README.md")
    ),
]
#: What `./dev` does itself; every other word is answered with the help.
DEV = set(re.findall(r"^    ([a-z| ]+)\)(?: |$)", (ROOT / "dev").read_text(), re.M))
_ENDS = {"|", "||", "&&", ";", "&", ">", ">>", "<", "2>", "(", ")"}
_ASSIGNMENT = re.compile(r"^[A-Z_]+=")
_STANDS_FOR_ANOTHER = re.compile(r"\.\.\.|…|^[A-Z_|\[\]]+$")


def words_of(line: str) -> list[str]:
    """The command of a line of a shell, without what follows a pipe, a redirection or a comment."""
    lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if word in _ENDS:
            break
        words.append(word)
    while words and _ASSIGNMENT.match(words[0]):
        words.pop(0)
    return words


def lines_of(text: str) -> Iterator[str]:
    """Command lines in the fenced blocks of shells, and in those that show what was typed."""
    for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.M | re.S):
        if language not in ("", "sh", "console"):
            continue
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            line = re.split(r"\s{3}", line.strip())[
                0
            ]  # in a command's help what it is for comes after some spaces
            if re.match(r"(\$ )?([A-Z_]+=\S* )*(mailcordon|\./dev)( |$)", line):
                yield line


def inline_of(text: str) -> Iterator[str]:
    outside = re.sub(r"^( *)```.*?^ *```", "", text, flags=re.M | re.S)
    for line in re.findall(r"`((?:\./dev )?mailcordon [^`]+|\./dev [^`]+)`", outside):
        yield " ".join(line.replace("\\|", "|").split())


@pytest.fixture(scope="module")
def commands() -> Any:
    """Those of this machine are the real ones: the pages show their options too."""
    return get_command(command_line())


def fault(commands: Any, words: list[str], *, whole: bool) -> str | None:
    """What the parser says of a command line, or None."""
    if words[0] == "./dev":
        names = {name for label in DEV for name in label.split(" | ")}
        if len(words) > 1 and words[1] not in names | {"help"}:
            return f"./dev has no command {words[1]}"
        if words[1:2] == ["mailcordon"]:
            return fault(commands, words[1:], whole=whole)
        # `./dev up`, `down` and `drill` are the command line's own.
        return (
            fault(commands, ["mailcordon", *words[1:]], whole=whole)
            if words[1:2] in (["up"], ["down"], ["drill"])
            else None
        )
    rest = [word for word in words[1:] if word not in ("--help", "-h")]
    at, path, rest = commands, "mailcordon", [] if rest == ["--version"] else rest
    while hasattr(at, "commands") and rest:
        two = " ".join(rest[:2])
        name = two if two in at.commands else rest[0]
        if name not in at.commands:
            # Groups that do something without a command take the options of what they do.
            does = next((one for one in ("list", "serve") if one in at.commands), None)
            if rest[0].startswith("-") and does is not None:
                name, rest = does, [does, *rest]
            elif (_STANDS_FOR_ANOTHER.search(rest[0]) or rest[0] == "7") and not whole:
                return None
            else:
                return f"{path} has no command {name}"
        at, path, rest = at.commands[name], f"{path} {name}", rest[len(name.split()) :]
    if (hasattr(at, "commands") and not rest) or "--help" in words:
        return None
    if not whole and any(_STANDS_FOR_ANOTHER.search(word) for word in rest):
        known = {option for parameter in at.params for option in (*parameter.opts, *parameter.secondary_opts)}
        unknown = [
            word
            for word in rest
            if word.startswith("-") and word.partition("=")[0] not in known and word != "-"
        ]
        return f"{path} has no option {unknown[0]}" if unknown else None
    try:
        at.make_context("x", rest)
    except Exception as error:  # typer's own are of a package that it hides
        said = f"{type(error).__name__}: {error}"
        if ("file" in said and "does not exist" in said) or ("'7' is not one of" in said and not whole):
            return None  # the example's own file; what `offered` filled in
        if not whole and ("MissingParameter" in said or "requires an argument" in said):
            return None
        return said
    return None


def faults(commands: Any, lines: Iterable[tuple[str, str]], *, whole: bool) -> dict[tuple[str, str], str]:
    found = {(page, line): fault(commands, words_of(line), whole=whole) for page, line in lines}
    return {where: said for where, said in found.items() if said}


def test_each_command_in_a_block_is_understood_whole(commands: Any) -> None:
    lines = [
        (str(page.relative_to(ROOT)), line)
        for page in PAGES
        if page.exists()
        for line in lines_of(page.read_text())
    ]
    assert faults(commands, lines, whole=True) == {}
    assert len(lines) > 200


def test_each_command_in_the_text_exists_with_its_options(commands: Any) -> None:
    """The sentences of all messages are among the pages (docs/reference/messages.md)."""
    lines = [
        (str(page.relative_to(ROOT)), line)
        for page in PAGES
        if page.exists()
        for line in inline_of(page.read_text())
    ]
    assert faults(commands, lines, whole=False) == {}
    assert len(lines) > 500


#: Names of parts of the program, which are no commands.
_NAMES = ("mailcordon start check", "mailcordon back-test", "mailcordon rehearsal")


def _filled(part: ast.expr) -> str:
    """What a part of an f-string may be; nothing for one that is there only sometimes."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    match part:
        case ast.FormattedValue(value=ast.IfExp(body=ast.Constant(value=str() as text))):
            return text
        case ast.FormattedValue(value=ast.IfExp()):
            return ""
        case ast.FormattedValue(value=ast.Call(func=ast.Name(id="because") | ast.Attribute(attr="because"))):
            return "--because REASON"
        case _:
            return "7"


def offered() -> Iterator[tuple[str, str]]:
    """Commands that the code puts together for people, with 7 for what it fills in."""
    for path in sorted((ROOT / "packages" / "mailcordon" / "src").rglob("*.py")):
        text = path.read_text()
        if "mailcordon " not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.JoinedStr():
                    line = "".join(_filled(part) for part in node.values)
                case ast.Constant(value=str() as text):
                    line = text.replace("{}", "7")
                case _:
                    continue
            sentence = line.startswith(_NAMES) or re.search(r" (says|prints) ", line)
            if re.match(r"mailcordon [a-z-]+( |$)", line) and "\n" not in line and not sentence:
                yield str(path.relative_to(ROOT)), line


def on_pages() -> Iterator[tuple[str, str]]:
    """Those that the dashboard's templates put together: texts joined by ~ with values, which become 7."""
    for path in sorted((ROOT / "packages" / "mailcordon" / "src").rglob("*.html")):
        for line in re.findall(r"""["']mailcordon [^}]*?(?=\) *}}|\)}})""", path.read_text()):
            parts = re.findall(r"""("[^"]*"|'[^']*')|(\([^()]*\)|[^~\s"']+)""", line)
            # What is there only sometimes is left out.
            values = ["" if 'else ""' in value else "7" for _, value in parts]
            command = "".join(text[1:-1] or value for (text, _), value in zip(parts, values, strict=True))
            yield str(path.relative_to(ROOT)), command


def test_each_command_that_a_page_offers_is_understood(commands: Any) -> None:
    lines = list(on_pages())
    assert faults(commands, lines, whole=False) == {}
    assert len(lines) > 10


def test_each_command_that_an_incident_or_a_problem_offers_is_understood(commands: Any) -> None:
    lines = list(offered())
    assert faults(commands, lines, whole=False) == {}
    assert len(lines) > 30


@pytest.mark.parametrize(
    ("line", "whole", "said"),
    [
        ("mailcordon top tenants --by blocks", False, "unexpected extra argument"),
        ("mailcordon metrics --tenant acme | head", True, None),
        ("$ MAILCORDON_URL=x mailcordon holds list > held.txt  # all", True, None),
        ("mailcordon incident close 12", True, "Missing"),
        ("mailcordon incident close 12", False, None),
        ("mailcordon incident clsoe 12", False, "no command clsoe"),
        ("mailcordon cordon TENANT --clas marketing", False, "no option --clas"),
        ("mailcordon audit --tenant acme", True, None),
        ("./dev mailcordon up --wrold x", True, "wrold"),
        ("./dev drll", True, "no command drll"),
    ],
)
def test_a_wrong_line_would_be_found(commands: Any, line: str, whole: bool, said: str | None) -> None:
    found = fault(commands, words_of(line), whole=whole)
    assert (said is None) == (found is None), found
    assert said is None or said in (found or "")
