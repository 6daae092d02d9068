"""Proposed actions that wait for a person: a file each in the home, which only its user may read.

A file holds a wish, not a right. Whoever could write one could only make the person's terminal ask: what is shown there is read
from the wish and asked of the API anew, and what is shown is what is carried out, with the person's own key.
"""

import contextlib
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from mailcordon.adapters.mcp.actions import ACTIONS, Action, checked
from mailcordon.adapters.mcp.arguments import parse
from mailcordon.adapters.mcp.ports import Document, Refused
from mailcordon.host.private_file import write_private
from mailcordon.messages import mcp as messages

MINUTES = 15  #: that an action waits
MOST_WAITING = 10  #: at once: a person who is asked too often stops reading
_KEPT_SECONDS = 86_400.0  #: what became of an action can be asked for so long
_MOST_BYTES = 16_384
_ID = re.compile(r"act_[a-z2-9]{8}")
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"

State = Literal["waiting", "taken", "done", "failed", "declined"]


class Wish(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    id: str
    tool: str
    arguments: Document
    client: str  #: in which it was proposed, as that named itself
    asked_at: float  #: seconds since 1970
    state: State = "waiting"
    said: str = ""  #: what became of it

    def action(self) -> Action:
        """Raises Refused if the file is not one that `mailcordon mcp` wrote."""
        kind = ACTIONS.get(self.tool)
        if kind is None:
            raise Refused(messages.no_such_tool(name=self.tool), "bad-arguments")
        found = parse(kind, self.arguments)
        checked(found)
        return found


class Pending:
    """Several processes may use one home: a wish is taken by whoever renames its file."""

    def __init__(self, home: Path) -> None:
        self._directory = home / "mcp-actions"

    def add(self, tool: str, action: Action, client: str) -> Wish:
        """Raises Refused if many wait already."""
        self._forget_old()
        if len(self.waiting()) >= MOST_WAITING:
            raise Refused(messages.too_many_waiting(), "too-many")
        id = "act_" + "".join(secrets.choice(_LETTERS) for _ in range(8))
        wish = Wish(
            id=id, tool=tool, arguments=msgspec.to_builtins(action), client=client[:60], asked_at=time.time()
        )
        self._write(wish)
        return wish

    def waiting(self) -> list[Wish]:
        """Oldest first, without those that waited too long."""
        found = [wish for wish in self._all() if wish.state == "waiting" and not _is_late(wish)]
        return sorted(found, key=lambda wish: wish.asked_at)

    def get(self, id: str) -> Wish:
        """Raises Refused if there is none, or it waited too long."""
        wish = self._read(self._file(id)) if _ID.fullmatch(id) else None
        if wish is None or (wish.state == "waiting" and _is_late(wish)):
            raise Refused(messages.no_action(id=id), "no-such-action")
        return wish

    def take(self, wish: Wish) -> bool:
        """Whether this process has it now. It is not carried out twice, whoever else asks for it."""
        taken = self._directory / f"{wish.id}.taken"
        try:
            self._file(wish.id).rename(taken)
        except FileNotFoundError:
            return False
        found = self._read(taken)
        if found is None or _is_late(found) or found != wish:  # it is not what was shown
            taken.rename(self._file(wish.id))
            return False
        self._write(msgspec.structs.replace(wish, state="taken"))
        taken.unlink()
        return True

    def settle(self, wish: Wish, state: State, said: str) -> None:
        self._write(msgspec.structs.replace(wish, state=state, said=said))

    def _file(self, id: str) -> Path:
        return self._directory / f"{id}.json"

    def _write(self, wish: Wish) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self._file(wish.id), msgspec.json.encode(wish).decode())

    def _all(self) -> Iterator[Wish]:
        if not self._directory.is_dir():
            return
        for file in self._directory.iterdir():
            if _ID.fullmatch(file.stem) and file.suffix == ".json" and (wish := self._read(file)) is not None:
                yield wish

    def _read(self, file: Path) -> Wish | None:
        """None for what is no file of ours."""
        try:
            with file.open("rb") as stream:
                wish = msgspec.json.decode(stream.read(_MOST_BYTES), type=Wish)
        except (OSError, msgspec.DecodeError):
            return None
        return wish if wish.id == file.stem else None

    def _forget_old(self) -> None:
        for wish in list(self._all()):
            if time.time() - wish.asked_at > _KEPT_SECONDS:
                with contextlib.suppress(OSError):
                    self._file(wish.id).unlink()


def _is_late(wish: Wish) -> bool:
    return not 0 <= time.time() - wish.asked_at <= MINUTES * 60
