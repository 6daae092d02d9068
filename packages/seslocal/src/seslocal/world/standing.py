"""Where a mail's sender stands with a provider at this minute: opinions put together into the shares of its mail that are slowed
down, refused and put into the spam folder."""

from __future__ import annotations

import msgspec

from seslocal.world.measures import DOMAIN, POOL, measures_of
from seslocal.world.opinion import LISTS, Opinions, Track


class Standing(msgspec.Struct, frozen=True):
    harm: float  #: 1 sends half of the mail to the spam folder
    spam: float  #: share of accepted mail
    defers: float  #: share of attempts, for reputation
    refuses: float  #: share of attempts, for reputation
    slows: float  #: share of attempts, for the rate
    slow_pool: bool  #: it is the pool that sends too much
    floods: float  #: share of those slowed down that are refused instead
    bulk: bool  #: the rules for bulk senders apply
    listed: str  #: domain or pool that is on a block list; ""
    listed_pool: bool  #: it is the pool
    bad_pool: bool  #: the pool is the largest part of the harm
    bad_content: bool  #: the content is the larger part of the harm
    parts: tuple[tuple[str, float], ...]  #: of the harm

    @property
    def why(self) -> str:
        return f"harm {self.harm:.2f}: " + ", ".join(f"{name} {part:.2f}" for name, part in self.parts)


class Standings:
    """Each is worked out once a minute."""

    def __init__(self, opinions: Opinions) -> None:
        self._opinions = opinions
        self._minute = opinions.minute
        self._known: dict[Track, Standing] = {}

    def find(self, track: Track) -> Standing:
        if self._minute != self._opinions.minute:
            self._known = {}
            self._minute = self._opinions.minute
        found = self._known.get(track)
        if found is None:
            found = self._known[track] = _stand(self._opinions, track)
        return found


def curve(harm: float, half: float, exponent: float, most: float = 1.0) -> float:
    """A Hill curve: 0 without harm, half of `most` at `half`."""
    raised = (harm / half) ** exponent
    return most * raised / (1.0 + raised)


def _stand(opinions: Opinions, track: Track) -> Standing:
    """As of the start of the minute."""
    measures = track.measures
    of_domain, of_pool, of_pair = track.of_domain, track.of_pool, track.of_pair
    weights = measures.shared_weights if track.shared else measures.weights
    by_domain = weights[0] * opinions.harm(of_domain, measures) if of_domain is not None else 0.0
    by_pool = weights[1] * opinions.harm(of_pool, measures) if of_pool is not None else 0.0
    by_pair = weights[2] * opinions.harm(of_pair, measures) if of_pair is not None else 0.0
    harm = by_domain + by_pool + by_pair
    parts = [("domain", by_domain), ("pool", by_pool), ("pair", by_pair)]

    # Nobody slows a shared pool down: its background is large.
    accepted = wanted = strikes = 0.0
    slow_pool = False
    if of_domain is not None:
        accepted, wanted, strikes = opinions.load(of_domain, measures)
    if of_pool is not None and not track.shared:
        pool = opinions.load(of_pool, measures)
        slow_pool = pool[0] > accepted
        accepted, wanted, strikes = max(accepted, pool[0]), max(wanted, pool[1]), max(strikes, pool[2])
    if strikes:
        parts.append(("too much at once", measures.strike * strikes))
        harm += measures.strike * strikes

    by_content = 0.0
    if track.new:
        seen = of_domain.volume if of_domain is not None else 0.0
        young = measures.suspicion_mails / (measures.suspicion_mails + seen)
        parts.append(("new", measures.suspicion * young))
        harm += measures.suspicion * young
        if track.of_content is not None:
            number = len(track.of_content.domains)
            many = measures.content_spread * max(0.0, 1.0 - measures.content_domains / max(1, number))
            by_content = young * (measures.content_weight * opinions.harm(track.of_content, measures) + many)
            parts.append((f"content of {number} new domains", by_content))
            harm += by_content
    if of_domain is not None and of_domain.engagement >= 0.0:
        weight, enough = measures.engaged
        if of_domain.engagement < enough:
            ignored = weight * (1.0 - of_domain.engagement / enough)
            parts.append(("ignored", ignored))
            harm += ignored

    of_sender, signed = track.of_sender, track.of_sender_signed
    listed = _listed(opinions, track) if measures.asks else ("", False)
    return Standing(
        harm=harm,
        spam=measures.base + (1.0 - measures.base) * curve(harm, *measures.spam),
        defers=curve(harm, *measures.defer),
        refuses=curve(harm, *measures.refuse),
        slows=min(measures.rate_most, max(0.0, (accepted - 1.0) / measures.soft)),
        slow_pool=slow_pool,
        floods=measures.flood_refuses if wanted > measures.flood else 0.0,
        bulk=(signed is not None and signed.bulk) or (of_sender is not None and of_sender.bulk),
        listed=listed[0],
        listed_pool=listed[1],
        bad_pool=by_pool > by_domain + by_pair,
        bad_content=by_content > harm / 2,
        parts=tuple(parts),
    )


def _listed(opinions: Opinions, track: Track) -> tuple[str, bool]:
    measures = measures_of(LISTS)
    for kind, name in ((DOMAIN, track.domain), (POOL, track.pool)):
        found = opinions.find(LISTS, kind, name)
        if found is not None:
            enough = measures.listed_shared if kind == POOL and track.shared else measures.listed
            if opinions.traps(found, measures) >= enough:
                return name, kind == POOL
    return "", False
