"""How often the duties of the control role run (control/schedule.py). docs/operations.md has the reasons."""

from dataclasses import dataclass, replace

from mailcordon.core.pace import Pace, steady


@dataclass(frozen=True, slots=True, kw_only=True)
class Paces:
    """What a float says is in seconds."""

    reconcile: Pace  #: what is due
    lock: float  #: whether this process still reconciles
    lists: Pace  #: what stands beside our resources; a round takes a call per 100 of each kind
    hints: Pace  #: management events about what is not ours
    account: Pace  #: each run is one call at SES's management rate
    pauses: Pace
    advice: Pace  #: whether it is time to read SES's findings
    checks: Pace  #: domains whose check is due; most are due once a day
    lapses: Pace  #: the holds that lapses ask for
    removals: Pace
    #: What people, findings and the end of their time decide. Other facts move it within a few seconds.
    clock: Pace
    plans: Pace
    gone: Pace  #: dispatchers that have died
    claims: Pace
    align: Pace
    purge: Pace
    partitions: Pace
    counts: Pace
    senders: (
        Pace  #: what advice about all tenants is made from: days that are over, and what tenants have at SES
    )
    learn: Pace  #: who receives the mail of new domains
    counts_of_unknown: Pace
    proofs: Pace  #: those that run
    feedback: Pace  #: whether events come back; a round reads what was folded since the last one
    releases: Pace  #: which steps open
    warm_ups: Pace  #: the budgets of domains that are new to a provider
    outside: Pace  #: limits for what others say; an import looks at once, and days pass
    rollouts: Pace  #: what moves from the shared path


AWS = Paces(
    reconcile=Pace(quick=1.0, other=2.0, slow=5.0),
    lock=5.0,
    lists=steady(60.0),
    hints=Pace(quick=1.0, other=5.0, slow=30.0),
    account=steady(60.0),
    pauses=steady(60.0),
    advice=Pace(quick=1.0, slow=5.0),
    checks=steady(15.0),
    lapses=Pace(quick=5.0, slow=30.0),
    removals=Pace(quick=2.0, other=5.0, slow=30.0),
    clock=Pace(quick=1.0, other=5.0, slow=30.0),
    plans=Pace(quick=1.0, other=3.0, slow=30.0),
    gone=Pace(quick=1.0, slow=5.0),
    claims=steady(30.0),
    align=steady(60.0),
    purge=steady(30.0),
    partitions=steady(3_600.0),
    counts=steady(60.0),
    senders=steady(3_600.0),
    learn=Pace(quick=0.5, other=2.0, slow=30.0),
    counts_of_unknown=steady(30.0),
    proofs=Pace(quick=1.0, other=3.0, slow=30.0),
    feedback=Pace(quick=5.0, slow=15.0),
    releases=Pace(quick=1.0, other=3.0, slow=10.0),
    warm_ups=steady(60.0),
    outside=steady(300.0),
    rollouts=Pace(quick=1.0, other=5.0, slow=30.0),
)

#: Short enough after a change that a developer does not wait, and rare while nothing changes.
LOCAL = replace(
    AWS,
    reconcile=Pace(quick=0.4, other=2.0, slow=10.0),
    lists=Pace(quick=15.0, slow=120.0, lasting=20.0),
    hints=Pace(quick=0.6, other=5.0, slow=30.0),
    account=Pace(quick=3.0, slow=60.0),
    advice=Pace(quick=1.0, slow=30.0),
    pauses=Pace(quick=3.0, slow=60.0),
    checks=Pace(quick=2.0, slow=15.0),
    lapses=Pace(quick=1.0, other=5.0, slow=30.0),
    removals=Pace(quick=1.0, other=5.0, slow=30.0),
    clock=Pace(quick=1.0, other=5.0, slow=30.0),
    claims=Pace(quick=2.0, slow=10.0),
    align=Pace(quick=10.0, slow=60.0),
    purge=Pace(quick=10.0, slow=60.0),
    partitions=Pace(quick=10.0, slow=600.0),
    senders=Pace(quick=3.0, slow=120.0),
    counts_of_unknown=Pace(quick=2.0, other=10.0, slow=30.0),
    proofs=Pace(quick=0.5, other=3.0, slow=30.0),
    feedback=Pace(quick=2.0, other=5.0, slow=15.0),
    warm_ups=Pace(quick=3.0, slow=30.0),
    outside=Pace(quick=10.0, slow=60.0),
)
