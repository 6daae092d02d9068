"""`mailcordon mcp` as a command: what it says where it cannot start."""

import functools
import importlib.util
import sys
from typing import Any

import pytest
from typer.main import get_command

from mailcordon.__main__ import command_line


@functools.cache
def root() -> Any:
    return get_command(command_line())


def ran(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        root().main(list(words), prog_name="mailcordon")
    return int(ended.value.code or 0)


def test_without_the_sdk_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found: Any = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mcp" else found(name))
    assert ran("mcp", "--allow-actions") == 1
    assert 'pip install "mailcordon[mcp]"' in capsys.readouterr().err


def test_the_command_line_loads_without_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("mailcordon.adapters.mcp")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    assert ran("mcp", "--help") == 0
    assert ran("mcp", "confirm", "--help") == 0
