"""How mailbox providers react to a sender: a small model that is fast and can be read.

A provider has an opinion of the From domain and of the IP pool: the harm that they did by mail, both fading. The harm of one
mail is a share of the mails that it puts into the spam folder, defers or refuses. Block lists are told of spam traps, and
hosts that ask them refuse who is listed. No provider publishes its numbers: these are chosen, as those of the simulated world
are, and the report says so.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mailcordon.core.provider import Provider

DAY: Final = 1440  #: minutes
SHARED: Final = ""  #: the pool that SES shares among many customers

PRIOR: Final = 3_000.0  #: mails that a sender is taken to have sent without harm before
BACKGROUND: Final = (
    50_000.0  #: mails a day that others send from the addresses of SES's shared pool, at one provider
)
TRAP_POINTS: Final = (
    2.6  #: of a trap on a bought list: two in five never had an owner and count 5, the others 1
)
SPAM: Final = (1.0, 2.0)  #: half of the mail goes to the spam folder at this harm; and the exponent
DEFER_EXPONENT: Final = 3.0
REFUSE_EXPONENT: Final = 4.0
MOST_REFUSED: Final = 0.98
LISTED: Final = 25.0  #: trap points from which on a domain or pool is on a block list
LISTED_SHARED: Final = 20_000.0  #: the same of SES's shared pool
LISTED_MOST: Final = 4.0  #: times those that are remembered
LISTED_HALF_LIFE: Final = 1.5 * DAY
NEW_HARM: Final = 0.25  #: of a domain that the provider never saw, half of it after NEW_MAILS
NEW_MAILS: Final = 1_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """How one provider judges. Half-lives are in days; `dead`, `traps` and `complaints` are shares of the mail whose harm is
    1."""

    domain: float = 0.7  #: weight of the domain; the rest is the pool's
    shared: float = 0.15  #: weight of the pool if it is SES's shared one
    harm_days: float = 5.0
    mail_days: float = 15.0
    dead: float = 0.05
    traps: float = 0.01
    complaints: float = 0.00167
    base: float = 0.02  #: share of a perfect sender's mail in the spam folder
    defer: float = 3.0  #: harm at which half of `most_deferred` is deferred
    most_deferred: float = 0.5
    refuse: float = 5.0  #: harm at which half of the mail is refused
    asks: float = 0.0  #: share of its hosts that ask block lists


GATEWAY: Final = Law(harm_days=3, mail_days=9, base=0.03, asks=0.7, refuse=4)
TELCO: Final = Law(domain=0.45, asks=0.5, refuse=4)
SMALL: Final = Law(domain=0.3, asks=0.6)
NAMED: Final = {
    Provider.GMAIL: Law(domain=0.85, base=0.015, defer=4, refuse=8),
    Provider.MICROSOFT: Law(
        domain=0.55, shared=0.25, harm_days=7, mail_days=21, traps=0.007, base=0.03, defer=2, refuse=2.2
    ),
    Provider.YAHOO: Law(harm_days=4, mail_days=12, defer=1.5, most_deferred=0.85, refuse=2.5),
    Provider.APPLE: Law(domain=0.6, base=0.025, refuse=3.5),
    Provider.GMX: Law(domain=0.5, dead=0.03, harm_days=3, mail_days=9, defer=1.5, refuse=3),
}


def law_of(provider: int) -> Law:
    named = Provider(provider)
    if named in NAMED:
        return NAMED[named]
    if named.kind == "gateway":
        return GATEWAY
    return TELCO if named.kind == "mailbox" else SMALL


class Stand(NamedTuple):
    """Shares of a sender's mail at a provider now."""

    spam: float  #: of what is accepted
    refused: float
    deferred: float
    listed: bool  #: its domain or pool is on a block list


@dataclass(slots=True)
class _Opinion:
    at: int
    harm: float = 0.0
    mails: float = 0.0


@dataclass(slots=True)
class Providers:
    """What all providers think. Minutes are since 1970 and do not fall. `new`: domains and pools that nobody has seen before."""

    new: frozenset[str] = frozenset()
    _opinions: dict[tuple[int, bool, str], _Opinion] = field(
        default_factory=dict[tuple[int, bool, str], _Opinion]
    )
    _traps: dict[tuple[bool, str], tuple[int, float]] = field(
        default_factory=dict[tuple[bool, str], tuple[int, float]]
    )

    def count(
        self,
        provider: int,
        domain: str,
        pool: str,
        minute: int,
        *,
        mails: float = 0,
        dead: float = 0,
        complaints: float = 0,
        traps: float = 0,
    ) -> None:
        """What became of mail: `mails` were accepted or refused as unknown; `traps` are trap points."""
        law = law_of(provider)
        harm = dead / law.dead + complaints / law.complaints + traps / law.traps
        for is_pool, name in ((False, domain), (True, pool)):
            opinion = self._opinions.setdefault((provider, is_pool, name), _Opinion(minute))
            passed = max(0, minute - opinion.at) / DAY
            opinion.harm = opinion.harm * 2 ** (-passed / law.harm_days) + harm
            opinion.mails = opinion.mails * 2 ** (-passed / law.mail_days) + mails
            opinion.at = max(opinion.at, minute)
            if traps:
                at, points = self._traps.get((is_pool, name), (minute, 0.0))
                most = LISTED_MOST * _enough(is_pool, name)
                self._traps[is_pool, name] = (minute, min(most, _faded(at, points, minute) + traps))

    def stand(self, provider: int, domain: str, pool: str, minute: int) -> Stand:
        law = law_of(provider)
        weight = law.shared if pool == SHARED else 1 - law.domain
        harm = weight * self._harm(law, provider, True, pool, minute)
        harm += (1 - weight) * self._harm(law, provider, False, domain, minute)
        if domain in self.new:
            seen = self._opinions.get((provider, False, domain))
            harm += NEW_HARM * NEW_MAILS / (NEW_MAILS + (0.0 if seen is None else seen.mails))
        listed = bool(law.asks) and any(
            _faded(*self._traps[key], minute) >= _enough(*key)
            for key in ((False, domain), (True, pool))
            if key in self._traps
        )
        refused = MOST_REFUSED * _curve(harm, law.refuse, REFUSE_EXPONENT)
        if listed:
            refused += (1 - refused) * law.asks
        return Stand(
            spam=law.base + (1 - law.base) * _curve(harm, *SPAM),
            refused=refused,
            deferred=law.most_deferred * _curve(harm, law.defer, DEFER_EXPONENT),
            listed=listed,
        )

    def _harm(self, law: Law, provider: int, is_pool: bool, name: str, minute: int) -> float:
        opinion = self._opinions.get((provider, is_pool, name))
        if opinion is None:
            return 0.0
        passed = max(0, minute - opinion.at) / DAY
        mails = opinion.mails * 2 ** (-passed / law.mail_days)
        if is_pool and name == SHARED:
            mails += BACKGROUND * law.mail_days * 1.4427  # a steady flow's faded sum: 1 / ln 2
        return opinion.harm * 2 ** (-passed / law.harm_days) / (mails + PRIOR)


def _curve(harm: float, half: float, exponent: float) -> float:
    raised = (harm / half) ** exponent
    return raised / (1 + raised)


def _faded(at: int, points: float, minute: int) -> float:
    return points * 2 ** (-max(0, minute - at) / LISTED_HALF_LIFE)


def _enough(is_pool: bool, name: str) -> float:
    return LISTED_SHARED if is_pool and name == SHARED else LISTED
