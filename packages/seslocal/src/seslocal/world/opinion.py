"""What each provider thinks of a sender. It has an opinion of the signing domain, of the IP pool, of the two together, and of the
content. An opinion is a harm divided by a volume, and both fade by half-lives, so a sender recovers when it does no more harm.

Counts of the running minute are kept apart and added at its end, as sums of whole numbers. An opinion is a function of what was
counted for its own subject, minute by minute, and of nothing else: so senders who share no subject never influence each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from seslocal.world.envelope import Envelope
from seslocal.world.measures import (
    ACCEPTED,
    COMPLAINTS,
    CONTENT,
    COUNTED,
    DAY,
    DEFERRED,
    DOMAIN,
    FROM,
    INBOX,
    OPENS,
    PAIR,
    POOL,
    REFUSED,
    TRAPPED,
    UNKNOWN,
    WANTED,
    Measures,
    measures_of,
)
from seslocal.world.settings import WorldSettings

LISTS: Final = "lists"  #: the block lists, which are told of every trap; a provider by name only
MOST_DOMAINS: Final = 64  #: with one content that are told apart
MOST_CONTENTS: Final = 100_000  #: further ones are not judged until others are forgotten
_MOST_TRACKS: Final = 200_000
#: days after which what was not seen again is forgotten
FORGOTTEN: Final = {DOMAIN: 180, POOL: 180, PAIR: 180, FROM: 180, CONTENT: 30}


class Opinion(msgspec.Struct):
    """Of one subject by one provider, as of the end of minute `last`."""

    kind: str
    name: str
    new: bool  #: no provider had seen it before the world began
    first: int  #: minute in which it was first seen
    last: int
    harm: float = 0.0
    volume: float = 0.0  #: mails judged: accepted or refused as unknown
    trusted: float = 0.0  #: volume, with a past for senders that were known before the world began
    opens: float = 0.0
    inbox: float = 0.0
    engagement: float = (
        -1.0
    )  #: share of inbox mail that is opened, as of the start of the day; below 0: not known
    day: int = 0
    today: int = 0  #: accepted
    wanted: int = 0  #: today
    late: int = 0  #: of today's mail in the inbox, what came too late to be opened today
    largest: float = 0.0  #: the largest day before, fading
    strikes: float = 0.0  #: days on which it sent far too much, fading
    bulk: bool = False  #: it sent as much on one day as makes a bulk sender; for good (ses.md 8.2)
    domains: list[str] = []  #: new ones that sent this content, sorted
    dead: float = 0.0  #: what harm is made of, fading as it does, as of the end of minute `harmed`
    traps: float = 0.0
    complaints: float = 0.0
    deferred: float = 0.0
    refused: float = 0.0
    harmed: int = 0
    counts: list[int] | None = None  #: of the minute that ends


class Track:
    """One way in which mail arrives at a provider: what is counted for it in the running minute, and the opinions of its
    subjects."""

    __slots__ = (
        "content",
        "counts",
        "domain",
        "judges_content",
        "measures",
        "new",
        "of_content",
        "of_domain",
        "of_pair",
        "of_pool",
        "of_sender",
        "of_sender_signed",
        "pool",
        "provider",
        "sender",
        "shared",
        "whole",
    )

    def __init__(self, provider: str, envelope: Envelope, new: bool, shared: bool) -> None:
        self.provider = provider
        self.domain = envelope.domain
        self.sender = envelope.from_domain
        self.pool = envelope.pool
        self.content = envelope.content
        self.measures = measures_of(provider)
        self.new = new  #: the domain
        self.shared = shared  #: the pool
        self.judges_content = new and bool(envelope.content)  #: only new domains are judged by their content
        self.counts: list[int] | None = None
        self.of_domain: Opinion | None = None
        self.of_pool: Opinion | None = None
        self.of_pair: Opinion | None = None
        self.of_content: Opinion | None = None
        self.of_sender: Opinion | None = None  #: what the domain in From sent with another signature
        self.of_sender_signed: Opinion | None = None
        self.whole = False  #: there is an opinion of each subject, so none has to be looked up again


class Opinions:
    def __init__(self, settings: WorldSettings | None = None) -> None:
        settings = settings or WorldSettings()
        self.minute = 0
        self._known = float(settings.known)
        self._cold = frozenset(settings.cold)
        self._shared = frozenset(settings.shared)
        self._opinions: dict[tuple[str, str, str], Opinion] = {}
        self._contents = 0
        self._tracks: dict[tuple[str, str | None, str, str, str], Track] = {}
        self._running: list[Track] = []

    # what others ask

    def find(self, provider: str, kind: str, name: str) -> Opinion | None:
        """Returns what is thought of a subject, as of the minute in which it was last seen."""
        return self._opinions.get((provider, kind, name))

    def all(self) -> Iterator[tuple[str, Opinion]]:
        """Yields provider and opinion, sorted."""
        for key in sorted(self._opinions):
            yield key[0], self._opinions[key]

    def is_new(self, name: str) -> bool:
        """Whether no provider had seen this domain or pool before the world began."""
        return name in self._cold or not self._known

    def is_shared(self, pool: str) -> bool:
        return pool in self._shared

    def track(self, provider: str, envelope: Envelope) -> Track:
        """Returns the track of a mail, with the opinions that there are of its subjects."""
        key = (provider, envelope.signed_by, envelope.from_domain, envelope.pool, envelope.content)
        track = self._tracks.get(key)
        if track is None:
            if len(self._tracks) >= _MOST_TRACKS:
                self._tracks.clear()  # what was counted is in `_running`
            new, shared = self.is_new(envelope.domain), envelope.pool in self._shared
            track = self._tracks[key] = Track(provider, envelope, new, shared)
        if not track.whole:
            self._look_up(track)
        return track

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

    def load(self, opinion: Opinion, measures: Measures) -> tuple[float, float, float]:
        """Returns what was accepted today and what the sender wanted to send today, both as multiples of what the provider is
        used to (above 1 it slows the sender down), and the days on which it sent far too much, each fading as harm does."""
        floor = measures.floors[opinion.kind == POOL] if opinion.new else self._known
        allowed = max(floor, measures.growth * opinion.largest)
        wanted = opinion.wanted / allowed
        strikes = opinion.strikes
        if wanted > 1.5:
            strikes += min(1.0, (wanted - 1.5) / (measures.flood - 1.5))
        passed = self.minute // DAY - opinion.day
        if not passed:
            return opinion.today / allowed, wanted, strikes
        return 0.0, 0.0, strikes * 2.0 ** (-passed * DAY / measures.forgets) if strikes else 0.0

    def traps(self, opinion: Opinion, measures: Measures) -> float:
        """Returns the trap points as of now."""
        return opinion.traps * 2.0 ** (-(self.minute - opinion.harmed) / measures.forgets)

    # what happens

    def count(self, track: Track, what: int, number: int = 1) -> None:
        """Counts for the domain, the pool, the two together and a new domain's content. It shows from the next minute on."""
        counts = track.counts
        if counts is None:
            counts = track.counts = [0] * len(COUNTED)
            self._running.append(track)
        counts[what] += number

    def move(self, minute: int) -> None:
        """Ends the minutes before this one."""
        if minute <= self.minute:
            return
        if self._running:
            self._end()
        day = minute // DAY
        if day != self.minute // DAY:
            self._forget(day)
        self.minute = minute

    def keep(self) -> bytes:
        """Returns all that is known, as of the end of the minutes before this one, and what was counted in this one. The order in
        which it was counted does not show."""
        running = sorted(
            (one.provider, one.domain, one.sender, one.pool, one.content, one.counts) for one in self._running
        )
        return msgspec.json.encode((self.minute, running, list(self.all())))

    def restore(self, kept: bytes) -> None:
        """Takes over what `keep` returned. Raises msgspec.DecodeError or ValidationError."""
        self.minute, running, found = msgspec.json.decode(
            kept,
            type=tuple[int, list[tuple[str, str, str, str, str, list[int]]], list[tuple[str, Opinion]]],
        )
        self._opinions = {(provider, one.kind, one.name): one for provider, one in found}
        self._contents = sum(one.kind == CONTENT for _, one in found)
        self._tracks, self._running = {}, []
        for provider, domain, sender, pool, content, counts in running:
            envelope = Envelope(
                key="",
                recipient="",
                from_domain=sender,
                signed_by=domain,
                spf=True,
                aligned=True,
                mail_from="",
                pool=pool,
                ip="",
                content=content,
            )
            track = Track(provider, envelope, self.is_new(domain), pool in self._shared)
            track.counts = counts
            self._running.append(track)

    # how

    def _look_up(self, track: Track) -> None:
        provider, find = track.provider, self._opinions.get
        track.of_domain = find((provider, DOMAIN, track.domain))
        track.of_pool = find((provider, POOL, track.pool))
        track.of_pair = find((provider, PAIR, f"{track.domain} {track.pool}"))
        if track.judges_content:
            track.of_content = find((provider, CONTENT, track.content))
        if track.sender == track.domain:
            track.of_sender_signed = track.of_domain
        else:
            track.of_sender = find((provider, FROM, track.sender))
            track.of_sender_signed = find((provider, DOMAIN, track.sender))
        track.whole = (
            track.of_pair is not None
            and (track.of_content is not None or not track.judges_content)
            and (track.of_sender_signed is not None or track.sender == track.domain)
        )

    def _end(self) -> None:
        touched: list[tuple[Opinion, Measures]] = []
        contents: list[tuple[tuple[str, str, str], Track]] = []
        for track in self._running:
            counts, measures, provider = track.counts, track.measures, track.provider
            assert counts is not None
            if not track.whole:
                self._look_up(track)
            of_domain = track.of_domain or self._make(provider, DOMAIN, track.domain, track.new)
            of_pool = track.of_pool or self._make(provider, POOL, track.pool, self.is_new(track.pool))
            of_pair = track.of_pair or self._make(
                provider, PAIR, f"{track.domain} {track.pool}", track.new or self.is_new(track.pool)
            )
            for opinion in (of_domain, of_pool, of_pair):
                _sum(opinion, counts, measures, touched)
            if track.judges_content:
                if track.of_content is not None:
                    _sum(track.of_content, counts, measures, touched)
                else:
                    contents.append(((provider, CONTENT, track.content), track))
            if track.sender != track.domain:
                made = self._make(provider, FROM, track.sender, self.is_new(track.sender))
                _sum(track.of_sender or made, counts, measures, touched)
            if counts[TRAPPED]:
                of_lists = measures_of(LISTS)
                told = [0] * len(COUNTED)
                told[TRAPPED] = counts[TRAPPED]
                for kind, name in ((DOMAIN, track.domain), (POOL, track.pool)):
                    _sum(self._make(LISTS, kind, name, self.is_new(name)), told, of_lists, touched)
        contents.sort(key=lambda one: one[0])
        for (
            key,
            track,
        ) in contents:  # in the order of their names: if there is no room, the last ones go without
            if key in self._opinions or self._contents < MOST_CONTENTS:
                self._contents += key not in self._opinions
                made = self._make(*key, True)
                _sum(made, track.counts or [], track.measures, touched)
        for opinion, measures in touched:
            self._add(opinion, measures)
        for track in self._running:
            if track.judges_content and (found := self.find(track.provider, CONTENT, track.content)):
                _spread(found, track.domain)
            track.counts = None
        self._running = []

    def _make(self, provider: str, kind: str, name: str, new: bool) -> Opinion:
        key = (provider, kind, name)
        found = self._opinions.get(key)
        if found is None:
            now = self.minute
            found = self._opinions[key] = Opinion(
                kind=kind, name=name, new=new, first=now, last=now, day=now // DAY, harmed=now
            )
        return found

    def _add(self, opinion: Opinion, measures: Measures) -> None:
        """Adds the counts of the minute that ends."""
        counts, now = opinion.counts, self.minute
        assert counts is not None
        opinion.counts = None
        if now // DAY != opinion.day:
            self._roll(opinion, measures)
        if opinion.kind == CONTENT:
            forgets = remembers = measures.content_half_life
        else:
            forgets, remembers = measures.forgets, measures.remembers
        passed = now - opinion.last
        fading = 2.0 ** (-passed / remembers)
        volume = opinion.volume * fading + counts[ACCEPTED] + counts[UNKNOWN]
        opinion.volume = opinion.trusted = volume
        opinion.opens = opinion.opens * fading + counts[OPENS]
        opinion.inbox = opinion.inbox * fading + counts[INBOX]
        if not opinion.new:
            # A sender that was known before the world began is taken to have sent as much then as now, and no harm.
            seen = 1.0 - 2.0 ** (-(now - opinion.first + 1) / remembers)
            opinion.trusted = volume * min(remembers / forgets, 1.0 / seen)
        harm = 0.0
        for what, weight in measures.harm:
            if counts[what]:
                harm += weight * counts[what]
        if harm or opinion.harm:
            opinion.harm = max(0.0, opinion.harm * 2.0 ** (-passed / forgets) + harm)
        if harm or counts[DEFERRED] or counts[REFUSED]:
            fading = 2.0 ** (-(now - opinion.harmed) / forgets)
            opinion.dead = opinion.dead * fading + counts[UNKNOWN]
            opinion.traps = opinion.traps * fading + counts[TRAPPED]
            if measures.listed_most:
                shared = opinion.kind == POOL and opinion.name in self._shared
                enough = measures.listed_shared if shared else measures.listed
                opinion.traps = min(opinion.traps, measures.listed_most * enough)
            opinion.complaints = opinion.complaints * fading + counts[COMPLAINTS]
            opinion.deferred = opinion.deferred * fading + counts[DEFERRED]
            opinion.refused = opinion.refused * fading + counts[REFUSED]
            opinion.harmed = now
        if now % DAY >= DAY - measures.engaged_wait:
            opinion.late += counts[INBOX]
        opinion.today += counts[ACCEPTED]
        opinion.wanted += counts[WANTED]
        if measures.bulk and opinion.today >= measures.bulk:
            opinion.bulk = True
        opinion.last = now

    def _roll(self, opinion: Opinion, measures: Measures) -> None:
        """A day ends: it may be the largest one, and the opinion of how much is opened is renewed."""
        day = self.minute // DAY
        passed = day - opinion.day
        opinion.strikes = self.load(opinion, measures)[2]
        opinion.largest = max(
            opinion.largest * 2.0 ** (-passed / measures.used_to),
            opinion.today * 2.0 ** (-(passed - 1) / measures.used_to),
        )
        judged = opinion.inbox - opinion.late if passed == 1 else opinion.inbox
        if judged >= measures.engaged_mails:
            opinion.engagement = opinion.opens / judged
        opinion.day, opinion.today, opinion.wanted, opinion.late = day, 0, 0, 0

    def _forget(self, day: int) -> None:
        old = [key for key, one in self._opinions.items() if day - one.last // DAY > FORGOTTEN[one.kind]]
        for key in old:
            self._contents -= key[1] == CONTENT
            del self._opinions[key]
        self._tracks = {}


def _sum(
    opinion: Opinion, counts: list[int], measures: Measures, touched: list[tuple[Opinion, Measures]]
) -> None:
    if opinion.counts is None:
        opinion.counts = counts
        touched.append((opinion, measures))
    else:
        opinion.counts = [a + b for a, b in zip(opinion.counts, counts, strict=True)]


def _spread(opinion: Opinion, domain: str) -> None:
    """Keeps the first ones by name, so that the order in which they came does not show."""
    if domain not in opinion.domains and (
        len(opinion.domains) < MOST_DOMAINS or domain < opinion.domains[-1]
    ):
        opinion.domains = sorted([*opinion.domains, domain])[:MOST_DOMAINS]
