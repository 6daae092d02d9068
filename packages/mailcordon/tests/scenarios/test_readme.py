"""The commands and examples of the README work as they are, except for the ports and the tenant's name."""

import json
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailcordon.messages import drill as messages
from mailcordon_fixtures import served_programs, systems
from mailcordon_fixtures.served_programs import Shell

README = (Path(__file__).parents[4] / "README.md").read_text()
DOORS = README.partition("## Send from the app you have\n")[2].partition("\n## ")[0]
FENCES = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def blocks(start: str) -> list[str]:
    return [text for _, text in FENCES if text.startswith(start)]


@pytest.fixture
def name() -> str:
    return f"acme-{secrets.token_hex(3)}"


@pytest.fixture
def shell(system: systems.System, tmp_path: Path) -> Iterator[Shell]:
    opened = Shell(tmp_path, {"mailcordon": served_programs.mailcordon}, systems.environment(system.home))
    yield opened
    opened.close()


def typed(line: str, name: str) -> str:
    """The line as somebody types it who has no terminal to say yes on."""
    words = line.split()
    assert words[:2] == ["./dev", "mailcordon"]
    asks = " --yes" if words[2] in ("cordon", "uncordon") else ""
    return line.removeprefix("./dev ").replace("acme", name) + asks


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README sends with curl")
def test_the_commands_of_the_readme_work(shell: Shell, name: str) -> None:
    shown = [block for block in blocks("./dev mailcordon") if block not in DOORS]
    [onboard, *then] = [line for block in shown for line in block.splitlines()]
    shell.run(typed(onboard, name))
    [send] = blocks("eval")
    accepted = json.loads(shell.run(send.replace("acme", name).replace("./dev mailcordon", "mailcordon")))
    assert accepted["deliveries"][0]["state"] == "queued"

    for line in then:
        shell.run(typed(line, name))
    said = {line.split()[2]: shell.run(typed(line, name)) for line in then if "why" in line or "sent" in line}
    assert accepted["id"] in said["why"]
    assert "kim@example.com" in said["sent"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README sends with curl")
def test_each_door_of_the_readme_takes_its_example(
    system: systems.System, shell: Shell, name: str, tmp_path: Path
) -> None:
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
    onboard, make_key = settings.splitlines()
    shell.run(typed(onboard, name))
    made = shell.run(typed(make_key, name))
    values = {"mck_...": r"mck_\S+", "MCAK...": r"MCAK\S+", '"..."': r"(?<=SECRET_ACCESS_KEY=)\S+"}
    found = {placeholder: re.findall(pattern, made)[0] for placeholder, pattern in values.items()}

    def filled(text: str) -> str:
        text = text.replace("acme", name).replace("./dev mailcordon", "mailcordon")
        text = text.replace("http://127.0.0.1:8025", system.url).replace(
            "127.0.0.1:8587", "{}:{}".format(*system.smtp)
        )
        for placeholder, value in found.items():
            text = text.replace(placeholder, f'"{value}"' if placeholder.startswith('"') else value)
        return text

    (tmp_path / "app.py").write_text(filled(boto3))
    shell.run(f"export MAILCORDON_URL={system.url}")
    for script in (rest, smtp, templates, f"{shlex.quote(sys.executable)} app.py", webhook):
        shell.run(filled(script))
    found_mail = json.loads(shell.run(f"mailcordon messages --tenant {name} --json"))
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
