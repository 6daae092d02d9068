"""Whether a tenant's mail needs domains of its own, kind by kind. Pure."""

from collections import defaultdict

from mailcordon.control.advice import Advice, Cost, Facts
from mailcordon.control.advice.prices import Prices
from mailcordon.control.steps import Step, StepKind
from mailcordon.core import domain as domains
from mailcordon.core.priority import Class
from mailcordon.messages import advice as messages

LABEL = "news"  #: of the domain below the shared one that marketing moves to
WARM_UP_DAYS = 30  #: until a provider knows a new domain: 2 to 6 weeks of steady mail (ses.md 7)


def advise(facts: Facts, prices: Prices) -> Advice:
    """First, a domain that the tenant shares with other tenants; then one that marketing shares with other mail."""
    tenant = facts.tenant
    below = sorted(
        {
            lane.domain
            for lane in tenant.active_lanes
            if any(domains.covers(parent, lane.domain) for parent in facts.platform.shared_parents)
        }
    )
    mixed = _mixed(facts)
    new = sorted({f"{LABEL}.{domain}" for domain in mixed if domain not in below} - set(tenant.domains))
    steps = tuple(
        Step(kind=StepKind.MOVE_LANE, tenant=tenant.slug, type=lane.type, to=f"{LABEL}.{lane.domain}")
        for lane in tenant.active_lanes
        if lane.class_ == Class.MARKETING and lane.domain in mixed and lane.domain not in below
    )
    price = prices.get("month.identity")
    cost = Cost(
        monthly=0.0 if not new else None if price is None else price * len(new),
        unknown=("month.identity",) if new and price is None else (),
        unchecked=prices.not_looked_up(["month.identity"] if new else []),
        days=WARM_UP_DAYS if steps or below else 0,
    )
    if below:
        says = messages.leave_shared_domain(tenant.slug, below)
    elif steps:
        says = messages.split_domain(tenant.slug, sorted(mixed))
    else:
        says = messages.keep_domains(tenant.slug)
    command = None
    if below and not steps:
        types = [lane.type for lane in tenant.active_lanes if lane.domain in below]
        command = f"mailcordon lane move {tenant.slug} {types[0]} --to NEW.DOMAIN --because TEXT"
    return Advice(
        decision="identity",
        change=bool(below or steps),
        says=says,
        buys=messages.identity_buys(),
        cost=cost,
        evidence=tuple(
            messages.domain_carries(domain, sorted(types)) for domain, types in sorted(_types(facts).items())
        ),
        mistake=messages.identity_mistake(),
        rung=messages.identity_rung(),
        steps=steps,
        command=command,
    )


def _types(facts: Facts) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for lane in facts.tenant.active_lanes:
        found[lane.domain].add(lane.type)
    return found


def _mixed(facts: Facts) -> set[str]:
    """Domains from which both marketing and other mail leaves."""
    kinds: dict[str, set[bool]] = defaultdict(set)
    for lane in facts.tenant.active_lanes:
        kinds[lane.domain].add(lane.class_ == Class.MARKETING)
    return {domain for domain, of in kinds.items() if len(of) > 1}
