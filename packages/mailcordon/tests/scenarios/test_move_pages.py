"""The examples of docs/clients.md and docs/move/ work as they are, but for the address, the credentials and the domain.

Each page is for one stack. A stack that is not on this machine is skipped by name; `./dev conformance` installs those of Node.
"""

import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings
from django.test.utils import override_settings

from mailcordon_fixtures import systems
from real_clients import world

DOCS = Path(__file__).parents[4] / "docs"
URL = "https://mailcordon.internal"
NAMED = ("invoice", "notification")  #: types that the pages name

Adapt = Callable[[str], str]


@pytest.fixture(scope="module")
def through(system: systems.System) -> world.Through:
    return world.tenant_of(system, **dict.fromkeys(NAMED, ""))


@pytest.fixture
def adapt(through: world.Through) -> Adapt:
    """An example with this system's address, key and domain."""

    def adapted(text: str) -> str:
        ses = through.ses if "MCAK..." in text else {"key": "", "secret": ""}
        for old, new in (
            ('aws_secret_access_key="..."', f'aws_secret_access_key="{ses["secret"]}"'),
            ("secretAccessKey: '...'", f"secretAccessKey: '{ses['secret']}'"),
            ("MCAK...", ses["key"]),
            ("invoice-4711", secrets.token_hex(6)),  # each page sends another mail with it
            (URL, through.system.url),
            ("mck_...", through.key),
            ("@acme.example", f"@{through.domain}"),
        ):
            text = text.replace(old, new)
        return text

    return adapted


def blocks(page: str, language: str, containing: str = "") -> list[str]:
    """The page's examples in this language; fails if there is none."""
    fences = re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    found = [one for one in fences if containing in one]
    assert found, f"{page} has no such example"
    return found


def run_python(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(text, "example", "exec"), names)
    return names


def test_the_examples_of_the_python_client_work(
    through: world.Through, adapt: Adapt, capsys: pytest.CaptureFixture[str]
):
    sending, errors, webhook = blocks("clients.md", "python")
    names = run_python(adapt(sending) + adapt(errors))
    said = capsys.readouterr().out
    assert names["accepted"].id in said
    assert "to[0]" in said, "the second example shows the field that is wrong"
    names["mailcordon"].close()
    assert run_python(webhook)["receive"](b"{}", {}) == 400


def test_the_example_of_boto3_works(adapt: Adapt, capsys: pytest.CaptureFixture[str]):
    [example] = blocks("move/boto3.md", "python")
    run_python(adapt(example))["ses"].close()
    assert re.fullmatch(r"\S{20,}\n", capsys.readouterr().out)


def test_the_examples_of_django_work(
    through: world.Through, adapt: Adapt, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    if not settings.configured:
        settings.configure()
        django.setup()
    monkeypatch.setenv("MAILCORDON_KEY", through.key)
    given, sending, _ = blocks("move/django.md", "python")
    own = {name: value for name, value in run_python("import os\n" + adapt(given)).items() if name.isupper()}
    with override_settings(**own):
        run_python(adapt(sending))
    assert capsys.readouterr().out.startswith("msg_")
