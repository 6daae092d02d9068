"""The mails that were accepted and have events to come. Each event is a numbered step: 0 is the Send, or the rendering failure;
the outcomes follow in the order of their plans.

A mail waits on the clock once, for its next step. A few that are due soon wait as objects, all others as packed bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from seslocal.clock import Clock
from seslocal.state.mail_under_way import MailUnderWay
from seslocal.state.packed_mails import PackedMails

_KIND: Final = "mail"  # of the clock's records
NEAR: Final = 1.0  # seconds; packing what is due sooner would cost time and save little
MOST_NEAR: Final = 1000  # mails that wait as objects


class Recorder(Protocol):
    """Is told of each change, so that the mails survive the end of the process."""

    def started(self, mail: MailUnderWay) -> None: ...

    def stepped(self, mail: MailUnderWay, step: int, is_last: bool) -> None: ...


class UnderWay:
    def __init__(self, clock: Clock) -> None:
        self.recorder: Recorder | None = None  #: only if the state is kept
        self.restored: list[MailUnderWay] = []  #: of an earlier run, until they are scheduled
        self._clock = clock
        self._resets = clock.resets
        self._packed = PackedMails()
        self._near = 0
        self.attached = False  #: whether the clock knows what continues a mail

    def attach(self, run: Callable[[MailUnderWay], None]) -> None:
        """Says what continues a mail when it is due."""
        self.attached = True

        def run_taken(thing: bytes | MailUnderWay) -> None:
            if isinstance(thing, bytes):
                thing = self._packed.take(thing)
            else:
                self._near -= 1
            run(thing)

        self._clock.register(_KIND, run_taken)

    def start(self, due: float, mail: MailUnderWay) -> None:
        """Schedules the first step of a mail that was just accepted."""
        if self.recorder is not None:
            self.recorder.started(mail)
        self.schedule(due, mail)

    def schedule(self, due: float, mail: MailUnderWay, place: int | None = None) -> None:
        """Schedules the next step, which gets an equal mail. `place` as in `Clock.record_at`."""
        clock = self._clock
        if clock.resets != self._resets:
            return  # the account is no longer in use
        if self._near >= MOST_NEAR or due - clock.now() > NEAR:
            packed = self._packed.pack(mail)
            if packed is not None:
                clock.record_at(due, _KIND, packed, place)
                return
        self._near += 1
        clock.object_at(due, _KIND, mail, place)

    def did(self, mail: MailUnderWay, step: int, *, is_last: bool) -> None:
        """Notes that a step happened."""
        mail.done.add(step)
        if self.recorder is not None:
            self.recorder.stepped(mail, step, is_last)

    def waiting(self) -> Iterator[MailUnderWay]:
        """Yields all mails under way, in any order."""
        yield from self.restored
        for _, _, thing in self._clock.waiting(_KIND):
            yield thing if isinstance(thing, MailUnderWay) else self._packed.read(thing)
