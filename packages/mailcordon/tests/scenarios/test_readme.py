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
DOORS = README.partition("## Send from the app you have\n")[2].partition("\n## ")[0]
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
    shown = [block for block in blocks("./dev mailcordon") if block not in DOORS]
    [onboard, *then] = [line for block in shown for line in block.splitlines()]
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


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README sends with curl")
def test_each_door_of_the_readme_takes_its_example(system: systems.System, name: str, tmp_path: Path) -> None:
    settings, rest, boto3, smtp, templates, webhook = (
        next(text for _, text in FENCES if text in DOORS and text.startswith(start))
        for start in (
            "./dev mailcordon tenant",
            "curl",
            "import boto3",
            "printf",
            "mkdir",
            "./dev mailcordon webhook",
        )
    )
    onboarded, made = (typed(system, line, name) for line in settings.splitlines())
    assert onboarded.returncode == made.returncode == 0, onboarded.stderr + made.stderr
    values = {"mck_...": r"mck_\S+", "MCAK...": r"MCAK\S+", '"..."': r"(?<=SECRET_ACCESS_KEY=)\S+"}
    found = {placeholder: re.findall(pattern, made.stdout)[0] for placeholder, pattern in values.items()}

    def filled(text: str) -> str:
        text = text.replace("acme", name).replace(
            "./dev mailcordon", f"{shlex.quote(sys.executable)} -m mailcordon"
        )
        text = text.replace("http://127.0.0.1:8025", system.url).replace(
            "127.0.0.1:8587", "{}:{}".format(*system.smtp)
        )
        for placeholder, value in found.items():
            text = text.replace(placeholder, f'"{value}"' if placeholder.startswith('"') else value)
        return text

    (tmp_path / "app.py").write_text(filled(boto3))
    for script in (rest, smtp, templates, f"{shlex.quote(sys.executable)} app.py", webhook):
        environment = systems.environment(system.home, {"MAILCORDON_URL": system.url, "SHELL": "/bin/sh"})
        done = subprocess.run(
            ["sh", "-c", filled(script)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (script, done.stderr)
    found_mail = json.loads(system.cli("messages", "--tenant", name, "--json").stdout)
    assert len(found_mail["items"]) == 5, found_mail  # one of the four mails has a copy


def test_the_boto3_example_of_the_readme_works(system: systems.System, name: str, tmp_path: Path) -> None:
    [code] = [text for language, text in FENCES if language == "python" and "8005" in text]
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
