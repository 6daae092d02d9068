"""What people do with a mail that was accepted: open, click, complain, unsubscribe, and what machines do for them."""

from __future__ import annotations

from seslocal.world.draws import Draws
from seslocal.world.envelope import Envelope
from seslocal.world.people import Person
from seslocal.world.reaction import Reaction
from seslocal.world.verdict import Verdict


def react(
    envelope: Envelope, person: Person, verdict: Verdict, at: float, draws: Draws
) -> tuple[Reaction, ...]:
    """Returns what will be done with a mail that was accepted at `at`, in the order of time. The same mail accepted at the same
    time always has the same reactions."""
    if verdict.returned is not None or person.who != "active":
        return ()
    drawn = draws.four("react", f"{envelope.key} {envelope.recipient}")
    if verdict.kind == "inbox" and drawn[0] < 0.3:
        return (Reaction(deed="open", after=3600 * drawn[1]),)
    return ()
