"""The world: composes people, opinions and decisions."""

from __future__ import annotations

from seslocal.world.decision import decide
from seslocal.world.draws import Draws
from seslocal.world.envelope import Envelope
from seslocal.world.opinion import Opinions
from seslocal.world.people import People
from seslocal.world.providers import provider_of
from seslocal.world.reaction import Reaction
from seslocal.world.reactions import react
from seslocal.world.settings import WorldSettings
from seslocal.world.verdict import Verdict


class World:
    """`start`: seconds since the epoch; the times in the settings count from it. Times never go back."""

    def __init__(self, settings: WorldSettings, start: float) -> None:
        self.settings = settings
        self.start = start
        self.draws = Draws(settings.seed)
        self.people = People(settings, self.draws)
        self.opinions = Opinions()

    def move(self, at: float) -> None:
        """Ends the minutes before `at`: what was counted in them is known from now on."""
        minute = int(at // 60)
        if minute > self.opinions.minute:
            self.opinions.move(minute)

    def peek(self, envelope: Envelope, number: int, at: float) -> Verdict:
        """Returns what an attempt would be answered, and changes nothing."""
        person = self.people.find(envelope.recipient)
        return decide(
            provider_of(envelope.recipient), envelope, person, number, at, self.opinions, self.draws
        )

    def attempt(self, envelope: Envelope, number: int, at: float) -> Verdict:
        """Makes delivery attempt `number`, from 1, and counts it."""
        self.move(at)
        verdict = self.peek(envelope, number, at)
        count = self.opinions.count
        count(verdict.provider, envelope, "attempts")
        if verdict.accepted:
            count(verdict.provider, envelope, "accepted")
        elif verdict.kind == "defer":
            count(verdict.provider, envelope, "deferred")
        elif verdict.cause == "no_mailbox":
            count(verdict.provider, envelope, "unknown")
        else:
            count(verdict.provider, envelope, "refused")
        if verdict.accepted and self.people.find(envelope.recipient).trap:
            count(verdict.provider, envelope, "trapped")
        return verdict

    def react(self, envelope: Envelope, verdict: Verdict, at: float) -> tuple[Reaction, ...]:
        """Returns what the recipient of a mail that was accepted at `at` will do, in the order of time. Counts nothing."""
        return react(envelope, self.people.find(envelope.recipient), verdict, at, self.draws)

    def happened(self, envelope: Envelope, verdict: Verdict, reaction: Reaction, at: float) -> None:
        """Counts a reaction at its time."""
        self.move(at)
        what = {"open": "opens", "complaint": "complaints", "not_spam": "not_spam", "delete": "deletes"}.get(
            reaction.deed
        )
        if what is not None:
            self.opinions.count(verdict.provider, envelope, what)
