"""Who may import whom, and who may send: read from the sources themselves, so that no test run is needed to breach it.

messages <- standard library · core <- standard library, messages · host, door <- standard library, core, messages · guard <-
standard library, numpy, core, messages · a plane <- core, messages, guard, itself · intake <- core, messages, guard, door,
planes · an adapter package <- core, messages, guard, host, door, planes, intake, itself · `app/`, `run/`, `config/` and
`__main__.py` <- all, but `app` and `run` do not import each other. Only
`send/calling.py` calls SES's send, and only `adapters/ses/send.py` implements it. `mailcordon`, `mailcordon_client` and
`seslocal` do not import each other.
"""

import ast
import sys
from pathlib import Path

import pytest

from tests import import_reader
from tests.import_reader import imports, modules, nodes

PACKAGES_DIRECTORY = Path(__file__).resolve().parent.parent / "packages"
SOURCES = tuple(PACKAGES_DIRECTORY / name / "src" for name in ("mailcordon", "mailcordon-client", "seslocal"))
ALONE = ("mailcordon_client", "seslocal")  #: distributions that share nothing with mailcordon
PLANES = ("control", "send", "observe")
ROOT_MODULES = ("app", "run", "config", "__main__")
MESSAGES = ("messages", "messages")
HOST = ("host", "host")
DOOR = ("door", "door")
INTAKE = ("intake", "intake")
GUARD = ("guard", "guard")
SENDERS = {"mailcordon.send.calling", "mailcordon.send.dispatch", "mailcordon.adapters.ses.send"}
SEND_PORT = "mailcordon.send.ports"
SES_DOOR = "mailcordon.adapters.http.ses_door."
#: SES's operations that send, as boto3, our own client and the wire name them.
SENDING_NAMES = {
    "send_email",
    "SendEmail",
    "send_bulk_email",
    "SendBulkEmail",
    "send_raw_email",
    "SendRawEmail",
    "send_custom_verification_email",
    "SendCustomVerificationEmail",
}
SENDING_PATHS = ("/v2/email/outbound-emails", "/v2/email/outbound-bulk-emails")


def home_of(module: str) -> tuple[str, str]:
    """The layer a module belongs to, and its place in it: ("plane", "send"), ("adapter", "db"), ("root", "app"), ..."""
    top, _, rest = module.partition(".")
    if top != "mailcordon":
        return ("foreign", top)
    first, _, inner = rest.partition(".")
    if first in ("core", "messages", "host", "door", "intake", "guard"):
        return (first, first)
    if first in PLANES:
        return ("plane", first)
    if first == "adapters":
        return ("adapter", inner.partition(".")[0])
    if first == "" or first in ROOT_MODULES:
        return ("root", first)
    return ("unknown", first)


def breach(module: str, imported: str) -> str | None:
    """What is wrong with this import, or none."""
    (layer, place), (other, there) = home_of(module), home_of(imported)
    if layer == "unknown":
        return f"{module} belongs to no layer: it is no plane, no adapter and not in {ROOT_MODULES}"
    if other == "foreign":
        if layer == "foreign" and place not in ALONE:
            return f"{module} belongs to no distribution"
        if there in ALONE and there != place:
            return f"{module} imports {there}"
        if layer in ("core", "messages", "host", "door", "intake") and there not in sys.stdlib_module_names:
            return f"{layer} imports {there}, which is not in the standard library"
        if layer == "guard" and there not in {*sys.stdlib_module_names, "numpy"}:
            return f"guard imports {there}, which is neither in the standard library nor numpy"
        return None
    if layer == "foreign":
        return f"{place} imports {imported}"
    if imported == "mailcordon":
        return None  # the package's version
    if {place, there} == {"app", "run"}:
        return f"{module} imports {imported}: `__main__` binds app and run"
    allowed = {
        "messages": [MESSAGES],
        "host": [("core", "core"), MESSAGES, HOST],
        "door": [("core", "core"), MESSAGES, DOOR],
        "core": [("core", "core"), MESSAGES],
        "guard": [("core", "core"), MESSAGES, GUARD],
        "plane": [("core", "core"), MESSAGES, GUARD, ("plane", place)],
        "intake": [
            ("core", "core"),
            GUARD,
            MESSAGES,
            DOOR,
            *(("plane", plane) for plane in PLANES),
            INTAKE,
        ],
        "adapter": [
            INTAKE,
            GUARD,
            ("core", "core"),
            MESSAGES,
            HOST,
            DOOR,
            *(("plane", plane) for plane in PLANES),
            ("adapter", place),
            ("adapter", ""),
        ],
    }.get(layer)
    if allowed is not None and (other, there) not in allowed:
        return f"{module} ({layer} {place}) imports {imported} ({other} {there})"
    return None


