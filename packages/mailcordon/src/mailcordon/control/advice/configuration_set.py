"""Whether a tenant needs configuration sets of its own. Pure."""

from mailcordon.control import steps
from mailcordon.control.advice import DAYS, Advice, Cost, Facts
from mailcordon.control.advice.prices import Prices
from mailcordon.messages import advice as messages

HEAVY = 0.1  #: share of the platform's mail: switching its set off then stops a tenth, and no other tenant


def advise(facts: Facts, prices: Prices, *, needs_pool: bool) -> Advice:
    """`needs_pool`: whether its mail is to leave from a pool, which SES chooses by set."""
    tenant = facts.tenant
    share = facts.own / facts.all if facts.all else 0.0
    heavy = HEAVY <= share < 1.0  # with no other sender there is nobody to part it from
    change = not tenant.dedicated and (heavy or needs_pool) and bool(tenant.classes)
    sets, price = len(tenant.classes), prices.get("month.configuration_set")
    evidence = [messages.share_of_mail(tenant.slug, facts.own, facts.all, DAYS)]
    if needs_pool:
        evidence.append(messages.pool_needs_set())
    if tenant.dedicated:
        says = messages.keep_own_sets(tenant.slug)
    elif change:
        says = messages.take_own_sets(tenant.slug)
    else:
        says = messages.keep_shared_sets(tenant.slug)
    return Advice(
        decision="configuration set",
        change=change,
        says=says,
        buys=messages.set_buys(),
        cost=Cost(
            monthly=0.0 if not change else None if price is None else price * sets,
            unknown=("month.configuration_set",) if change and price is None else (),
            unchecked=prices.not_looked_up(["month.configuration_set"] if change else []),
        ),
        evidence=tuple(evidence),
        mistake=messages.set_mistake(),
        rung=messages.set_rung(tenant.slug, per_class=tenant.ses_tenants == "per-class"),
        steps=(steps.set_topology(tenant.slug, dedicated=True, ses_tenants=tenant.ses_tenants),)
        if change
        else (),
    )
