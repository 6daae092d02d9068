"""What each provider thinks of a sender. It has an opinion of the signing domain, of the IP pool, of the two together, and of the
content. An opinion is a harm divided by a volume, and both fade by half-lives, so a sender recovers when it does no more harm.

Counts of the running minute are kept apart and added at its end, as sums of whole numbers. An opinion is a function of what was
counted for its own subject, minute by minute, and of nothing else: so senders who share no subject never influence each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from seslocal.world.envelope import Envelope
from seslocal.world.measures import CONTENT, DAY, DOMAIN, FROM, PAIR, POOL, Measures, measures_of
from seslocal.world.settings import WorldSettings

#: what is counted; all are whole numbers
COUNTED: Final = (
    "wanted",  # first attempts: what the sender wants to send
    "accepted",
    "inbox",
    "unknown",  # refused, because there is no such mailbox
    "trapped",  # trap points
    "opens",
    "complaints",
    "not_spam",
    "deletes",
    "deferred",
    "refused",
)
WANTED, ACCEPTED, INBOX, UNKNOWN, TRAPPED, OPENS, COMPLAINTS, NOT_SPAM, DELETES, DEFERRED, REFUSED = range(11)
LISTS: Final = "lists"  #: the block lists, which are told of every trap; a provider by name only
MOST_DOMAINS: Final = 64  #: with one content that are told apart
MOST_CONTENTS: Final = 100_000  #: further ones are not judged until others are forgotten
#: minutes after which an opinion of what was not seen again is none
FORGOTTEN: Final = {DOMAIN: 180 * DAY, POOL: 180 * DAY, PAIR: 180 * DAY, FROM: 180 * DAY, CONTENT: 30 * DAY}

Key = tuple[str, str, str, str, str]  #: provider, signing domain, From domain, pool, content
_RATES: Final = (UNKNOWN, TRAPPED, COMPLAINTS, DEFERRED, REFUSED)
TRAP_RATE: Final = 1  #: index in Opinion.rates


class Opinion(msgspec.Struct):
    """Of one subject by one provider, as of the end of minute `last`."""

    kind: str
    name: str
    first: int  #: minute in which it was first seen
    last: int
    harm: float = 0.0
    volume: float = 0.0  #: mails judged: accepted or refused as unknown
    trusted: float = 0.0  #: volume, with a past for senders that were known before the world began
    rates: list[
        float
    ] = []  #: numerators, fading as harm does: dead, trap points, complaints, deferred, refused
    opens: float = 0.0
    inbox: float = 0.0
    engagement: float = (
        -1.0
    )  #: share of inbox mail that is opened, as of the start of the day; below 0: not known
    day: int = 0
    today: int = 0  #: accepted
    wanted: int = 0  #: today
    largest: float = 0.0  #: the largest day before, fading
    strikes: float = 0.0  #: days on which it sent far too much, fading
    bulk: bool = False  #: it sent as much on one day as makes a bulk sender; for good (ses.md 8.2)
    domains: list[str] = []  #: new ones that sent this content, sorted


class Opinions:
    def __init__(self, settings: WorldSettings | None = None) -> None:
        settings = settings or WorldSettings()
        self.minute = 0
        self._known = float(settings.known)
        self._cold = frozenset(settings.cold)
        self._shared = frozenset(settings.shared)
        self._opinions: dict[tuple[str, str, str], Opinion] = {}
        self._contents = 0
        self._running: dict[Key, list[int]] = {}

    # what others ask

    def find(self, provider: str, kind: str, name: str) -> Opinion | None:
        """Returns what is thought of a subject, as of the minute in which it was last seen."""
        found = self._opinions.get((provider, kind, name))
        return found if found is not None and self.minute - found.last <= FORGOTTEN[kind] else None

    def all(self) -> Iterator[tuple[str, Opinion]]:
        """Yields provider and opinion, sorted."""
        for key in sorted(self._opinions):
            yield key[0], self._opinions[key]

    def is_cold(self, name: str) -> bool:
        """Whether no provider had seen this domain or pool before the world began."""
        return name in self._cold or not self._known

    def is_shared(self, pool: str) -> bool:
        return pool in self._shared

    def harm(self, opinion: Opinion, measures: Measures) -> float:
        """Returns harm per mail as of now, in units of which 1 sends half of the mail to the spam folder."""
        if opinion.harm <= 0.0:
            return 0.0
        passed = self.minute - opinion.last
        if opinion.kind == CONTENT:
            fading = 2.0 ** (-passed / measures.content_half_life)
            return opinion.harm * fading / (opinion.volume * fading + measures.content_prior)
        if opinion.kind == POOL and opinion.name in self._shared:
            volume = measures.background
        else:
            volume = opinion.trusted * 2.0 ** (-passed / measures.remembers)
        return opinion.harm * 2.0 ** (-passed / measures.forgets) / (volume + measures.prior)

    def pressure(self, opinion: Opinion, measures: Measures) -> tuple[float, float]:
        """Returns what was accepted today and what the sender wanted to send today, both as multiples of what the provider is
        used to. Above 1 it slows the sender down."""
        if opinion.day != self.minute // DAY:
            return 0.0, 0.0
        allowed = self._allowed(opinion, measures)
        return opinion.today / allowed, opinion.wanted / allowed

    def strikes(self, opinion: Opinion, measures: Measures) -> float:
        """Returns the days on which the subject sent far too much, today included, each fading as harm does."""
        wanted = opinion.wanted / self._allowed(opinion, measures)
        struck = opinion.strikes + min(1.0, max(0.0, (wanted - 1.5) / (measures.flood - 1.5)))
        passed = self.minute // DAY - opinion.day
        return struck * 2.0 ** (-passed * DAY / measures.forgets) if struck else 0.0

    # what happens

    def count(self, provider: str, envelope: Envelope, what: int, number: int = 1) -> None:
        """Counts for the domain, the pool, the two together and the content. It shows from the next minute on."""
        key = (
            provider,
            envelope.signed_by or envelope.from_domain,
            envelope.from_domain,
            envelope.pool,
            envelope.content,
        )
        counts = self._running.get(key)
        if counts is None:
            counts = self._running[key] = [0] * len(COUNTED)
        counts[what] += number

    def move(self, minute: int) -> None:
        """Ends the minutes before this one."""
        if minute <= self.minute:
            return
        if self._running:
            self._end()
        if minute // DAY != self.minute // DAY:
            self._forget(minute)
        self.minute = minute

    def keep(self) -> bytes:
        """Returns all that is known, as of the end of the minutes before this one, and what was counted in this one."""
        running = sorted((list(key), counts) for key, counts in self._running.items())
        return msgspec.json.encode((self.minute, running, list(self.all())))

    def restore(self, kept: bytes) -> None:
        """Takes over what `keep` returned. Raises msgspec.DecodeError."""
        self.minute, running, found = msgspec.json.decode(
            kept, type=tuple[int, list[tuple[Key, list[int]]], list[tuple[str, Opinion]]]
        )
        self._running = dict(running)
        self._opinions = {(provider, one.kind, one.name): one for provider, one in found}
        self._contents = sum(one.kind == CONTENT for _, one in found)

    # how

    def _end(self) -> None:
        sums: dict[tuple[str, str, str], list[int]] = {}
        spread: dict[tuple[str, str, str], set[str]] = {}
        for (provider, domain, sender, pool, content), counts in self._running.items():
            subjects = [
                (provider, DOMAIN, domain),
                (provider, POOL, pool),
                (provider, PAIR, f"{domain} {pool}"),
            ]
            if sender != domain:
                subjects.append((provider, FROM, sender))
            if content:
                subjects.append((provider, CONTENT, content))
                if self.is_cold(domain):
                    spread.setdefault(subjects[-1], set()).add(domain)
            if counts[TRAPPED]:
                subjects += [(LISTS, DOMAIN, domain), (LISTS, POOL, pool)]
            for subject in subjects:
                before = sums.get(subject)
                sums[subject] = (
                    counts if before is None else [a + b for a, b in zip(before, counts, strict=True)]
                )
        self._running = {}
        new: list[tuple[str, str, str]] = []
        for subject, counts in sums.items():
            opinion = self._opinions.get(subject)
            if opinion is None or self.minute - opinion.last > FORGOTTEN[subject[1]]:
                new.append(subject)
            else:
                self._add(opinion, measures_of(subject[0]), counts)
        for subject in sorted(new):
            if subject[1] == CONTENT and subject not in self._opinions:
                if self._contents >= MOST_CONTENTS:
                    continue
                self._contents += 1
            now = self.minute
            opinion = Opinion(
                kind=subject[1], name=subject[2], first=now, last=now, day=now // DAY, rates=[0.0] * 5
            )
            self._opinions[subject] = opinion
            self._add(opinion, measures_of(subject[0]), sums[subject])
        for subject, domains in spread.items():
            found = self._opinions.get(subject)
            if found is not None and len(found.domains) < MOST_DOMAINS:
                found.domains = sorted({*found.domains, *domains})[:MOST_DOMAINS]

    def _add(self, opinion: Opinion, measures: Measures, counts: list[int]) -> None:
        if opinion.kind == CONTENT:
            forgets = remembers = measures.content_half_life
        else:
            forgets, remembers = measures.forgets, measures.remembers
        day = self.minute // DAY
        if day != opinion.day:
            self._roll(opinion, measures, day)
        passed = self.minute - opinion.last
        fading, volume_fading = 2.0 ** (-passed / forgets), 2.0 ** (-passed / remembers)
        complaint, dead, trap, rescue, deletion = measures.harm
        harm = (
            complaint * counts[COMPLAINTS]
            + dead * counts[UNKNOWN]
            + trap * counts[TRAPPED]
            + rescue * counts[NOT_SPAM]
            + deletion * counts[DELETES]
        )
        opinion.harm = max(0.0, opinion.harm * fading + harm)
        opinion.volume = opinion.volume * volume_fading + counts[ACCEPTED] + counts[UNKNOWN]
        opinion.trusted = opinion.volume * self._past(opinion, forgets, remembers)
        opinion.opens = opinion.opens * volume_fading + counts[OPENS]
        opinion.inbox = opinion.inbox * volume_fading + counts[INBOX]
        opinion.rates = [
            rate * fading + counts[what] for rate, what in zip(opinion.rates, _RATES, strict=True)
        ]
        opinion.today += counts[ACCEPTED]
        opinion.wanted += counts[WANTED]
        if measures.bulk and opinion.today >= measures.bulk:
            opinion.bulk = True
        opinion.last = self.minute

    def _past(self, opinion: Opinion, forgets: float, remembers: float) -> float:
        """Senders that were known before the world began are taken to have sent as much then as they do now, and no harm."""
        if opinion.kind == CONTENT or self._new(opinion):
            return 1.0
        seen = 1.0 - 2.0 ** (-(self.minute - opinion.first + 1) / remembers)
        return min(remembers / forgets, 1.0 / seen)

    def _roll(self, opinion: Opinion, measures: Measures, day: int) -> None:
        """A day ends: it may be the largest one, and the opinion of how much is opened is renewed."""
        opinion.strikes = self.strikes(opinion, measures)
        passed = day - opinion.day
        opinion.largest = max(
            opinion.largest * 2.0 ** (-passed / measures.used_to),
            opinion.today * 2.0 ** (-(passed - 1) / measures.used_to),
        )
        if opinion.inbox >= measures.engaged_mails:
            opinion.engagement = opinion.opens / opinion.inbox
        opinion.day, opinion.today, opinion.wanted = day, 0, 0

    def _allowed(self, opinion: Opinion, measures: Measures) -> float:
        """The mails of a day, on the day when it was last seen, that the provider is used to."""
        floor = measures.floors[opinion.kind == POOL] if self._new(opinion) else self._known
        return max(floor, measures.growth * opinion.largest)

    def _new(self, opinion: Opinion) -> bool:
        return any(self.is_cold(part) for part in opinion.name.split(" "))

    def _forget(self, minute: int) -> None:
        """Deletes what no longer counts. Nobody sees a difference: what is old is no opinion already."""
        for key in [key for key, one in self._opinions.items() if minute - one.last > FORGOTTEN[one.kind]]:
            self._contents -= key[1] == CONTENT
            del self._opinions[key]