def import_breaches(sources: dict[str, str], packages: set[str]) -> list[str]:
    known = set(sources)
    return [
        f"{wrong} (line {line})"
        for module, source in sources.items()
        for line, imported in imports(module, source, known, package=module in packages)
        if (wrong := breach(module, imported))
    ]


def send_breaches(sources: dict[str, str]) -> list[str]:
    """Every mention of SES's send outside the two modules that may: a call, an attribute, a name, an operation's text.

    The dispatcher's port declares it too, as a Protocol's method: a declaration calls nothing. The SES door knows it as a word
    that it is asked with; it has nothing to call it with.
    """
    found: list[str] = []
    for module, source in sources.items():
        if not module.startswith("mailcordon") or module in SENDERS:
            continue
        for node in nodes(source):
            name = _sending_name(node, declaration_allowed=module == SEND_PORT)
            if name and module.startswith(SES_DOOR) and isinstance(node, ast.Constant):
                continue
            if name:
                found.append(f"{module} line {getattr(node, 'lineno', '?')} has SES's {name}")
    return found


def _sending_name(node: ast.AST, *, declaration_allowed: bool) -> str | None:
    name: str | None = None
    if isinstance(node, ast.Attribute):
        name = node.attr
    elif isinstance(node, ast.Name):
        name = node.id
    elif isinstance(node, ast.alias):
        name = node.name.rpartition(".")[2]
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not declaration_allowed:
        name = node.name
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        sends = node.value in SENDING_NAMES or node.value.rstrip("/").endswith(SENDING_PATHS)
        return node.value if sends else None
    return name if name in SENDING_NAMES else None


def users_of(sources: dict[str, str], target: str) -> set[str]:
    """Which modules import a module."""
    known = set(sources)
    return {
        module
        for module, source in sources.items()
        for _, imported in imports(module, source, known)
        if imported == target
    }


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return modules(*SOURCES)


@pytest.fixture(scope="module")
def packages() -> set[str]:
    return import_reader.packages(*SOURCES)


def test_the_layers_import_only_what_they_may(sources: dict[str, str], packages: set[str]):
    assert import_breaches(sources, packages) == []


def test_only_the_dispatcher_calls_ses_send(sources: dict[str, str]):
    assert send_breaches(sources) == []
    calls = [
        node
        for node in ast.walk(ast.parse(sources["mailcordon.send.calling"]))
        if isinstance(node, ast.Attribute) and node.attr in SENDING_NAMES
    ]
    assert calls, "the dispatcher does not call the send any more: this test guards nothing"


def test_only_the_composition_root_makes_the_client_that_sends(sources: dict[str, str]):
    assert users_of(sources, "mailcordon.adapters.ses.send") <= {"mailcordon.app.dispatch"}


#: A small tree for the checker to be tried on.
KNOWN = {
    "mailcordon": "",
    "mailcordon.core": "",
    "mailcordon.core.errors": "",
    "mailcordon.messages": "",
    "mailcordon.messages.api": "",
    "mailcordon.host": "",
    "mailcordon.door": "",
    "mailcordon.send": "",
    "mailcordon.send.ports": "",
    "mailcordon.observe": "",
    "mailcordon.adapters": "",
    "mailcordon.adapters.db": "",
    "mailcordon.adapters.http": "",
    "mailcordon.app": "",
    "mailcordon.run": "",
    "mailcordon.run.child": "",
    "mailcordon.config": "",
    "seslocal": "",
    "seslocal.wire": "",
}
PACKAGES = frozenset(
    [
        "mailcordon",
        "mailcordon.core",
        "mailcordon.messages",
        "mailcordon.host",
        "mailcordon.door",
        "mailcordon.send",
        "mailcordon.observe",
        "mailcordon.adapters",
        "seslocal",
    ]
)


