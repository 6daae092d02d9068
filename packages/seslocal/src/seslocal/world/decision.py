"""How a provider decides about one attempt: a function of the mail, the person, the sender's standing as of the start of the
minute, and chance."""

from __future__ import annotations

from typing import Final

import msgspec

from seslocal.world.draws import Draws
from seslocal.world.envelope import Envelope
from seslocal.world.measures import Measures, measures_of
from seslocal.world.people import Person
from seslocal.world.replies import About
from seslocal.world.settings import Rule
from seslocal.world.standing import Standing, curve
from seslocal.world.verdict import Cause, Kind

_MOST_HOSTS: Final = 10_000


Drawn = tuple[float, float, float, float]  #: independent, in [0, 1)


class Decision(msgspec.Struct, frozen=True):
    kind: Kind
    cause: Cause = ""
    about: About = ""  #: what the reply is about, where a provider has different words for it
    why: str = ""  #: for the ground truth: what decided, with its numbers


_INBOX: Final = Decision("inbox")
_NO_MAILBOX: Final = Decision("refuse", "no_mailbox", why="nobody has this address")
_MOVED: Final = Decision("refuse", "moved", why="the mailbox was closed")
_FULL: Final = (
    Decision("defer", "full", why="the mailbox is full"),
    Decision("refuse", "full", why="the mailbox is full"),
)


class Decisions:
    """`start`: of the world, in seconds since the epoch; the times of the rules count from it."""

    def __init__(self, draws: Draws, rules: tuple[Rule, ...], start: float) -> None:
        self._draws = draws
        self._rules: dict[str, list[Rule]] = {}
        for rule in rules:
            self._rules.setdefault(rule.provider, []).append(rule)
        self._start = start
        self._asking: dict[tuple[str, str], bool] = {}

    def decide(
        self, provider: str, envelope: Envelope, person: Person, at: float, standing: Standing, drawn: Drawn
    ) -> Decision:
        """What a host asks first decides: the connection, the recipient, then the mail. `drawn` is for this attempt alone."""
        measures = measures_of(provider)
        if envelope.size > measures.largest:
            why = f"{envelope.size} bytes, and {measures.largest:.0f} are allowed"
            return Decision("refuse", "too_large", why=why)
        if standing.listed and self._asks(provider, envelope.recipient, measures):
            why = f"{standing.listed} is on a block list, for mail to spam traps"
            return Decision("refuse", "listed", _about(standing.listed_pool), why)
        if measures.at_connection and (found := _by_reputation(standing, drawn[1])):
            return found
        if drawn[2] < standing.slows:
            kind: Kind = "refuse" if drawn[2] < standing.slows * standing.floods else "defer"
            why = f"more mail than the provider is used to; {standing.why}"
            return Decision(kind, "rate", _about(standing.slow_pool), why)
        who = person.who
        if who == "nobody":
            return _NO_MAILBOX
        if who == "moved":
            return _MOVED
        if who == "full":
            return _FULL[drawn[3] < measures.full_refuses]
        complete = envelope.aligned and envelope.spf and envelope.signed_by and envelope.dmarc != "absent"
        if not complete and (found := _by_authentication(envelope, standing, measures, drawn[3])):
            return found
        if provider in self._rules and (found := self._by_rule(provider, envelope, at, drawn[3])):
            return found
        if not measures.at_connection and (found := _by_reputation(standing, drawn[1])):
            return found
        return _place(envelope, standing, measures, drawn[0])

    def _asks(self, provider: str, recipient: str, measures: Measures) -> bool:
        """Whether the host of this recipient's domain asks a block list. It always does or never."""
        key = (provider, recipient.rpartition("@")[2].lower())
        found = self._asking.get(key)
        if found is None:
            if len(self._asking) >= _MOST_HOSTS:
                self._asking.clear()
            found = self._asking[key] = self._draws.four("asks", " ".join(key))[0] < measures.asks
        return found

    def _by_rule(self, provider: str, envelope: Envelope, at: float, drawn: float) -> Decision | None:
        for rule in self._rules[provider]:
            broken = (
                (rule.kind == "needs_dmarc" and envelope.dmarc == "absent")
                or (rule.kind == "needs_dkim" and not envelope.signed_by)
                or (rule.kind == "needs_one_click" and envelope.bulk and not envelope.one_click)
            )
            if broken and at - self._start >= rule.start:
                kind: Kind = "refuse" if drawn < rule.refuses else "defer"
                return Decision(kind, "rule", rule.kind, f"a new rule: {rule.kind}")
        return None


def _about(pool: bool) -> About:
    return "ip" if pool else "domain"


def _by_reputation(standing: Standing, drawn: float) -> Decision | None:
    if drawn >= standing.refuses + standing.defers:
        return None
    kind: Kind = "refuse" if drawn < standing.refuses else "defer"
    cause: Cause = "content" if standing.bad_content else "reputation"
    return Decision(kind, cause, _about(standing.bad_pool), standing.why)


def _by_authentication(
    envelope: Envelope, standing: Standing, measures: Measures, drawn: float
) -> Decision | None:
    if not envelope.spf and not envelope.signed_by and drawn < measures.unsigned:
        return Decision("refuse", "authentication", "spf", "neither SPF nor DKIM passes")
    if not envelope.aligned:
        if envelope.dmarc == "reject" and drawn < measures.reject:
            return Decision("refuse", "authentication", "dmarc", "DMARC fails, and the policy is reject")
        if envelope.dmarc == "quarantine" and drawn < measures.quarantine:
            return Decision("spam", why="DMARC fails, and the policy is quarantine")
    if standing.bulk and drawn < measures.bulk_refuses + measures.bulk_defers:
        kind: Kind = "refuse" if drawn < measures.bulk_refuses else "defer"
        about: About = "needs_dkim" if not envelope.signed_by else "needs_dmarc"
        why = "a bulk sender's mail needs SPF, DKIM, alignment and a DMARC record"
        return Decision(kind, "rule", about, why)
    return None


def _place(envelope: Envelope, standing: Standing, measures: Measures, drawn: float) -> Decision:
    spam = standing.spam
    if not envelope.aligned:
        spam = measures.base + (1.0 - measures.base) * curve(
            standing.harm + measures.unaligned, *measures.spam
        )
    needs = standing.bulk and envelope.bulk and not envelope.one_click
    if needs:
        spam += (1.0 - spam) * measures.one_click
    if drawn >= spam:
        return _INBOX
    why = standing.why
    if not envelope.aligned:
        why += f", DMARC fails {measures.unaligned:.2f}"
    if needs:
        why += f", no one-click unsubscribe for {measures.one_click:.0%}"
    return Decision("spam", why=f"{why}; {spam:.1%} to spam")
