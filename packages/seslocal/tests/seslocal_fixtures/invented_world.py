"""A world whose decisions a test makes up, so that it knows what must follow from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from seslocal.world.envelope import Envelope
from seslocal.world.providers import provider_of
from seslocal.world.reaction import Reaction
from seslocal.world.settings import WorldSettings
from seslocal.world.verdict import Verdict
from seslocal.world.world import World

#: mail, number of the attempt, time -> what the host answers; None: it accepts
Answers = Callable[[Envelope, int, float], Verdict | None]


class InventedWorld(World):
    def __init__(self, answers: Answers = lambda *_: None, reactions: tuple[Reaction, ...] = ()) -> None:
        super().__init__(WorldSettings(), 0.0)
        self._answers = answers
        self._reactions = reactions
        self.attempts: list[tuple[float, Envelope, int]] = []
        self.happenings: list[tuple[float, str]] = []

    def attempt(self, envelope: Envelope, number: int, at: float) -> Verdict:
        self.attempts.append((at, envelope, number))
        answer = self._answers(envelope, number, at)
        return answer or Verdict(kind="inbox", provider=provider_of(envelope.recipient), text="OK")

    def react(self, envelope: Envelope, verdict: Verdict, at: float) -> tuple[Reaction, ...]:
        return self._reactions

    def happened(self, envelope: Envelope, verdict: Verdict, reaction: Reaction, at: float) -> None:
        self.happenings.append((at, reaction.deed))


def mail(key: str, **changes: Any) -> Envelope:
    usual = Envelope(
        key=key,
        recipient="spring.000123@gmail.com",
        from_domain="acme.example",
        signed_by="acme.example",
        spf=True,
        aligned=True,
        mail_from="bounce.acme.example",
        pool="shared",
        ip="192.0.2.25",
        sender="acme",
    )
    return msgspec.structs.replace(usual, **changes)


def deferred() -> Verdict:
    return Verdict(kind="defer", provider="gmail", code=421, status="4.7.0", text="later", cause="rate")


def refused(cause: Any = "no_mailbox") -> Verdict:
    return Verdict(
        kind="refuse", provider="gmail", code=550, status="5.1.1", text="unknown", cause=cause, why="told so"
    )
