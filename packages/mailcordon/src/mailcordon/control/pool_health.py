"""What is wrong with an IP pool: too little mail to keep its reputation, or too much that providers block. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailcordon.core.provider import Provider
from mailcordon.guard import dedicated, excess
from mailcordon.messages import pools as messages

WEEK = 7  #: days that are judged, without today
WEIGHTY = 0.1  #: share of a pool's mail from which on a provider must see enough of it
COMPLAINED = 0.001  #: share of the mail from which on SES may review an account (ses.md 8.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """A pool's mail to one provider in the last seven days, without today."""

    provider: Provider
    days: int  #: of the seven on which the pool had members
    sent: int
    blocks: int  #: bounces, hard or soft, whose reason is spam, reputation or policy
    complaints: int

    @property
    def per_day(self) -> float:
        return self.sent / self.days if self.days else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    ip: str
    percentage: int  #: of its warm-up; -1: SES does not say, in a managed pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    code: str
    provider: Provider | None
    sentence: str
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What is judged of one."""

    name: str
    owner: str
    managed: bool
    minimum: int  #: mails a day to a provider that keep the reputation of one address
    members: int
    addresses: Sequence[Address] | None  #: None: SES was not asked yet
    weeks: Sequence[Week]


def troubles(pool: Pool) -> Iterator[Trouble]:
    """A pool without members has none: nothing leaves from it."""
    if not pool.members:
        return
    if not pool.managed and pool.addresses is not None and not pool.addresses:
        yield Trouble(
            code="pool-empty",
            provider=None,
            sentence=messages.has_no_address(pool.name, pool.owner),
            next=messages.has_no_address_next(pool.name),
        )
    total = sum(week.sent for week in pool.weeks)
    for week in sorted(pool.weeks, key=lambda one: one.provider):
        # Other providers, and those that are not known yet, are many: none of them sees what all get.
        if week.days >= WEEK and week.provider > Provider.OTHER and week.sent >= WEIGHTY * total:
            yield from _volume(pool, week)
        yield from _reputation(pool, week)
    if not total and max((week.days for week in pool.weeks), default=0) >= WEEK:
        yield Trouble(
            code="pool-below-minimum",
            provider=None,
            sentence=messages.is_silent(pool.name, pool.owner),
            next=messages.below_minimum_next(pool.name),
        )


def needed(pool: Pool) -> int:
    """Mails a day to a provider that keep the pool's reputation there."""
    addresses = 1 if pool.managed else max(1, len(pool.addresses or ()))
    return pool.minimum * addresses


def _volume(pool: Pool, week: Week) -> Iterator[Trouble]:
    if 0 < week.per_day < needed(pool):
        yield Trouble(
            code="pool-below-minimum",
            provider=week.provider,
            sentence=messages.below_minimum(
                pool.name, pool.owner, week.provider.word, round(week.per_day), needed(pool)
            ),
            next=messages.below_minimum_next(pool.name),
        )


def _reputation(pool: Pool, week: Week) -> Iterator[Trouble]:
    for events, share, say in (
        (week.blocks, dedicated.BLOCKED, messages.is_blocked),
        (week.complaints, COMPLAINED, messages.has_complaints),
    ):
        if excess.nats(events, share * week.sent) >= dedicated.SURE_NATS:
            yield Trouble(
                code="pool-reputation",
                provider=week.provider,
                sentence=say(pool.name, pool.owner, week.provider.word, events, week.sent, share),
                next=messages.reputation_next(pool.name),
            )
            return
