"""`--world FILE`: the world behind SES from the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import seslocal
from seslocal import Clock
from seslocal.__main__ import main
from seslocal.admin import world_file
from seslocal.admin.fields import Refused
from seslocal_fixtures.scripted_world import START
from seslocal_fixtures.world import Background, World

TOML = 'seed = 7\nquality = "stale"\n\n[[lists]]\nname = "spring"\nquality = "bought"\n'


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_toml_and_json_are_read(tmp_path: Path) -> None:
    body = {"seed": 7, "quality": "stale", "lists": [{"name": "spring", "quality": "bought"}]}
    step = {"call": "PUT /world", "body": body}
    assert world_file.load(write(tmp_path / "w.toml", TOML)) == step
    json = '{"seed": 7, "quality": "stale", "lists": [{"name": "spring", "quality": "bought"}]}'
    assert world_file.load(write(tmp_path / "w.json", json)) == step
    faults = write(tmp_path / "f.toml", '[[step]]\nfault = "error_500"\n')
    steps = world_file.steps(faults, tmp_path / "w.toml")
    assert steps == (step, {"fault": "error_500"})
    assert world_file.steps(None, None) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("seed = ", "is not valid TOML or JSON"),
        ('seed = "x"', "is refused: These are no settings of a world: Expected `int`, got `str`"),
        ("sead = 1", "is refused: Unknown member sead"),
        ('[[weather]]\nprovider = "gmale"\nstart = 0\nseconds = 1', "provider must be one of"),
    ],
)
def test_a_wrong_file_is_named(
    tmp_path: Path, text: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "w.toml", text)
    with pytest.raises(Refused) as caught:
        world_file.load(path)
    assert str(path) in str(caught.value)
    assert why in str(caught.value)
    assert main(["--world", str(path)]) == 1
    assert str(path) in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"cannot read the world .*none\.toml: No such file or directory\."):
        world_file.load(tmp_path / "none.toml")
    with pytest.raises(Refused, match="The file must be an object"):
        world_file.load(write(tmp_path / "w.json", "[]"))


class Server:
    def __init__(self, path: Path, **more: Any) -> None:
        step = world_file.load(path)
        self.background = Background(seslocal.Settings(scenario=(step,), **more), Clock(START, 0))
        self.world = World(self.background.local, None, None)

    @property
    def seed(self) -> int | None:
        state = self.background.local.account.mailboxes.world
        return state and state.settings.seed


def test_it_is_there_from_the_start_and_after_a_reset(tmp_path: Path) -> None:
    server = Server(write(tmp_path / "w.toml", TOML))
    try:
        assert server.seed == 7
        server.world.admin("DELETE", "/world")
        assert server.seed is None
        server.world.admin("POST", "/reset")
        assert server.seed == 7
    finally:
        server.background.stop()


def test_a_kept_world_is_not_replaced(tmp_path: Path) -> None:
    server = Server(write(tmp_path / "w.toml", TOML), state=str(tmp_path / "state"))
    first = server.background.local.account.mailboxes.world
    server.world.admin("PUT", "/clock", {"advance": 90})
    server.background.stop()
    again = Server(write(tmp_path / "w.toml", TOML), state=str(tmp_path / "state"))
    try:
        kept = again.background.local.account.mailboxes.world
        assert kept is not None
        assert first is not None
        assert (kept.settings, kept.start) == (first.settings, START)
        assert again.background.local.account.clock.now() == START + 90
    finally:
        again.background.stop()
