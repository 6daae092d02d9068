"""The world: composes people, opinions and decisions."""

from __future__ import annotations

from seslocal.world import retries
from seslocal.world.decision import Decisions
from seslocal.world.draws import Draws
from seslocal.world.envelope import Envelope
from seslocal.world.greylisting import Greylists, puts_off
from seslocal.world.measures import (
    ACCEPTED,
    COMPLAINTS,
    DEFERRED,
    DELETES,
    INBOX,
    NOT_SPAM,
    OPENS,
    REFUSED,
    TRAPPED,
    UNKNOWN,
    WANTED,
)
from seslocal.world.opinion import Opinions, Track
from seslocal.world.people import People, Person
from seslocal.world.providers import System, system_of
from seslocal.world.reaction import Reaction
from seslocal.world.reactions import react
from seslocal.world.replies import answer
from seslocal.world.settings import WorldSettings
from seslocal.world.standing import Standing, Standings
from seslocal.world.verdict import Verdict
from seslocal.world.weather import Forecast

_COUNTED = {"open": OPENS, "complaint": COMPLAINTS, "not_spam": NOT_SPAM, "delete": DELETES}
#: causes that are no fault of the sender
_NO_FAULT = frozenset({"weather", "greylisted", "no_host", "full", "too_large"})
_DEAD = frozenset({"no_mailbox", "moved", "disabled"})


class World:
    """`start`: seconds since the epoch; the times in the settings count from it. Times never go back."""

    def __init__(self, settings: WorldSettings, start: float) -> None:
        self.settings = settings
        self.start = start
        self.draws = Draws(settings.seed)
        self.people = People(settings, self.draws)
        self.opinions = Opinions(settings)
        self.opinions.move(int(start // 60))
        self._standings = Standings(self.opinions)
        self._forecast = Forecast(settings.weather, settings.background_weather, start, self.draws)
        self._greylists = Greylists(self.draws)
        self._decisions = Decisions(self.draws, settings.rules, start)

    def move(self, at: float) -> None:
        """Ends the minutes before `at`: what was counted in them is known from now on."""
        minute = int(at // 60)
        if minute > self.opinions.minute:
            self.opinions.move(minute)

    def peek(self, envelope: Envelope, number: int, at: float) -> Verdict:
        """Returns what an attempt would be answered, and changes nothing. It knows what was counted in the minutes that have
        ended."""
        system = system_of(envelope.recipient)
        track = self.opinions.track(system.provider, envelope)
        return self._answer(envelope, self.people.find(envelope.recipient), number, at, system, track)

    def attempt(self, envelope: Envelope, number: int, at: float) -> Verdict:
        """Makes delivery attempt `number`, from 1, and counts it."""
        self.move(at)
        person = self.people.find(envelope.recipient)
        system = system_of(envelope.recipient)
        track = self.opinions.track(system.provider, envelope)
        verdict = self._answer(envelope, person, number, at, system, track)
        cause = verdict.cause
        if cause in _NO_FAULT:
            return verdict
        count = self.opinions.count
        if number == 1:
            count(track, WANTED)
        if cause in _DEAD:  # whether it is refused or accepted and returned
            count(track, UNKNOWN)
        elif verdict.kind == "inbox":
            count(track, ACCEPTED)
            count(track, INBOX)
        elif verdict.kind == "spam":
            count(track, ACCEPTED)
        else:
            count(track, DEFERRED if verdict.kind == "defer" else REFUSED)
        if person.trap and verdict.accepted:
            count(track, TRAPPED, track.measures.pristine if person.who == "pristine_trap" else 1)
        return verdict

    def react(self, envelope: Envelope, verdict: Verdict, at: float) -> tuple[Reaction, ...]:
        """Returns what the recipient of a mail that was accepted at `at` will do, in the order of time. Counts nothing."""
        return react(envelope, self.people.find(envelope.recipient), verdict, at, self.draws)

    def happened(self, envelope: Envelope, verdict: Verdict, reaction: Reaction, at: float) -> None:
        """Counts a reaction at its time."""
        self.move(at)
        what = _COUNTED.get(reaction.deed)
        if what is not None:
            self.opinions.count(self.opinions.track(verdict.provider, envelope), what)

    def standing(self, envelope: Envelope) -> Standing:
        """Returns where the mail's sender stands with the recipient's provider now. Changes nothing."""
        track = self.opinions.track(system_of(envelope.recipient).provider, envelope)
        return self._standings.find(track)

    def _answer(
        self, envelope: Envelope, person: Person, number: int, at: float, system: System, track: Track
    ) -> Verdict:
        drawn = self.draws.four("attempt", f"{envelope.key} {envelope.recipient} {number}")
        # What is left of a drawn number, below the digits that decided, is as good as a new one.
        rest = drawn[3] * 4093.0 % 1.0
        sky = self._forecast.at(system.provider, at)
        if sky.defers and drawn[0] * 4093.0 % 1.0 < sky.defers:
            why = f"bad weather: it defers {sky.defers:.0%}"
            return answer("defer", "weather", envelope, rest, at, why=why, slower=sky.slower)
        standing = self._standings.find(track)
        decision = self._decisions.decide(system.provider, envelope, person, at, standing, drawn)
        kind = decision.kind
        if kind == "inbox" or kind == "spam":
            greylist = self._greylists.find(system, envelope.recipient)
            if greylist is not None:
                chance = drawn[1] * 4093.0 % 1.0
                waited = sum(retries.drawn(self.draws, envelope, before) for before in range(1, number))
                accepted = self._accepted(track)
                if puts_off(greylist, number, waited, accepted, track.shared, chance):
                    why = f"the host greylists senders that it does not know; attempt {number}"
                    return answer("defer", "greylisted", envelope, rest, at, why=why, slower=sky.slower)
        return answer(
            kind,
            decision.cause,
            envelope,
            rest,
            at,
            about=decision.about,
            why=decision.why,
            slower=sky.slower,
        )

    def _accepted(self, track: Track) -> float:
        """The number of mails that this provider has accepted from this domain and pool, the past included."""
        known = 0.0 if track.new or self.opinions.is_new(track.pool) else float(self.settings.known)
        return known if track.of_pair is None else max(known, track.of_pair.trusted)
