"""The page in docs/ says what the code does: its example runs, and its lists are the code's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from seslocal.__main__ import main
from seslocal.admin.faults import KINDS
from seslocal.mail.fates import FATES
from seslocal.state import Behaviour

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

PAGE = Path(__file__).parents[1] / "docs" / "guide.md"
OPERATIONS = PAGE.with_name("operations.md")


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text()


def test_the_example_runs_as_it_stands(world: World, page: str, capsys: pytest.CaptureFixture[str]) -> None:
    [example] = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "boto3" in block]
    names: dict[str, object] = {}
    exec(example.replace("http://127.0.0.1:8005", world.local.url), names)
    for client in ("ses", "sqs"):
        names[client].close()  # type: ignore[attr-defined]
    assert '"eventType":"Bounce"' in capsys.readouterr().out


def test_the_page_of_operations_is_the_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--operations"]) == 0
    assert OPERATIONS.read_text() == capsys.readouterr().out


def test_every_fault_fate_switch_and_option_is_told(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (*KINDS, *(f'"{fate}"' for fate in FATES), *Behaviour.__dataclass_fields__):
        assert name in page, name
    with pytest.raises(SystemExit):
        main(["--help"])
    for option in re.findall(r"--[a-z-]+", capsys.readouterr().out):
        assert option in page or option == "--help", option


def test_the_table_of_operations_is_made_from_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--operations"]) == 0
    out = capsys.readouterr().out
    assert "| SendEmail | acts |" in out
    assert "| CreateDeliverabilityTestReport | no |" in out
    assert "| ReceiveMessage | acts |" in out
