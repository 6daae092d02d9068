"""The README and docs/ match the code: their examples run, and their lists are complete."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seslocal.__main__ import main
from seslocal.state.faults import KINDS
from seslocal.state.mailboxes import FATES
from seslocal.state.settings import Behaviour

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
GUIDE = DOCS / "guide.md"
ADMIN_API = DOCS / "admin-api.md"
BEHAVIOUR = DOCS / "behaviour.md"
RECIPES = DOCS / "recipes.md"
FROM_MOTO = DOCS / "from-moto.md"
PAGES = (README, GUIDE, ADMIN_API, BEHAVIOUR, RECIPES, FROM_MOTO, DOCS / "conformance.md")
#: The function that the pytest examples assume.
WELCOME = """
def welcome(address, ses):
    ses.send_email(
        FromEmailAddress="shop@acme.example",
        Destination={"ToAddresses": [address]},
        Content={"Simple": {"Subject": {"Data": "Welcome"}, "Body": {"Text": {"Data": "Hello"}}}},
    )
"""


def blocks(page: Path, word: str) -> list[str]:
    return [
        block for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL) if word in block
    ]


def run_example(example: str, url: str) -> None:
    names: dict[str, object] = {}
    exec(example.replace("http://127.0.0.1:8005", url), names)
    for client in ("ses", "sqs"):
        if client in names:
            names[client].close()  # type: ignore[attr-defined]


def test_guide_example_runs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    [example] = blocks(GUIDE, "import boto3")
    run_example(example, world.local.url)
    assert '"eventType":"Bounce"' in capsys.readouterr().out


def test_readme_example_runs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    [example] = blocks(README, "import boto3")
    run_example(example, world.local.url)
    [mail] = world.admin("GET", "/sent")["sent"]
    assert capsys.readouterr().out == mail["message_id"] + "\n"


async def test_guide_example_in_an_event_loop_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = blocks(GUIDE, "async with")
    names: dict[str, Any] = {}
    head, _, body = example.partition("async with")
    exec(head + "async def example():\n" + textwrap.indent("async with" + body, "    "), names)
    await names["example"]()
    assert re.fullmatch(r"http://127.0.0.1:\d+\n", capsys.readouterr().out)


def test_scenario_example_runs(world: World) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", ADMIN_API.read_text(), re.DOTALL)
    world.ready()
    steps = tomllib.loads(example)["step"]
    world.admin("POST", "/scenario", {"steps": steps})
    world.admin("PUT", "/clock", {"advance": 3601})
    assert [step["outcome"] for step in world.admin("GET", "/scenario")["steps"]] == ["done"] * 3


def test_readme_example_of_other_runners_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = blocks(README, "serving()")
    exec(example, {})
    assert capsys.readouterr().out == "True\n"


@pytest.mark.parametrize(
    ("page", "fixture", "count"),
    [(README, "(seslocal)", 3), (GUIDE, "(seslocal)", 2), (FROM_MOTO, "(seslocal_aws)", 1)],
    ids=["readme", "guide", "from-moto"],
)
def test_pytest_example_passes(page: Path, fixture: str, count: int, tmp_path: Path) -> None:
    example = "\n\n".join(blocks(page, fixture))
    (tmp_path / "test_example.py").write_text(WELCOME + "\n\n" + example)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "seslocal.pytest_plugin"],
        capture_output=True, text=True, timeout=240, cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert f"{count} passed" in done.stdout, done.stdout + done.stderr


def test_operations_page_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--operations"]) == 0
    assert (DOCS / "operations.md").read_text() == capsys.readouterr().out


def test_operations_page_lists_both_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--operations"]) == 0
    out = capsys.readouterr().out
    assert "| SendEmail | yes |" in out
    assert "| CreateDeliverabilityTestReport | no |" in out
    assert "| ReceiveMessage | yes |" in out


def test_readme_counts_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--operations"]) == 0
    counts = re.findall(r"## (.+): (\d+ of \d+)\n", capsys.readouterr().out)
    assert len(counts) == 3
    for service, count in counts:
        assert f"| {service} | {count} |" in README.read_text()


def test_every_fault_and_fate_is_documented() -> None:
    page = ADMIN_API.read_text()
    for name in (*(f"`{kind}`" for kind in KINDS), *(f'`"{fate}"`' for fate in FATES)):
        assert name in page, name


def test_every_switch_is_documented() -> None:
    page = BEHAVIOUR.read_text()
    for name in Behaviour.__dataclass_fields__:
        assert f"| `{name}` |" in page, name


def test_every_option_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    page = GUIDE.read_text()
    for option in re.findall(r"--[a-z-]+", capsys.readouterr().out):
        assert f"`{option}" in page or option == "--help", option


def test_help_fits_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_pages_and_headings_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\((?!https://)([^)]+)\)", page.read_text()):
        name, _, heading = target.partition("#")
        linked = (page.parent / name) if name else page
        assert linked.is_file(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, (
                target
            )
