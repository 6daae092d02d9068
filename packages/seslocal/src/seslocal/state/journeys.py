"""Mails on their way through the world, one journey for each recipient. What is not due within a second is packed: a few hundred
bytes, compressed against an earlier mail of the same sender, so that a million can wait."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from seslocal.state.accepted_mail import Mail
from seslocal.world.envelope import Envelope
from seslocal.world.verdict import Verdict

KIND: Final = "journey"  #: of the clock's records
MOST_NEAR: Final = 10_000  #: journeys that are not packed
_NEAR: Final = 1.0  # seconds within which a journey is not packed
_MOST_SAMPLES: Final = 1000  # of earlier mails
_MOST_BYTES: Final = 8192  # of a sample
_SETTINGS: Final = (
    3,
    zlib.DEFLATED,
    -12,
    5,
)  # level 3: 6 saves 1 %, 1 costs 7 %; window and memory for such small texts

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
    def __init__(self) -> None:
        self.attached = False  #: whether the clock knows who continues a journey
        self.near = 0  #: journeys that wait and are not packed
        #: called with a journey and when it continues
        self.moved: Callable[[Journey, float], None] = lambda journey, due: None
        self.ended: Callable[[Journey], None] = lambda journey: None
        self._samples: list[bytes] = []
        self._by_sender: dict[tuple[str, str, str], int] = {}

    def is_near(self, wait: float) -> bool:
        """Whether a journey that waits so many seconds should stay as it is."""
        return wait <= _NEAR and self.near < MOST_NEAR

    def pack(self, journey: Journey) -> bytes:
        encoded = _encode(journey)
        envelope = journey.envelope
        sender = (envelope.sender, envelope.from_domain, envelope.content)
        number = self._by_sender.get(sender)
        if number is None:
            if len(self._samples) < _MOST_SAMPLES:
                self._by_sender[sender] = len(self._samples)
                self._samples.append(encoded[:_MOST_BYTES])
            number = self._by_sender.get(sender, 0)
        packer = zlib.compressobj(*_SETTINGS, zdict=self._samples[number])
        return number.to_bytes(2, "big") + packer.compress(encoded) + packer.flush()

    def unpack(self, record: bytes) -> Journey:
        """Returns a journey that this object packed."""
        sample = self._samples[int.from_bytes(record[:2], "big")]
        return _decode(zlib.decompressobj(_SETTINGS[2], sample).decompress(record[2:]))
