"""What lies in deploy/ for containers, systemd and proxies names settings, commands and roles that exist."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer import core
from typer.main import get_command

from mailcordon import __main__ as program
from mailcordon import config

ROOT = Path(__file__).parents[4]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
OURS = [
    DEPLOY / "Containerfile",
    DEPLOY / "compose.yaml",
    DEPLOY / "environment.example",
    DEPLOY / "nginx.conf",
    *UNITS,
]
#: Names that look like settings, and are parts of others in a comment.
_NAME = re.compile(r"\bMAILCORDON_[A-Z0-9_]+")


def test_every_setting_that_is_named_exists() -> None:
    for file in OURS:
        unknown = set(_NAME.findall(file.read_text())) - config.KNOWN
        assert unknown == set(), file.name


def commands() -> Iterator[tuple[str, list[str]]]:
    """Where it stands, and the words after `mailcordon`."""
    compose: Any = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        yield f"compose.yaml {name}", service["command"]
    default = re.search(r"^CMD (\[.*\])$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    assert default is not None
    yield "Containerfile", yaml.safe_load(default[1])
    for unit in UNITS:
        for line in re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE):
            binary, *words = shlex.split(line)
            assert binary == "/opt/mailcordon/bin/mailcordon", unit.name
            yield unit.name, words


def test_every_command_exists_and_every_role_has_a_service() -> None:
    root = get_command(program.command_line())
    assert isinstance(root, core.TyperGroup)
    roles: set[str] = set()
    for where, words in commands():
        command = root.commands[words[0]]
        if words[0] == "run":
            roles.add(words[1])
            assert words[1] == "%i" or words[1] in config.PROCESS_LOGINS, where
            continue
        options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        assert set(words[1:]) <= options, where
    assert roles == {*config.PROCESS_LOGINS, "%i"}
    for role in config.PROCESS_LOGINS:
        assert f"@{role}" in (DEPLOY / "systemd" / "mailcordon@.service").read_text()


def test_the_example_of_settings_is_read_as_it_is(tmp_path: Path) -> None:
    given: dict[str, str] = {"MAILCORDON_HOME": str(tmp_path)}
    for line in (DEPLOY / "environment.example").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            given[name] = value
    given["MAILCORDON_SECRET_KEYS"] = "q" * 43 + "="
    assert config.read(given).ses == "aws"


def test_a_process_has_the_time_to_drain() -> None:
    drain = config.Config(home=Path("/x")).drain_seconds
    unit = (DEPLOY / "systemd" / "mailcordon@.service").read_text()
    for found in (
        re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE),
        re.search(r"stop_grace_period: (\d+)s", (DEPLOY / "compose.yaml").read_text()),
    ):
        assert found is not None
        assert int(found[1]) > drain


def test_the_proxy_closes_idle_connections_before_the_api_does() -> None:
    text = (DEPLOY / "nginx.conf").read_text()
    for seconds in re.findall(r"keepalive_timeout (\d+)s;", text):
        assert int(seconds) < config.Config(home=Path("/x")).limits.idle_seconds
    assert text.count("proxy_buffering off;") == 1, "server-sent events of the dashboard"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_units_are_valid_and_shut_in(tmp_path: Path) -> None:
    """Measured: exposure 1.4 of a role, 1.2 of migrate (docs/deploy.md)."""
    for unit in UNITS:
        name = unit.name.replace("@.", "@dispatch.")
        text = unit.read_text().replace("/opt/mailcordon/bin/mailcordon", "/bin/true")  # not installed here
        (tmp_path / unit.name).write_text(text)
        (tmp_path / name).write_text(text)
        said = analyze("verify", str(tmp_path / name))
        assert (said.returncode, said.stderr) == (0, ""), said.stderr
        judged = analyze("security", "--offline=true", "--no-pager", str(tmp_path / name))
        found = re.search(r"Overall exposure level for \S+: ([\d.]+)", judged.stdout)
        assert found is not None, judged.stderr
        assert float(found[1]) <= 1.5, judged.stdout


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False
    )
