"""The examples of docs/clients.md and docs/move/ work as they are, but for the address, the credentials and the domain.

Each page is for one stack. A stack that is not on this machine is skipped by name; `./dev conformance` installs those of Node.
"""

import re
import secrets
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings
from django.core.mail import send_mail
from django.test.utils import override_settings

from conformance import clients
from mailcordon_fixtures import systems
from real_clients import world
from real_clients.clients import HOME

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
        host, port = through.system.smtp
        ses = through.ses if "MCAK..." in text else {"key": "", "secret": ""}
        for old, new in (
            ('aws_secret_access_key="..."', f'aws_secret_access_key="{ses["secret"]}"'),
            ("secretAccessKey: '...'", f"secretAccessKey: '{ses['secret']}'"),
            ("MCAK...", ses["key"]),
            ("invoice-4711", secrets.token_hex(6)),  # each page sends another mail with it
            (URL, through.system.url),
            ("smtp.mailcordon.internal:587", f"{host}:{port}"),
            ("smtp.mailcordon.internal", host),
            ("port: 587", f"port: {port}"),
            ("EMAIL_PORT = 587", f"EMAIL_PORT = {port}"),
            ("EMAIL_USE_TLS = True", "EMAIL_USE_TLS = False"),
            ('HOST_USER = "acme"', f'HOST_USER = "{through.slug}"'),
            ("acme+", f"{through.slug}+"),
            ('user_name: "acme"', f'user_name: "{through.slug}"'),
            ("//acme:", f"//{through.slug}:"),
            ("requireTLS: true", "requireTLS: false"),  # this system has no certificate
            ("enable_starttls: true", "enable_starttls: false"),
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
    ours, sending, smtp = blocks("move/django.md", "python")
    with override_settings(**settings_of(adapt(ours))):
        run_python(adapt(sending))
    assert capsys.readouterr().out.startswith("msg_")
    subject = secrets.token_hex(6)
    with override_settings(**settings_of(adapt(smtp)), DEFAULT_FROM_EMAIL=f"a@{through.domain}"):
        send_mail(subject, "Thank you.", None, ["kim@example.com"])
    assert arrived(through, subject, 1)


def settings_of(text: str) -> dict[str, Any]:
    return {name: value for name, value in run_python("import os\n" + text).items() if name.isupper()}


def run_program(command: list[str], folder: Path, **more: str) -> None:
    environment = {**systems.environment(folder), "MAILCORDON_KEY": "", **more}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def installed(binary: str, package: str) -> str:
    found = shutil.which(binary)
    if found is None:
        pytest.skip(f"ABSENT: {binary} is not installed (on Debian: apt install {package})")
    return found


def arrived(through: world.Through, subject: str, number: int) -> bool:
    """Waits until so many mails with this subject have arrived."""
    return len(through.ledger.wait(number, subject)) == number


def test_the_examples_of_node_work(through: world.Through, adapt: Adapt):
    if not clients.has_javascript(HOME):
        pytest.skip(
            "ABSENT: NODE WAS NOT TRIED: its packages are not installed (`./dev conformance --bring`)"
        )
    node, place = clients.javascript(HOME)
    for number, example in enumerate(blocks("move/node.md", "js")):
        subject = secrets.token_hex(6)
        program = place / f"example-{number}.mjs"
        program.write_text(adapt(example).replace("Your invoice", subject))
        run_program([str(node.node), program.name], place, MAILCORDON_KEY=through.key)
        assert arrived(through, subject, 1)


def test_the_example_of_rails_works(through: world.Through, adapt: Adapt, tmp_path: Path):
    ruby = installed("ruby", "ruby-actionmailer")
    given, mailer = blocks("move/rails.md", "ruby")
    # As much of Rails as the settings need.
    rails = 'require "action_mailer"\nrequire "ostruct"\nmodule Rails\n  def self.application = self\n'
    rails += "  def self.config = OpenStruct.new(action_mailer: ActionMailer::Base)\n"
    rails += "  def self.configure(&block) = instance_eval(&block)\nend\n"
    subject = secrets.token_hex(6)
    program = tmp_path / "example.rb"
    program.write_text(
        rails
        + adapt(given + mailer).replace("Your invoice", subject)
        + 'InvoiceMailer.invoice("1").deliver_now\n'
    )
    run_program([ruby, program.name], tmp_path, MAILCORDON_KEY=through.key)
    assert arrived(through, subject, 1)


def test_the_example_of_symfony_works(through: world.Through, adapt: Adapt, tmp_path: Path):
    php = installed("php", "php-cli php-symfony-mailer")
    [example] = blocks("move/laravel.md", "php")
    subject = secrets.token_hex(6)
    program = tmp_path / "example.php"
    loaded = example.replace("<?php\n", "<?php\nrequire 'Symfony/Component/Mailer/autoload.php';\n")
    program.write_text(adapt(loaded).replace("Your invoice", subject))
    run_program([php, program.name], tmp_path)
    assert arrived(through, subject, 1)


def test_the_example_of_go_works(through: world.Through, adapt: Adapt, tmp_path: Path):
    go = installed("go", "golang-go")
    [example] = blocks("clients.md", "go")
    subject = secrets.token_hex(6)
    (tmp_path / "example.go").write_text(adapt(example).replace("Your invoice", subject))
    run_program([go, "run", "example.go"], tmp_path, GO111MODULE="off")
    assert arrived(through, subject, 1)


def test_postfix_takes_the_settings_of_its_page(tmp_path: Path):
    postconf = installed("postconf", "postfix")
    [given] = blocks("move/postfix.md", "ini")
    (tmp_path / "main.cf").write_text(given)
    done = subprocess.run(
        [postconf, "-c", tmp_path, "-n"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "unused parameter" not in done.stderr
    assert set(re.findall(r"^(\w+) =", given, re.MULTILINE)) <= set(
        re.findall(r"^(\w+) =", done.stdout, re.MULTILINE)
    )
