"""Mailcordon as the operator of a fleet that moves: the guard of `bench/week`, warm-up of the tenants' own domains, and rollouts.

Nothing is decided here: it counts, asks `mailcordon.guard`, and does what that says. It looks every six hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from bench.migration.comparison import Comparison
from bench.migration.warming import Warming
from bench.migration.ways import Ways
from bench.week import policies
from bench.week.guard import Guard
from bench.week.lanes import Lanes, provider_of
from mailcordon.core.provider import Provider
from mailcordon.guard.rollouts import course, gates
from mailcordon.guard.rollouts.nouns import Check, Decision, Facts, Item, Measure, Standing, State, Verdict
from seslocal.fleets.operator import Seen, Waiting
from seslocal.fleets.tenants import Sender

EVERY: Final = 6 * 3600.0  #: seconds between two looks; the roles look each few seconds
DAY: Final = 86_400.0
MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Look:
    """A decision that changed a share."""

    at: float  #: seconds since the start of the run
    rollout: str
    share: int  #: from then on
    decision: Decision


@dataclass(slots=True)
class Rollout:
    name: str
    tenants: frozenset[str]
    standing: Standing
    comparison: Comparison
    waits: set[str] = field(default_factory=set[str])  #: keys of mail on the new path that waits


class Mover:
    """An operator (seslocal.fleets.operator), and the paths of the fleet. `start`: seconds since 1970 at which the run begins;
    `since`: seconds after it at which the rollouts start. `groups`: the tenants of each rollout, by its name."""

    def __init__(
        self,
        senders: Sequence[Sender],
        start: float,
        groups: Mapping[str, frozenset[str]],
        since: float,
        *,
        guarded: bool = True,
    ) -> None:
        # The tenants are old customers: only their own domains are new.
        known = [msgspec.structs.replace(sender, new=False) for sender in senders]
        self._guard = Guard(known, start, policies.of_fleet(known)) if guarded else None
        self._lanes = Lanes(known, int(start // MINUTE))
        self._start_ms = int(start * 1000)
        self._since = since
        self.shares = {sender.name: 0 for sender in senders}
        self.ways = Ways(self.shares)
        self._warming = Warming({sender.name: sender.domain for sender in senders}, int(start // DAY))
        self._next = since
        #: Mails that left on either path, by tenant and provider.
        self._mail: defaultdict[tuple[str, Provider], int] = defaultdict(int)
        self._rollouts = [
            Rollout(
                name,
                tenants,
                Standing(state=State.RUNNING, share=0, since=self._ms(since), lanes=2 * len(tenants)),
                Comparison(int(start // MINUTE)),
            )
            for name, tenants in groups.items()
        ]
        self._of = {tenant: one for one in self._rollouts for tenant in one.tenants}
        self.looks: list[Look] = []
        self.last: dict[str, Decision] = {}  #: by rollout
        self._reference = {one.name: Comparison(int(start // MINUTE)) for one in self._rollouts}

    # As an operator

    def ask(self, at: float, tenant: str, mails: Sequence[Waiting]) -> Sequence[float] | None:
        self._turn(at)
        found: dict[str, float] = {}
        free: list[Waiting] = []
        for mail in mails:
            until = self._warming.until(mail, at) if self.ways.isolated(mail) else None
            if until is None:
                free.append(mail)
            else:
                found[mail.key] = until
        answers = self._guard.ask(at, tenant, free) if self._guard and free else None
        for place, mail in enumerate(free):
            when = at if answers is None else answers[place]
            found[mail.key] = when
            self._asked(mail, at, leaves=when < at + MINUTE)
        return [found[mail.key] for mail in mails]

    def see(self, seen: Seen) -> None:
        self._turn(seen.at)
        if self._guard is not None:
            self._guard.see(seen)
        self._warming.see(seen)
        rollout = self._of[seen.mail.tenant]
        rollout.comparison.see(seen)
        self._reference[rollout.name].see(seen)

    def actions(self) -> Sequence[tuple[float, str, str, str]]:
        done = [] if self._guard is None else list(self._guard.actions())
        return done + [
            (one.at, f"{one.rollout} to {one.share} %", "", one.decision.sentence) for one in self.looks
        ]

    @property
    def stops(self) -> int:
        """Decisions of the breaker that hold back mail."""
        return 0 if self._guard is None else sum(one.stops for one in self._guard.decided)

    # Rollouts

    def _asked(self, mail: Waiting, at: float, *, leaves: bool) -> None:
        rollout = self._of[mail.tenant]
        new = self.ways.isolated(mail)
        if not leaves:
            if new:
                rollout.waits.add(mail.key)
            return
        rollout.waits.discard(mail.key)
        lane = self._lanes.of(mail)
        self._mail[mail.tenant, provider_of(mail)] += 1
        if new:
            self._warming.sent(mail, at)
        if at < self._since:
            self._reference[rollout.name].sent(lane.id, mail, at, new=False)
        else:
            rollout.comparison.sent(lane.id, mail, at, new=new)

    def _turn(self, at: float) -> None:
        if at < self._next:
            return
        self._next = (at // EVERY + 1) * EVERY
        for rollout in self._rollouts:
            self._look(rollout, at)

    def _look(self, rollout: Rollout, at: float) -> None:
        first = rollout.comparison.first_new
        if first is not None and rollout.standing.first_mail is None:
            rollout.standing = replace(rollout.standing, first_mail=first)
        strata = rollout.comparison.strata()
        mailings = gates.mailings(strata)
        facts = Facts(
            now=self._ms(at),
            strata=strata if rollout.standing.share else (),
            reference=self._shares_before(rollout),
            checklist=self._checklist(rollout, at),
            repeats=gates.repeats(mailings, apart=True),
            mailings=mailings,
        )
        decision = course.look(rollout.standing, facts)
        self.last[rollout.name] = decision
        if decision.verdict is Verdict.WAIT:
            return
        rollout.standing = course.after(rollout.standing, decision, self._ms(at))
        rollout.comparison.begin()
        for tenant in rollout.tenants:
            self.shares[tenant] = decision.share
        if decision.verdict is Verdict.BACK:
            self.ways.back(rollout.waits)
            rollout.waits.clear()
        self.looks.append(Look(at, rollout.name, decision.share, decision))

    def _shares_before(self, rollout: Rollout) -> Mapping[Measure, float]:
        """Shares of the mail before the rollout."""
        strata = self._reference[rollout.name].strata()
        sent = sum(one.old.sent for one in strata)
        heard = sum(one.old.heard for one in strata)
        if not sent:
            return {}
        counts = {
            measure: sum(getattr(one.old, measure.value) for one in strata)
            for measure in Measure
            if measure is not Measure.UNREPORTED
        }
        return {
            measure: count / max(1, heard if measure is Measure.COMPLAINED else sent)
            for measure, count in counts.items()
        }

    def _checklist(self, rollout: Rollout, at: float) -> tuple[Item, ...]:
        """All holds, but for warm-up, which depends on the mail."""
        target = course.next_share(rollout.standing)
        small = None
        if target is not None:
            days = max(1.0, at / DAY)
            daily = {key: mails / days for key, mails in self._mail.items() if key[0] in rollout.tenants}
            small = self._warming.too_small(daily, target, at)
        return tuple(
            Item(
                check=check,
                of=rollout.name if check is not Check.WARM_UP or small is None else small,
                holds=check is not Check.WARM_UP or small is None,
                said="" if check is not Check.WARM_UP else f"The warm-up has no room: {small}.",
            )
            for check in Check
        )

    def _ms(self, at: float) -> int:
        return self._start_ms + int(at * 1000)
