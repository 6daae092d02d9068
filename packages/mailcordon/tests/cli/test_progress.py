"""The bar of long work: on a terminal only, not for short work, and never inside what is printed meanwhile."""

import asyncio
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from mailcordon.adapters.cli import progress, show
from mailcordon.adapters.cli.client import Client
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.connection import Connection


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_work_that_is_over_soon_shows_no_bar() -> None:
    console = terminal()
    with progress.Bar(console, "plan 17", total=2, is_shown=True) as bar:
        bar.set(1)
        await asyncio.sleep(0)
    assert written(console) == ""


async def test_the_bar_says_how_far_it_is_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.0)
    console = terminal()
    with progress.Bar(console, "plan \x1b[2J17", total=None, is_shown=True) as bar:
        await asyncio.sleep(0.01)
        bar.set(3, 12)
    assert "3 of 12" in written(console)
    assert "\x1b[2J" not in written(console)
    assert written(console).endswith("\x1b[2K")  # its line is erased


async def test_what_is_said_meanwhile_stands_on_lines_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.0)
    console = terminal()
    monkeypatch.setattr("sys.stderr", console.file)
    where = Connection(url="http://x", key=None, ses_url=None, home=Path("."))
    api = Client("http://x", None)
    out = Console(
        file=console.file, force_terminal=True, width=80, color_system=None
    )  # stdout is the same terminal
    cli = Cli(connection=where, api=api, json=False, out=out, err=console)
    with cli.progress("plan 17", total=2) as bar:
        await asyncio.sleep(0.01)
        cli.say("a call was made")
        bar.set(1)
        cli.say(show.bullet("another one"))
    await api.close()
    lines = written(console).replace("\r", "\n").splitlines()
    for said in ("a call was made", "- another one"):
        (line,) = [line for line in lines if said in line]
        assert re.sub("\x1b\\[[?\\d;]*[A-Za-z]", "", line).strip() == said


async def test_without_a_terminal_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.0)
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    where = Connection(url="http://x", key=None, ses_url=None, home=Path("."))
    api = Client("http://x", None)
    cli = Cli(connection=where, api=api, json=True, out=show.console(out), err=show.console(out))
    with cli.progress("plan 17"):
        await asyncio.sleep(0.01)
    await api.close()
    assert out.getvalue() == ""
