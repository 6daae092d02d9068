"""The pytest plugin, in separate pytest runs as its users have them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = """
import json
import pytest


def send(seslocal):
    ses = seslocal.client("sesv2")
    ses.create_email_identity(EmailIdentity="acme.example")
    content = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}}
    return ses.send_email(
        FromEmailAddress="a@acme.example", Destination={"ToAddresses": ["kim@example.com"]}, Content=content
    )["MessageId"]


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_begins_with_nothing(seslocal, turn):
    assert seslocal.sent() == []
    message_id = send(seslocal)
    [line] = seslocal.sent(recipient="kim@example.com")
    assert line["message_id"] == message_id
    assert seslocal.mail(message_id)["content"]["Simple"]["Subject"]["Data"] == "Hi"


def test_fates_faults_and_time(seslocal):
    seslocal.mailbox("kim@example.com", "bounces")
    send(seslocal)
    assert seslocal.sent()[0]["fates"]["kim@example.com"]["fate"] == "bounces"
    seslocal.fault("throttle_storm")
    seslocal.advance(61)
    assert seslocal.admin("GET", "/faults") == {"faults": []}
    with pytest.raises(AssertionError, match="fault must be one of"):
        seslocal.fault("explode")


def test_a_world(seslocal):
    seslocal.world(seed=7, lists=[{"name": "spring", "quality": "bought"}])
    message_id = send(seslocal)
    assert seslocal.sent()[0]["fates"]["kim@example.com"]["fate"] == "world"
    seslocal.advance(86400 * 2)
    [mail] = seslocal.admin("GET", f"/world/mails/{message_id}")["recipients"]
    assert mail["ended"] in ("inbox", "spam", "refused", "returned")


def test_without_a_world_there_is_none(seslocal):
    with pytest.raises(AssertionError, match="There is no world"):
        seslocal.admin("GET", "/world")
"""
SETTINGS = """
import pytest


@pytest.fixture(scope="session")
def seslocal_settings():
    from seslocal import Settings

    return Settings(region="eu-west-1", strict=True)
"""


def run(directory: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", *more, str(directory)],
        capture_output=True, text=True, timeout=240, cwd=directory,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


def test_each_test_gets_an_empty_server(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    ran = run(tmp_path, "-p", "seslocal.pytest_plugin")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "5 passed" in ran.stdout


def test_settings_can_be_overridden(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(SETTINGS)
    (tmp_path / "test_it.py").write_text(
        "def test_it(seslocal):\n"
        "    assert seslocal.region == 'eu-west-1'\n"
        "    assert seslocal.dns_port\n"
        "    assert seslocal.admin('GET', '/account')['behaviour']['verify_at_once'] is False\n"
    )
    ran = run(tmp_path, "-p", "seslocal.pytest_plugin")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_nothing_is_imported_without_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n"
        "    assert not {'boto3', 'botocore', 'seslocal.server', 'aiohttp'} & set(sys.modules)\n"
    )
    ran = run(tmp_path, "-p", "seslocal.pytest_plugin")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_plugin_is_a_pytest11_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"seslocal": "seslocal.pytest_plugin"}
    page = (ROOT / "docs" / "guide.md").read_text()
    assert re.search(r"def test_\w+\(seslocal\)", page)
