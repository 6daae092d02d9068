"""The clients, and how each is started against an end."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conformance import clients as installed
from mailcordon_fixtures import systems
from real_clients.world import TYPE, Absence, tenant_of

HERE: Final = Path(__file__).parent
PROGRAMS: Final = HERE / "programs"
HOME: Final = (
    HERE.parents[3] / "packages" / "seslocal" / ".conformance"
)  #: where `./dev conformance` installs clients
_LONGEST: Final = 300.0  #: seconds of one program

Start = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Client:
    name: str
    title: str
    door: str  #: `ses`, `smtp`, or `django` for Django's backend of the REST door
    start: Start
    short: bool = False  #: part of the suite: it needs nothing installed
    settings: dict[str, Any] | None = None  #: of Django, besides the address and the credentials


def _here(program: str) -> Start:
    """In this process."""
    return lambda given: importlib.import_module(f"real_clients.programs.{program}").send(given)


def _run(command: list[str], given: dict[str, Any], **more: Any) -> None:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "MAILCORDON_")) and not name.lower().endswith("_proxy")
    }
    environment = {
        **kept,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        **more.pop("env", {}),
    }
    done = subprocess.run(
        command,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=_LONGEST,
        env=environment,
        check=False,
        **more,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def _python(program: str) -> Start:
    """In the environment of the clients."""

    def start(given: dict[str, Any]) -> None:
        try:
            python = installed.python(HOME)
        except installed.Absence as absence:
            raise Absence(str(absence)) from None
        _run(
            [str(python), "-m", "real_clients.programs", program], given, env={"PYTHONPATH": str(HERE.parent)}
        )

    return start


def _node(program: str) -> Start:
    def start(given: dict[str, Any]) -> None:
        try:
            if not installed.has_javascript(HOME):
                raise Absence("the JavaScript clients are not installed")
            node, place = installed.javascript(HOME)
        except installed.Absence as absence:
            raise Absence(str(absence)) from None
        for one in PROGRAMS.glob("*.mjs"):
            shutil.copy(one, place / one.name)  # imports are looked for beside the program
        _run([str(node.node), program], given, cwd=place)

    return start


def django_tests(system: systems.System) -> list[str]:
    """Django's own tests of mail backends against ours: what they say if one fails. Raises Absence."""
    try:
        source = installed.source(HOME, "django")
    except installed.Absence as absence:
        raise Absence(str(absence)) from None
    tenant = tenant_of(system, **{TYPE: "example.com", "invoice": "xn--4ca9at.com"})
    given = {"url": system.url, "key": tenant.key, "type": TYPE, "idn_type": "invoice", "ses": system.ses_url}
    path = os.pathsep.join(str(one) for one in (HERE.parent, installed.ROOT))
    try:
        _run(
            [sys.executable, "-m", "real_clients.django_tests", str(source)], given, env={"PYTHONPATH": path}
        )
    except AssertionError as failed:
        return str(failed).splitlines()
    return []


def _debian(binary: str, program: str, package: str) -> Start:
    def start(given: dict[str, Any]) -> None:
        found = shutil.which(binary)
        if not found:
            raise Absence(f"{binary} is not installed (on Debian: apt install {package})")
        _run([found, str(PROGRAMS / program)], given)

    return start


def _local(program: str) -> Start:
    """A program of this machine, driven from this process."""

    def start(given: dict[str, Any]) -> None:
        if not shutil.which(program):
            raise Absence(f"{program} is not installed (on Debian: apt install {program})")
        importlib.import_module(f"real_clients.programs.{program}").send(given)

    return start


_DJANGO_SES: Final = {
    "EMAIL_BACKEND": "django_ses.SESBackend",
    "AWS_SES_AUTO_THROTTLE": None,
    "INSTALLED_APPS": ["django_ses"],
}
ALL: Final = (
    Client("boto3-v2", "boto3, SES v2, simple content", "ses", _here("boto3_v2"), short=True),
    Client("boto3-v2-raw", "boto3, SES v2, raw content", "ses", _here("boto3_v2_raw"), short=True),
    Client("boto3-v1", "boto3, SES v1", "ses", _here("boto3_v1"), short=True),
    Client("smtplib", "Python's smtplib", "smtp", _here("python_smtplib"), short=True),
    Client("swaks", "swaks", "smtp", _local("swaks")),
    Client("msmtp", "msmtp", "smtp", _local("msmtp")),
    Client("postfix", "Postfix as a relay", "smtp", _local("postfix")),
    Client("django", "Django, mailcordon-client's backend", "django", _here("django_mail"), short=True),
    Client("django-smtp", "Django, its SMTP backend", "smtp", _here("django_mail"), short=True, settings={}),
    Client("awscli", "AWS CLI", "ses", _python("awscli")),
    Client("django-ses-v1", "django-ses, SES v1", "ses", _python("django_mail"), settings=_DJANGO_SES),
    Client(
        "django-ses-v2",
        "django-ses, SES v2",
        "ses",
        _python("django_mail"),
        settings={**_DJANGO_SES, "USE_SES_V2": True},
    ),
    Client(
        "anymail",
        "django-anymail",
        "ses",
        _python("django_mail"),
        settings={"EMAIL_BACKEND": "anymail.backends.amazon_ses.EmailBackend", "INSTALLED_APPS": ["anymail"]},
    ),
    Client("javascript", "JavaScript SDK v3", "ses", _node("sdk.mjs")),
    Client("nodemailer-ses", "nodemailer, SES transport", "ses", _node("nodemailer.mjs")),
    Client("nodemailer-smtp", "nodemailer, SMTP", "smtp", _node("nodemailer.mjs")),
    Client(
        "action-mailer",
        "Rails' ActionMailer, SMTP",
        "smtp",
        _debian("ruby", "action_mailer.rb", "ruby-actionmailer"),
    ),
    Client(
        "symfony-mailer",
        "Symfony Mailer (Laravel), SMTP",
        "smtp",
        _debian("php", "symfony_mailer.php", "php-cli php-symfony-mailer"),
    ),
)


def django_settings(client: Client, given: dict[str, Any]) -> dict[str, Any]:
    """Django's settings for the SES or SMTP end that is given."""
    settings = dict(client.settings or {})
    if smtp := given.get("smtp"):
        settings |= {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": smtp["host"],
            "EMAIL_PORT": smtp["port"],
            "EMAIL_HOST_USER": smtp["username"],
            "EMAIL_HOST_PASSWORD": smtp["password"],
            "EMAIL_USE_TLS": smtp["starttls"],
        }
    if ses := given.get("ses"):
        if "anymail" in str(settings.get("EMAIL_BACKEND")):
            settings["ANYMAIL"] = {
                "AMAZON_SES_CLIENT_PARAMS": {
                    "aws_access_key_id": ses["key"],
                    "aws_secret_access_key": ses["secret"],
                    "region_name": ses["region"],
                    "endpoint_url": ses["endpoint"],
                }
            }
        else:
            settings |= {
                "AWS_SES_ACCESS_KEY_ID": ses["key"],
                "AWS_SES_SECRET_ACCESS_KEY": ses["secret"],
                "AWS_SES_REGION_NAME": ses["region"],
                "AWS_SES_REGION_ENDPOINT_URL": ses["endpoint"],
            }
    return settings
