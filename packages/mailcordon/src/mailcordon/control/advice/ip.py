"""Whether a tenant's mail should leave from IP addresses of its own (guard/dedicated.py), kind by kind. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailcordon.control import steps
from mailcordon.control.advice import Advice, Cost, Facts
from mailcordon.control.advice.prices import Prices
from mailcordon.control.platform import SHARED_IPS, IpPool
from mailcordon.control.steps import Step
from mailcordon.core.priority import Class
from mailcordon.guard import dedicated
from mailcordon.guard.dedicated import Choice, Decision
from mailcordon.messages import advice as messages

MONTH = 30  #: days


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One kind of mail: marketing, or all other. The two never share a pool."""

    marketing: bool
    classes: tuple[Class, ...]
    pool: IpPool | None  #: in which it is now
    decision: Decision

    @property
    def change(self) -> bool:
        return (self.pool is not None) != (self.decision.choice is not Choice.SHARED)

    @property
    def word(self) -> str:
        return "marketing" if self.marketing else "transactional"


def judge(facts: Facts) -> list[Judged]:
    """The decision about each kind of mail that the tenant has."""
    found: list[Judged] = []
    for marketing in (False, True):
        classes = tuple(each for each in facts.tenant.classes if (each == Class.MARKETING) == marketing)
        if not classes:
            continue
        pool = next((pool for each in classes if (pool := _pool(facts, each)) is not None), None)
        kind = None if pool is None else Choice.MANAGED if pool.managed else Choice.STANDARD
        decision = dedicated.decide(
            dedicated.Facts(
                today=facts.today,
                days=[day for each in classes for day in facts.days.get(each, ())],
                others={} if pool is not None else facts.others,
                pooled=kind,
                minimum=dedicated.MINIMUM
                if pool is None
                else facts.minimums.get(pool.name, dedicated.MINIMUM),
            )
        )
        found.append(Judged(marketing=marketing, classes=classes, pool=pool, decision=decision))
    return found


def advise(facts: Facts, prices: Prices, judged: Sequence[Judged]) -> Advice:
    tenant = facts.tenant
    moves = [one for one in judged if one.change]
    asked: list[Step] = []
    commands: list[str] = []
    for one in moves:
        target = None if one.decision.choice is Choice.SHARED else _fitting(facts, one)
        if one.decision.choice is not Choice.SHARED and target is None:
            kind = "--managed" if one.decision.choice is Choice.MANAGED else "--standard"
            commands.append(
                f"mailcordon pool create {tenant.slug}-{one.word} --for {one.word} {kind} --owner WHO --because TEXT"
            )
            continue
        if target is not None and not tenant.dedicated and not asked:
            asked.append(steps.set_topology(tenant.slug, dedicated=True, ses_tenants=tenant.ses_tenants))
        asked += [steps.set_pool(tenant.slug, each, target) for each in one.classes]
    said = [_says(facts, one) for one in judged]
    return Advice(
        decision="IP",
        change=bool(moves),
        says=" ".join(said) or messages.no_mail_for_ips(tenant.slug),
        buys=messages.ip_buys(),
        cost=cost(facts, prices, moves),
        evidence=tuple(sentence for one in judged for sentence in evidence(one)),
        mistake=messages.ip_mistake(),
        rung=messages.ip_rung(),
        steps=tuple(asked),
        command=commands[0] if commands else None,
    )


def evidence(one: Judged) -> list[str]:
    found = one.decision
    said = [messages.volume(one.word, found.per_day, found.history, found.active, found.silence)]
    said += [messages.because_of(str(why)) for why in found.why]
    said += [
        messages.seat(seat.provider.word, seat.share, seat.per_day, seat.enough, served=seat.served)
        for seat in found.seats[:3]
    ]
    said.append(messages.stays_or_goes(one.word, found.lost_staying, found.cold_going))
    return said


def cost(facts: Facts, prices: Prices, moves: Sequence[Judged]) -> Cost:
    """More than now. A managed pool costs the account a fee once, whoever is in it."""
    monthly, unknown, used, days = 0.0, list[str](), set[str](), 0
    managed = any(pool.managed for pool in facts.platform.pools.values())
    for one in moves:
        back = one.decision.choice is Choice.SHARED
        kind = one.decision.choice
        if back and one.pool is not None:
            kind = Choice.MANAGED if one.pool.managed else Choice.STANDARD
        sign = -1.0 if back else 1.0
        if kind is Choice.MANAGED:
            names = ["thousand_mails.managed_ips", *([] if managed or back else ["month.managed_pools"])]
            amounts = {
                "thousand_mails.managed_ips": one.decision.per_day * MONTH / 1_000,
                "month.managed_pools": 1.0,
            }
        else:
            names = [] if back else ["month.standard_ip"]  # leased addresses cost until they are given back
            amounts = {"month.standard_ip": float(max(1, one.decision.ips))}
            days = max(days, 0 if back else dedicated.WARM_UP_DAYS)
        for name in names:
            price = prices.get(name)
            if price is None:
                unknown.append(name)
            else:
                used.add(name)
                monthly += sign * price * amounts[name]
    return Cost(
        monthly=None if unknown else round(monthly, 2),
        unknown=tuple(unknown),
        unchecked=prices.not_looked_up(used),
        days=days,
    )


def _says(facts: Facts, one: Judged) -> str:
    slug, choice = facts.tenant.slug, one.decision.choice
    if one.pool is not None and choice is Choice.SHARED:
        return messages.leave_pool(slug, one.word, one.pool.name)
    if one.pool is not None:
        return messages.stay_in_pool(slug, one.word, one.pool.name)
    if choice is Choice.SHARED:
        return messages.stay_shared(slug, one.word, str(one.decision.why[0]))
    return messages.take_own_ips(slug, one.word, str(choice), one.decision.ips)


def _pool(facts: Facts, class_: Class) -> IpPool | None:
    name = facts.tenant.pools.get(class_)
    return None if name is None or name == SHARED_IPS else facts.platform.pools.get(name)


def _fitting(facts: Facts, one: Judged) -> str | None:
    """A pool for this mail, of the kind that is advised: the first by name."""
    managed = one.decision.choice is Choice.MANAGED
    fits = (
        pool.name
        for _, pool in sorted(facts.platform.pools.items())
        if pool.marketing == one.marketing and pool.managed == managed
    )
    return next(fits, None)
