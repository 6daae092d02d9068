"""Actions that wait for a person: a file is a wish and no right, and is carried out once, as it was shown."""

import io
import json
import re
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mailcordon.adapters.mcp import pending as wishes
from mailcordon.adapters.mcp.actions import ACTIONS, Action
from mailcordon.adapters.mcp.arguments import parse
from mailcordon.adapters.mcp.pending import Pending, Wish
from mailcordon.adapters.mcp.ports import Document, Query, Refused
from mailcordon.adapters.mcp.terminal import Terminal, confirm

HOLD = {"tenant": "acme", "type": "newsletter", "because": "complaints rise"}


def hold() -> Action:
    return parse(ACTIONS["propose_hold"], HOLD)


@pytest.fixture
def pending(tmp_path: Path) -> Pending:
    return Pending(tmp_path)


@pytest.fixture
def wish(pending: Pending) -> Wish:
    return pending.add("propose_hold", hold(), "Some Assistant")


def file_of(tmp_path: Path, wish: Wish) -> Path:
    return tmp_path / "mcp-actions" / f"{wish.id}.json"


def test_only_its_user_reads_what_waits(tmp_path: Path, pending: Pending, wish: Wish) -> None:
    assert stat.S_IMODE(file_of(tmp_path, wish).stat().st_mode) == 0o600
    assert stat.S_IMODE(file_of(tmp_path, wish).parent.stat().st_mode) == 0o700
    assert [one.id for one in pending.waiting()] == [wish.id]
    assert pending.get(wish.id).action() == hold()


def test_it_is_taken_once(pending: Pending, wish: Wish) -> None:
    assert [pending.take(wish), pending.take(wish)] == [True, False]
    assert pending.waiting() == []


