"""The commands and examples of the README work as they are, except for the ports and the tenant's name."""

import json
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mailcordon.messages import drill as messages
from mailcordon_fixtures import systems

README = (Path(__file__).parents[4] / "README.md").read_text()
FENCES = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def blocks(start: str) -> list[str]:
    return [text for _, text in FENCES if text.startswith(start)]


@pytest.fixture
def name() -> str:
    return f"acme-{secrets.token_hex(3)}"


def typed(system: systems.System, line: str, name: str) -> subprocess.CompletedProcess[str]:
    words = shlex.split(line.replace("acme", name))
    assert words[:2] == ["./dev", "mailcordon"]
    asks = ["--yes"] if words[2] in ("cordon", "uncordon") else []
    return system.cli(*words[2:], *asks)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README sends with curl")
def test_the_commands_of_the_readme_work(system: systems.System, name: str) -> None:
    [onboard, *then] = [line for block in blocks("./dev mailcordon") for line in block.splitlines()]
    onboarded = typed(system, onboard, name)
    assert onboarded.returncode == 0, onboarded.stderr

    [send] = blocks("eval")
    script = send.replace("acme", name).replace(
        "./dev mailcordon", f"{shlex.quote(sys.executable)} -m mailcordon"
    )
    environment = systems.environment(system.home, {"SHELL": "/bin/sh"})
    response = subprocess.run(["sh", "-c", script], env=environment, capture_output=True)
    accepted = json.loads(response.stdout)
    assert accepted["deliveries"][0]["state"] == "queued"

    for line in then:
        done = typed(system, line, name)
        assert done.returncode == 0, (line, done.stderr)
    said = {
        line.split()[2]: typed(system, line, name).stdout for line in then if "why" in line or "sent" in line
    }
    assert accepted["id"] in said["why"]
    assert "kim@example.com" in said["sent"]


def test_the_boto3_example_of_the_readme_works(system: systems.System, name: str, tmp_path: Path) -> None:
    [code] = [text for language, text in FENCES if language == "python"]
    script = tmp_path / "readme.py"
    script.write_text(
        code.replace("http://127.0.0.1:8005", system.ses_url).replace("apps.example", f"{name}.example")
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=systems.PATIENCE
    )
    assert done.returncode == 0, done.stderr
    assert "Max24HourSend" in done.stdout


def test_the_readmes_output_is_that_of_a_drill_of_this_version_that_passed() -> None:
    [output] = [text for _, text in FENCES if "✓" in text]
    titles = [step() for name, step in vars(messages).items() if name.startswith("step_")]
    assert re.findall(r"^✓ (.*?)  [\d.]+ s$", output, re.MULTILINE) == titles
    assert "✗" not in output
    assert f"All {len(titles)} steps passed" in output
