"""How a provider decides about one attempt: a function of the mail, the person, its opinions as of the start of the minute, and
chance."""

from __future__ import annotations

from seslocal.world.draws import Draws
from seslocal.world.envelope import Envelope
from seslocal.world.opinion import Opinions
from seslocal.world.people import Person
from seslocal.world.verdict import Verdict


def decide(
    provider: str,
    envelope: Envelope,
    person: Person,
    number: int,
    at: float,
    opinions: Opinions,
    draws: Draws,
) -> Verdict:
    """`number` counts the attempts from 1."""
    if person.who == "nobody":
        return Verdict(
            kind="refuse",
            provider=provider,
            code=550,
            status="5.1.1",
            text="user unknown",
            cause="no_mailbox",
            why="nobody has this address",
        )
    return Verdict(kind="inbox", provider=provider, text="OK")