def test_what_waited_too_long_or_says_it_is_from_the_future_is_over(
    pending: Pending, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    for moment in (now + wishes.MINUTES * 60 + 1, now - 60):
        monkeypatch.setattr(wishes.time, "time", lambda moment=moment: moment)
        assert pending.waiting() == []
        assert not pending.take(wish)
        with pytest.raises(Refused):
            pending.get(wish.id)


def test_files_that_are_none_of_ours_ask_for_nothing(tmp_path: Path, pending: Pending, wish: Wish) -> None:
    file, good = file_of(tmp_path, wish), json.loads(file_of(tmp_path, wish).read_text())
    for content in (
        "",
        "{",
        "[]",
        json.dumps({**good, "id": "act_zzzzzzzz"}),
        json.dumps({**good, "more": 1}),
        json.dumps({**good, "arguments": {"because": "x" * 20_000}}),
    ):
        file.write_text(content)
        assert pending.waiting() == []
    for name in ("act_zzzz.json", "../act_zzzzzzzz.json", "act_ZZZZZZZZ.json"):
        (file.parent / name).write_text(json.dumps(good))
    assert pending.waiting() == []
    for id in ("../secret-keys", "act_zzzzzzzz", f"{wish.id}/", ""):
        with pytest.raises(Refused):
            pending.get(id)
    for arguments in (
        {**HOLD, "path": "/v1/keys"},
        {**HOLD, "tenant": 7},
        {**HOLD, "because": "a\u202eb"},
        {},
    ):
        file.write_text(json.dumps({**good, "arguments": arguments}))
        with pytest.raises(Refused):
            pending.get(wish.id).action()
    file.write_text(json.dumps({**good, "tool": "DELETE /v1/keys"}))
    with pytest.raises(Refused):
        pending.get(wish.id).action()


def test_people_are_not_asked_without_end(pending: Pending) -> None:
    for _ in range(wishes.MOST_WAITING):
        pending.add("propose_hold", hold(), "x")
    with pytest.raises(Refused):
        pending.add("propose_hold", hold(), "x")


class Keyboard(io.StringIO):
    """Types the code that stands on the screen last, after `meanwhile`."""

    def __init__(self, screen: io.StringIO, meanwhile: Any) -> None:
        super().__init__()
        self._screen = screen
        self._meanwhile = meanwhile

    def readline(self, size: int = -1, /) -> str:
        self._meanwhile()
        return re.findall("Type ([A-Z]{6})", self._screen.getvalue())[-1] + "\n"


class Api:
    """Answers a preview, and notes every change."""

    url = "http://127.0.0.1"

    def __init__(self) -> None:
        self.changes: list[tuple[str, str, Mapping[str, Any] | None]] = []

    async def get(self, path: str, query: Query | None = None) -> Document:
        raise AssertionError(path)

    async def preview(self, body: Mapping[str, Any]) -> Document:
        return {"effect": f"Holds {body['type']} of {body['tenant']}.", "untouched": "all else"}

    async def change(self, method: str, path: str, body: Mapping[str, Any] | None) -> Document:
        self.changes.append((method, path, body))
        return {}


async def test_a_wish_is_carried_out_only_as_it_was_shown(
    tmp_path: Path, pending: Pending, wish: Wish
) -> None:
    file = file_of(tmp_path, wish)

    def changed() -> None:
        found = json.loads(file.read_text())
        found["arguments"].update(tenant="zen", type="password-reset")
        file.write_text(json.dumps(found))

    api, screen = Api(), io.StringIO()
    with pytest.raises(Refused):
        await confirm(Terminal(Keyboard(screen, changed), screen), api, pending, wish.id)
    assert "Holds newsletter of acme" in screen.getvalue()
    assert api.changes == []

    assert await confirm(Terminal(Keyboard(screen, lambda: None), screen), api, pending, wish.id)
    assert "Holds password-reset of zen" in screen.getvalue()  # what was made up is shown as it is
    ((method, path, body),) = api.changes
    assert (method, path) == ("POST", "/v1/holds")
    assert body is not None
    assert (body["tenant"], body["type"]) == ("zen", "password-reset")
    assert (
        body["because"]
        == "complaints rise [through MCP: proposed in Some Assistant, confirmed at a terminal]"
    )


async def test_nothing_on_the_screen_drives_the_terminal(pending: Pending) -> None:
    action = parse(ACTIONS["propose_hold"], {**HOLD, "campaign": "\x1b[2J\u202espring"})
    wish = pending.add("propose_hold", action, "\x1b]0;x\x07")
    screen = io.StringIO()
    await confirm(Terminal(io.StringIO("\n"), screen), Api(), pending, wish.id)
    assert "campaign <U+001B>[2J<U+202E>spring" in screen.getvalue()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", screen.getvalue())


async def test_only_the_code_of_this_very_question_confirms(pending: Pending, wish: Wish) -> None:
    api, screen = Api(), io.StringIO()
    await confirm(Terminal(io.StringIO("\n"), screen), api, pending, wish.id)
    (first,) = re.findall("Type ([A-Z]{6})", screen.getvalue())
    for typed in ("", "y", "yes", "AAAAAA", first, first[:5], f"{first}{first}", wish.id):
        await confirm(Terminal(io.StringIO(f"{typed}\n"), screen), api, pending, wish.id)
        assert api.changes == [], typed
    assert pending.get(wish.id).state == "waiting"
    assert len(set(re.findall("Type ([A-Z]{6})", screen.getvalue()))) == 9  # each question has its own


async def test_what_was_declined_or_done_is_not_asked_again(pending: Pending, wish: Wish) -> None:
    api, screen = Api(), io.StringIO()
    assert await confirm(Terminal(io.StringIO("no\n"), screen), api, pending, None)
    assert (pending.get(wish.id).state, pending.waiting()) == ("declined", [])
    other = pending.add("propose_hold", hold(), "x")
    assert await confirm(Terminal(Keyboard(screen, lambda: None), screen), api, pending, None)
    assert (pending.get(other.id).state, len(api.changes)) == ("done", 1)
    for id in (wish.id, other.id, None):
        assert await confirm(Terminal(Keyboard(screen, lambda: None), screen), api, pending, id)
    assert len(api.changes) == 1