class TestTheCheckerItself:
    """Each rule is shown a small breach, and sees it."""

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            ("mailcordon.core.x", "import msgspec"),
            ("mailcordon.core.x", "from mailcordon import send"),
            ("mailcordon.messages.x", "import rich"),
            ("mailcordon.messages.x", "from mailcordon.core import errors"),
            ("mailcordon.host.x", "import msgspec"),
            ("mailcordon.host.x", "from mailcordon import send"),
            ("mailcordon.host.x", "from mailcordon.adapters import db"),
            ("mailcordon.core.x", "from mailcordon.host import home"),
            ("mailcordon.door.x", "import msgspec"),
            ("mailcordon.door.x", "from mailcordon import send"),
            ("mailcordon.door.x", "from mailcordon import host"),
            ("mailcordon.core.x", "from mailcordon import door"),
            ("mailcordon.send.x", "from mailcordon import door"),
            ("mailcordon.run.x", "from mailcordon import app"),
            ("mailcordon.app.x", "def f():\n    from mailcordon.run import child"),
            ("mailcordon.core.x", "from mailcordon import host"),
            ("mailcordon.send.x", "from mailcordon import host"),
            ("mailcordon.core.x", "from .. import app"),
            ("mailcordon.send.x", "import mailcordon.observe"),
            ("mailcordon.send.x", "from mailcordon import observe"),
            ("mailcordon.send.x", "from mailcordon.adapters import db"),
            ("mailcordon.send.x", "def f():\n    from mailcordon.adapters.db import engine"),
            ("mailcordon.send.x", "from ..observe import ingest"),
            ("mailcordon.send.x", "import mailcordon.app"),
            ("mailcordon.adapters.http.x", "from mailcordon.adapters import db"),
            ("mailcordon.adapters.http.x", "from mailcordon.adapters.db.engine import connect"),
            ("mailcordon.adapters.http.x", "from mailcordon.config import Config"),
            (
                "mailcordon.adapters.http.x",
                "import importlib\nimportlib.import_module('mailcordon.adapters.db')",
            ),
            ("mailcordon.adapters.http.x", "from ..db import engine"),
            ("mailcordon.run.x", "import seslocal"),
            ("mailcordon.app", "from seslocal.wire import Wire"),
            ("seslocal.x", "from mailcordon.core import errors"),
            ("seslocal.x", "from mailcordon import core"),
            ("mailcordon_client.x", "from mailcordon.core import errors"),
            ("mailcordon_client.x", "import seslocal"),
            ("mailcordon.app.x", "from mailcordon_client import Client"),
            ("seslocal.x", "import mailcordon_client.webhooks"),
            ("mailcordon.helpers.x", "import os"),
        ],
    )
    def test_a_forbidden_import_is_seen(self, module: str, source: str):
        assert import_breaches({**KNOWN, module: source}, set(PACKAGES))

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            ("mailcordon.core.x", "import asyncio, dataclasses\nfrom mailcordon.core import errors"),
            ("mailcordon.core.x", "from . import errors"),
            ("mailcordon.core.x", "from mailcordon.messages import api"),
            ("mailcordon.adapters.http.x", "from mailcordon.messages import api"),
            ("mailcordon.adapters.db.x", "from mailcordon import host"),
            (
                "mailcordon.host.x",
                "from mailcordon.core import errors\nfrom mailcordon.messages import system",
            ),
            ("mailcordon.door.x", "from mailcordon.core import errors\nfrom mailcordon.messages import api"),
            ("mailcordon.adapters.http.x", "from mailcordon import door"),
            ("mailcordon.__main__", "from mailcordon import app, run"),
            (
                "mailcordon.send.x",
                "from mailcordon.core.errors import Refused\nfrom mailcordon.send import ports",
            ),
            ("mailcordon.adapters.http.x", "import litestar\nfrom mailcordon import observe, send"),
            ("mailcordon.adapters.db.x", "from mailcordon.adapters.db import engine"),
            ("mailcordon.run.x", "from mailcordon.adapters import db, http\nfrom mailcordon import config"),
            ("seslocal.x", "import botocore\nfrom seslocal import wire"),
        ],
    )
    def test_an_allowed_import_is_left_alone(self, module: str, source: str):
        assert import_breaches({**KNOWN, module: source}, set(PACKAGES)) == []

    @pytest.mark.parametrize(
        "source",
        [
            "async def f(ses):\n    await ses.send_email()",
            "f = ses.send_email",
            "call(client, 'SendEmail')",
            "getattr(client, 'send_email')",
            "from mailcordon.adapters.ses.send import send_email",
            "def send_email(): ...",
            "post('https://ses/v2/email/outbound-emails')",
            "post('/v2/email/outbound-bulk-emails')",
            "client.send_bulk_email()",
        ],
    )
    def test_another_sender_is_seen(self, source: str):
        assert send_breaches({"mailcordon.control.x": source})
        assert send_breaches({"mailcordon.adapters.cli.x": source})

    def test_the_dispatcher_and_its_client_may(self):
        source = "async def f(ses):\n    await ses.send_email()"
        assert send_breaches(dict.fromkeys(SENDERS, source)) == []

    def test_the_port_may_declare_it_but_not_call_it(self):
        assert send_breaches({SEND_PORT: "class P:\n    async def send_email(self) -> None: ..."}) == []
        assert send_breaches({SEND_PORT: "async def f(ses):\n    await ses.send_email()"})

    def test_seslocal_answers_the_send_and_is_left_alone(self):
        assert send_breaches({"seslocal.sending": "OPERATION = 'SendEmail'"}) == []
