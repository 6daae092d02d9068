"""Where a mail's sender stands with a provider at this minute: opinions put together into the shares of its mail that are slowed
down, refused and put into the spam folder."""

from __future__ import annotations

import msgspec

from seslocal.world.envelope import Envelope
from seslocal.world.measures import CONTENT, DOMAIN, FROM, PAIR, POOL, measures_of
from seslocal.world.opinion import LISTS, TRAP_RATE, Opinions


class Standing(msgspec.Struct, frozen=True):
    harm: float  #: 1 sends half of the mail to the spam folder
    spam: float  #: share of accepted mail
    defers: float  #: share of attempts, for reputation
    refuses: float  #: share of attempts, for reputation
    slows: float  #: share of attempts, for the rate
    floods: float  #: share of those slowed down that are refused instead
    bulk: bool  #: the rules for bulk senders apply
    slow_pool: bool  #: it is the pool that sends too much
    listed: str  #: domain or pool that is on a block list; ""
    listed_pool: bool  #: it is the pool
    bad_pool: bool  #: the pool is the largest part of the harm
    bad_content: bool  #: the content is the larger part of the harm
    why: str


class Standings:
    """Each is worked out once a minute."""

    def __init__(self, opinions: Opinions) -> None:
        self._opinions = opinions
        self._minute = opinions.minute
        self._known: dict[tuple[str, str | None, str, str, str], Standing] = {}

    def find(self, provider: str, envelope: Envelope) -> Standing:
        if self._minute != self._opinions.minute:
            self._known.clear()
            self._minute = self._opinions.minute
        key = (provider, envelope.signed_by, envelope.from_domain, envelope.pool, envelope.content)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = _stand(self._opinions, provider, envelope)
        return found


def curve(harm: float, half: float, exponent: float, most: float = 1.0) -> float:
    """A Hill curve: 0 without harm, half of `most` at `half`."""
    raised = (harm / half) ** exponent
    return most * raised / (1.0 + raised)


def _stand(opinions: Opinions, provider: str, envelope: Envelope) -> Standing:
    measures = measures_of(provider)
    domain, pool = envelope.domain, envelope.pool
    of_domain = opinions.find(provider, DOMAIN, domain)
    of_pool = opinions.find(provider, POOL, pool)
    of_pair = opinions.find(provider, PAIR, f"{domain} {pool}")
    cold, shared = opinions.is_cold(domain), opinions.is_shared(pool)

    weights = measures.shared_weights if shared else measures.weights
    parts = [
        weight * opinions.harm(one, measures) if one is not None else 0.0
        for weight, one in zip(weights, (of_domain, of_pool, of_pair), strict=True)
    ]
    harm = parts[0] + parts[1] + parts[2]
    notes: list[str] = []

    # Nobody slows a shared pool down: its background is large.
    accepted = wanted = strikes = 0.0
    slow_pool = False
    for one in (of_domain, None if shared else of_pool):
        if one is not None:
            ratios = opinions.pressure(one, measures)
            slow_pool = one is of_pool and ratios[0] > accepted
            accepted, wanted = max(accepted, ratios[0]), max(wanted, ratios[1])
            strikes = max(strikes, opinions.strikes(one, measures))
    if strikes:
        harm += measures.strike * strikes
        notes.append(f"too much at once {measures.strike * strikes:.2f}")

    by_content = 0.0
    if cold:
        seen = of_domain.volume if of_domain is not None else 0.0
        young = measures.suspicion_mails / (measures.suspicion_mails + seen)
        harm += measures.suspicion * young
        notes.append(f"new {measures.suspicion * young:.2f}")
        of_content = opinions.find(provider, CONTENT, envelope.content) if envelope.content else None
        if of_content is not None:
            many = max(0.0, len(of_content.domains) - measures.content_domains) / measures.content_domains
            by_content = young * (measures.content_weight * opinions.harm(of_content, measures) + many)
            harm += by_content
            notes.append(f"content {by_content:.2f} from {len(of_content.domains)} new domains")
    if of_domain is not None and of_domain.engagement >= 0.0:
        weight, enough = measures.engaged
        ignored = weight * max(0.0, 1.0 - of_domain.engagement / enough)
        if ignored:
            harm += ignored
            notes.append(f"ignored {ignored:.2f}")

    sender = envelope.from_domain
    of_sender = of_domain if sender == domain else opinions.find(provider, DOMAIN, sender)
    bulk = any(one is not None and one.bulk for one in (of_sender, opinions.find(provider, FROM, sender)))
    listed = _listed(opinions, domain, pool) if measures.asks else ("", False)
    return Standing(
        harm=harm,
        spam=measures.base + (1.0 - measures.base) * curve(harm, *measures.spam),
        defers=curve(harm, *measures.defer),
        refuses=curve(harm, *measures.refuse),
        slows=min(measures.rate_most, max(0.0, (accepted - 1.0) / measures.soft)),
        floods=measures.flood_refuses if wanted > measures.flood else 0.0,
        bulk=bulk,
        slow_pool=slow_pool,
        listed=listed[0],
        listed_pool=listed[1],
        bad_pool=parts[1] > parts[0] + parts[2],
        bad_content=by_content > harm / 2,
        why=f"harm {harm:.2f}: domain {parts[0]:.2f}, pool {parts[1]:.2f}, pair {parts[2]:.2f}"
        + "".join(f", {note}" for note in notes),
    )


def _listed(opinions: Opinions, domain: str, pool: str) -> tuple[str, bool]:
    measures = measures_of(LISTS)
    for kind, name in ((DOMAIN, domain), (POOL, pool)):
        found = opinions.find(LISTS, kind, name)
        if found is None:
            continue
        points = found.rates[TRAP_RATE] * 2.0 ** (-(opinions.minute - found.last) / measures.forgets)
        shared = kind == POOL and opinions.is_shared(name)
        if points >= (measures.listed_shared if shared else measures.listed):
            return name, kind == POOL
    return "", False
