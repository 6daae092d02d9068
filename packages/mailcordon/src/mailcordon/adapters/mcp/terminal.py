"""`mailcordon mcp confirm`: shows a person at a terminal what an assistant proposed, and carries out what they confirm.

It speaks with the controlling terminal itself, never with stdin and stdout: what a program pipes into it confirms nothing.
"""

import contextlib
import os
import time
from collections.abc import Callable, Generator
from typing import TextIO

from mailcordon.adapters.mcp import code as codes
from mailcordon.adapters.mcp.actions import Action, carry_out
from mailcordon.adapters.mcp.outside_text import visible
from mailcordon.adapters.mcp.pending import Pending, Wish
from mailcordon.adapters.mcp.ports import Changer, Refused
from mailcordon.messages import mcp as messages

_LONGEST = 800  #: characters of one sentence


class Terminal:
    def __init__(self, keyboard: TextIO, screen: TextIO) -> None:
        self._keyboard = keyboard
        self._screen = screen

    def say(self, text: str = "") -> None:
        """One line, with nothing in it that drives a terminal."""
        self._screen.write(visible(text, _LONGEST) + "\n")
        self._screen.flush()

    def ask(self, question: str) -> str:
        self._screen.write(question)
        self._screen.flush()
        return self._keyboard.readline().strip()


@contextlib.contextmanager
def controlling() -> Generator[Terminal]:
    """The terminal of this session. Raises Refused if there is none."""
    try:
        device = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise Refused(messages.needs_terminal(), "no-terminal") from None
    with (
        os.fdopen(device, "rb", buffering=0) as raw,
        open(os.dup(raw.fileno()), "w") as screen,
        open(os.dup(raw.fileno())) as keyboard,
    ):
        yield Terminal(keyboard, screen)


async def confirm(terminal: Terminal, api: Changer, pending: Pending, only: str | None) -> bool:
    """Asks about each action that waits, or only about one. Whether nothing failed. Raises Refused."""
    wishes = pending.waiting() if only is None else [pending.get(only)]
    if not wishes:
        terminal.say(messages.nothing_waits())
    well = True
    for wish in wishes:
        well = await _one(terminal, api, pending, wish) and well
    return well


async def _one(terminal: Terminal, api: Changer, pending: Pending, wish: Wish) -> bool:
    if wish.state != "waiting":
        terminal.say(wish.said)
        return True
    try:
        action = wish.action()
        said = await action.consequences(api)
    except Refused as refused:
        terminal.say(f"{wish.id}: {refused.sentence}")
        return False
    show(terminal.say, wish, action, said)
    code = codes.make()
    typed = terminal.ask(messages.type_code(code=code))
    if typed.lower() in ("no", "n"):
        pending.settle(wish, "declined", messages.declined())
        terminal.say(messages.nothing_changed())
        return True
    if not codes.matches(typed, code):
        terminal.say(messages.wrong_code() if typed else messages.left_waiting())
        return not typed
    if not pending.take(wish):
        raise Refused(messages.no_action(id=wish.id), "no-such-action")
    try:
        await carry_out(action, api, client=wish.client, where=messages.at_terminal())
    except Refused as refused:
        pending.settle(wish, "failed", messages.failed(why=refused.sentence))
        terminal.say(messages.failed(why=refused.sentence))
        return False
    pending.settle(wish, "done", messages.done(title=action.title()))
    terminal.say(messages.done(title=action.title()))
    return True


def show(say: Callable[[str], None], wish: Wish, action: Action, consequences: list[str]) -> None:
    """The question, without the code: title, consequences, reason and who asked."""
    minutes = int((time.time() - wish.asked_at) / 60)
    say("")
    say(action.title())
    for sentence in consequences:
        say(f"  {sentence}")
    say(f"  {messages.reason_of_assistant(because=action.because)}")
    say(f"  {wish.id}, {messages.asked_by(client=wish.client, minutes=minutes)}")
