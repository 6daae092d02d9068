"""Mails on their way through the world, one journey for each recipient. What is not due within a second is packed: a few hundred
bytes, compressed against an earlier mail of the same sender, so that a million can wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from seslocal.clock import Clock
from seslocal.state.accepted_mail import Mail
from seslocal.state.samples import Samples
from seslocal.world.envelope import Envelope
from seslocal.world.verdict import Verdict

MOST_NEAR: Final = 1000  #: journeys that wait as objects
_KIND: Final = "journey"  # of the clock's records
_NEAR: Final = 1.0  # seconds; packing what is due sooner would cost time and save little
Stage = Literal["attempt", "answer", "later"]


class Journey(msgspec.Struct, array_like=True):
    """A mail on its way to one recipient, and what comes next."""

    mail: Mail
    configuration_set: str | None
    scope: str  #: of the suppression list in force: TENANT or ACCOUNT
    reasons: tuple[str, ...]  #: for which that list gets new entries
    envelope: Envelope
    opens: bool  #: are tracked
    links: tuple[tuple[str, str], ...]  #: tracked links with their ses:tags
    unsubscribe: str  #: URL for one click; "" if there is none
    until: float  #: then SES gives up
    stage: Stage = "attempt"
    number: int = 1  #: of the attempt
    at: float = 0.0  #: time of the latest attempt
    verdict: Verdict | None = None  #: its answer
    step: int = 0  #: the next of what follows an acceptance

    @property
    def name(self) -> str:
        return f"{self.mail.message_id} {self.envelope.recipient}"


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Journey).decode


class Journeys:
    def __init__(self, clock: Clock) -> None:
        #: called with each journey that continues, and when; with None when it ended
        self.moved: Callable[[Journey, float | None], None] = lambda journey, due: None
        self.restored: list[tuple[float, Journey]] = []  #: of an earlier run, until they are scheduled
        self.attached = False  #: whether the clock knows who continues a journey
        self._clock = clock
        self._resets = clock.resets
        self._near = 0  # journeys that wait as objects
        self._samples = Samples[None]()

    def attach(self, run: Callable[[Journey], bool]) -> None:
        """Says what continues a journey when it is due. It returns whether something follows, which it has scheduled then."""
        self.attached = True

        def take(thing: Journey | bytes) -> None:
            journey = self._take(thing)
            if not run(journey):
                self.moved(journey, None)

        self._clock.register(_KIND, take)

    def schedule(self, due: float, journey: Journey) -> None:
        if self._clock.resets != self._resets:
            return  # the account is no longer in use
        self.moved(journey, due)
        is_near = self._near < MOST_NEAR and due - self._clock.now() <= _NEAR
        packed = None if is_near else self._pack(journey)
        if packed is not None:
            self._clock.record_at(due, _KIND, packed)
        else:
            self._near += 1
            self._clock.object_at(due, _KIND, journey)

    def waiting(self) -> Iterator[tuple[float, Journey]]:
        """Yields when each continues, and the journey, in any order."""
        yield from self.restored
        for due, _, thing in self._clock.waiting(_KIND):
            yield due, thing if isinstance(thing, Journey) else _decode(self._samples.read(thing)[1])

    def _take(self, thing: Journey | bytes) -> Journey:
        if isinstance(thing, Journey):
            self._near -= 1
            return thing
        return _decode(self._samples.take(thing)[1])

    def _pack(self, journey: Journey) -> bytes | None:
        """Returns None if it has a value that cannot be written, such as half a surrogate pair."""
        try:
            encoded = _encode(journey)
        except (UnicodeEncodeError, OverflowError, TypeError):
            return None
        envelope = journey.envelope
        sender = (envelope.sender, envelope.from_domain, envelope.configuration_set)
        return self._samples.pack(sender, None, encoded)
