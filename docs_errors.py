"""docs/reference/errors.md: every code of an error, with its HTTP status and when it comes, read from the source.

A code stands where its error is raised, beside the function that makes its sentence; the docstring of that function says when a
user sees it. A code without such a function is described by the class of the error.
"""

import ast
import functools
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parent / "packages" / "mailcordon" / "src" / "mailcordon"
#: HTTP statuses by the classes of core/errors.py and adapters/http/problems.py.
STATUS = {
    "Malformed": 400,
    "Unauthorised": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "Conflict": 409,
    "TooLarge": 413,
    "Refused": 422,
    "Fault": 422,
    "TooMuch": 429,
    "Later": 503,
    "MailcordonError": 500,
}
#: Parts whose errors end a command or the start of a process.
_OF_COMMANDS = ("run", "host", "config", "adapters/cli")
#: Where the sentence is the caller's own or another error's, so that no message is named beside the code.
_WORDS = {
    "address-not-allowed": "The key may be used from some addresses only, and the request comes from another.",
    "bad-address": "An address of the message is not one that mail can be sent to.",
    "busy": "A part that the request needs has no room at the moment. Nothing was done.",
    "conflict": "The request contradicts what exists, and has no code of its own for it.",
    "died": "The process of a back-test or a rehearsal ended before it had a result.",
    "error": "Something failed that has no code of its own.",
    "forbidden": "The key may not do this.",
    "hung-up": "The caller hung up before the result of a back-test or a rehearsal was there.",
    "invalid": "A field has a value that cannot be accepted; `errors` names each field with its sentence.",
    "malformed-request": "The bytes are no HTTP request.",
    "not-found": "There is no such thing, for this caller: what is another tenant's is not there.",
    "rate-limit": "A key, a tenant or an address asks more often than its rate allows; the sentence says which.",
    "rendering": "A template cannot be rendered with the data that came with the message; the sentence names the line.",
    "reserved-header": "The message brings a header that Mailcordon or SES sets itself.",
    "role-refused": "`up` ends because a role refuses to start; its last line says which setting or database is wrong.",
    "scope-missing": "The key has not the scope that the request needs; the sentence names it.",
    "scope-not-held": "A key or role would give a scope that its maker has not.",
    "too-many": "There are as many of these as there may be; the sentence says how many.",
    "too-many-connections": "A client address or a key has as many connections open as it may have.",
    "too-many-proofs": "Proofs of the lane were asked for too often.",
    "too-much": "A limit is used up; the sentence says which, and `Retry-After` when to come again.",
    "too-slow": "A back-test or a rehearsal took longer than it may. Ask for fewer days or tenants.",
    "unauthorised": "The key is missing, unknown, expired or revoked.",
    "unavailable": "A part that is needed does not answer. Nothing was confirmed; try again.",
}


@dataclass(frozen=True, slots=True)
class Code:
    code: str
    status: int | None  #: None: it ends a command or the start of a process
    when: str


class _Module:
    """The errors that a module raises, or whose class it defines: code, class, status if it is given, when."""

    def __init__(self, path: Path) -> None:
        self.tree = ast.parse(path.read_text())
        self.assigned = [node for node in ast.walk(self.tree) if isinstance(node, ast.Assign)]
        self.bases: dict[str, str] = {}
        self.messages: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef) and node.bases:
                self.bases[node.name] = _name(node.bases[0])
            if isinstance(node, ast.ImportFrom) and node.module == "mailcordon.messages":
                self.messages |= {
                    one.asname or one.name: f"mailcordon.messages.{one.name}" for one in node.names
                }

    def errors(self) -> Iterator[tuple[str, str, int | None, str]]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                for part in node.body:
                    if (
                        isinstance(part, ast.Assign)
                        and ast.unparse(part.targets[0]) == "code"
                        and (code := _text(part.value))
                    ):
                        yield code, node.name, None, _line(ast.get_docstring(node))
            elif isinstance(node, ast.Call):
                name = _name(node.func)
                given = next((_text(word.value) for word in node.keywords if word.arg == "code"), None)
                status = None
                if name in ("Fault", "Refusal") and len(node.args) > 2:
                    given = given or _text(node.args[2])
                    if name == "Refusal" and isinstance(node.args[1], ast.Constant):
                        status = int(str(node.args[1].value))
                if given:
                    yield given, name, status, self._when(node)

    def _when(self, node: ast.Call) -> str:
        """What the docstring of the message says that is made for this call, or in a variable just before it."""
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        before = [
            one.value
            for one in self.assigned
            if node.lineno - 8 < one.lineno < node.lineno and ast.unparse(one.targets[0]) in names
        ]
        for call in (part for root in (node, *before) for part in ast.walk(root)):
            match call:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=alias), attr=name)) if (
                    alias in self.messages
                ):
                    return _line(
                        inspect.getdoc(getattr(importlib.import_module(self.messages[alias]), name, None))
                    )
                case _:
                    continue
        return ""


def _name(node: ast.expr) -> str:
    return ast.unparse(node).split(".")[-1]


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


@functools.cache
def codes() -> tuple[Code, ...]:
    """All of them, in the order of their names."""
    modules = {path: _Module(path) for path in sorted(SOURCE.rglob("*.py")) if "code" in path.read_text()}
    bases = {name: base for module in modules.values() for name, base in module.bases.items()}

    def status_of(kind: str) -> int | None:
        while kind not in STATUS and kind in bases:
            kind = bases[kind]
        return STATUS.get(kind)

    found: dict[tuple[str, int | None], dict[str, None]] = {}
    for path, module in modules.items():
        of_command = str(path.relative_to(SOURCE)).startswith(_OF_COMMANDS)
        for code, kind, given, when in module.errors():
            status = given or status_of(kind)
            if status is not None:
                found.setdefault((code, None if of_command else status), {})[when] = None
    described: list[Code] = []
    for (code, status), whens in sorted(found.items(), key=lambda one: (one[0][0], one[0][1] or 0)):
        when = " ".join(one for one in whens if one) or _WORDS.get(code, "")
        described.append(Code(code, status, when))
    return tuple(described)


def page() -> str:
    lines = [
        "# Errors",
        "",
        "An error of the API is [problem+json](https://www.rfc-editor.org/rfc/rfc9457): `detail` is its sentence, `code` is for",
        "programs and does not change, `retryable` says whether the same request can succeed later, `errors` names the fields at",
        "fault. 429 and 503 carry `Retry-After`. The command line prints the sentence, and with `--json` the same document.",
        "`./dev messages` writes this page from the source; a test fails where a code has no words.",
        "",
        "```json",
        '{"type": "urn:mailcordon:problem:no-such-tenant", "title": "Not Found", "status": 404,',
        ' "detail": "there is no tenant acme", "code": "no-such-tenant", "retryable": false}',
        "```",
        "",
        "## Of the API",
        "",
        "| code | status | when |",
        "| --- | --- | --- |",
    ]
    found = codes()
    lines += [
        f"| `{one.code}` | {one.status} | {_cell(one.when)} |" for one in found if one.status is not None
    ]
    lines += ["", "## Of commands and processes", "", "They end the command or the start of the process.", ""]
    lines += ["| code | when |", "| --- | --- |"]
    lines += [f"| `{one.code}` | {_cell(one.when)} |" for one in found if one.status is None]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
