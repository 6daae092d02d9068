"""The control role: runs each of its duties in a separate loop, at its own interval, until it is stopped.

A duty that fails is logged and retried with back-off; it does not delay the others. One process of an installation reconciles:
there each kind of work (control/work.py) has loops of its own, so that a long queue of one delays no other.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial

from mailcordon.control.beside import Beside
from mailcordon.control.call_budget import CallBudget, Stopped
from mailcordon.control.claims import Claims
from mailcordon.control.desired import Settings
from mailcordon.control.dkim_keys import DkimSigning
from mailcordon.control.erasure import Erasures
from mailcordon.control.facts import ControlFacts
from mailcordon.control.findings import Findings
from mailcordon.control.governor import Governor
from mailcordon.control.identity_checks import IdentityChecks
from mailcordon.control.outside_signals import OutsideSignals
from mailcordon.control.pacing.releases import Releases
from mailcordon.control.pacing.warm_ups import WarmUps
from mailcordon.control.provider_learning import ProviderLearning
from mailcordon.control.proving import Judge
from mailcordon.control.reconcile import Reconciler
from mailcordon.control.retirement import Retirement
from mailcordon.control.rollouts.loop import Rollouts
from mailcordon.control.scan import Scan
from mailcordon.control.ses_findings import SesFindings
from mailcordon.control.ses_lists import SesLists
from mailcordon.control.suppression_split.worker import Splitter
from mailcordon.control.unlisting import Unlister
from mailcordon.control.upkeep import Upkeep
from mailcordon.control.work import WORK_OF_ROWS, Work
from mailcordon.core.clock import boot_time, host_ms

_LOG = logging.getLogger(__name__)
_LONGEST_WAIT = 30.0  #: seconds between two attempts of a duty that fails


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Seconds between two runs of a duty."""

    reconcile: float = 1.0  #: what is due
    lock: float = 5.0  #: whether this process still reconciles
    lists: float = 60.0  #: what stands beside our resources; a round takes a call per 100 of each kind
    hints: float = 1.0  #: management events about what is not ours, and approved changes of it
    account: float = 60.0  #: each run is one call at SES's management rate
    pauses: float = 60.0
    advice: float = 1.0  #: whether it is time to read SES's findings
    checks: float = 15.0  #: domains whose check is due; most are due once a day
    lapses: float = 5.0  #: the holds that lapses ask for
    removals: float = 2.0
    clock: float = 1.0
    claims: float = 30.0
    align: float = 60.0
    purge: float = 30.0
    partitions: float = 3_600.0
    counts: float = 60.0
    learn: float = 0.5  #: who receives the mail of new domains
    counts_of_unknown: float = 30.0
    proofs: float = 1.0  #: those that run; without any it is one look at an empty index
    feedback: float = 5.0  #: whether events come back; a round reads what was folded since the last one
    releases: float = 1.0  #: which steps open; without a large batch it is one query
    warm_ups: float = 60.0  #: the budgets of domains that are new to a provider
    outside: float = 300.0  #: limits for what others say; an import looks at once, and days pass
    rollouts: float = (
        1.0  #: what moves from the shared path; without a rollout it is three looks at small tables
    )


#: What asks SES or changes it, or what is sent: left out by an installation that observes only.
_ABOUT_SES = frozenset(
    {
        "reconcile SES",
        "follow plans",
        "ask SES for the account's rate",
        "ask SES for paused tenants",
        "read SES's findings",
        "forget addresses at SES",
        "read SES's suppression lists",
        "take open addresses off SES's lists",
        "judge proofs",
        "open the steps of releases",
        "warm domains up",
        "slow mail for what others say",
        "decide rollouts",
        "settle claims to domains",
        "give SES the DKIM keys that are published",
    }
)

#: Short enough that a developer does not wait, and as long as that allows: each round takes some milliseconds of CPU.
LOCAL = Intervals(
    reconcile=0.4,
    lists=15.0,
    hints=0.6,
    account=3.0,
    pauses=3.0,
    checks=2.0,
    lapses=1.0,
    removals=1.0,
    claims=2.0,
    align=10.0,
    purge=10.0,
    partitions=10.0,
    learn=0.5,
    counts_of_unknown=2.0,
    proofs=0.5,
    feedback=2.0,
    releases=1.0,
    warm_ups=3.0,
    outside=10.0,
    rollouts=1.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """`want_everything` derives again what SES should have, `follow_plans` does what applied plans leave to be done,
    `recheck_all` makes all resources due, `keep_policies` gives lanes their policies and limits, and `reconciler_lock` yields
    None unless this process is the one that reconciles, else a function that says whether it still is. `watch_feedback` looks
    whether events of mail come back, in that process. `count_sent` compares SES's count of the account's mail with ours, after
    each time SES was asked for it. `loops` is how many resources of a kind of work are checked at a time. `budget` and `scan`
    are those of the reconciler's calls."""

    governor: Governor
    reconciler: Reconciler
    upkeep: Upkeep
    ses_lists: SesLists
    unlister: Unlister
    splitter: Splitter
    retirement: Retirement
    erasures: Erasures
    beside: Beside
    findings: Findings
    ses_findings: SesFindings
    claims: Claims
    dkim: DkimSigning
    judge: Judge
    checks: IdentityChecks
    learning: ProviderLearning
    releases: Releases
    warm_ups: WarmUps
    outside: OutsideSignals
    rollouts: Rollouts
    watch_pools: Callable[[], Awaitable[None]]
    settings: Settings
    want_everything: Callable[[Settings], Awaitable[None]]
    follow_plans: Callable[[], Awaitable[None]]
    recheck_all: Callable[[], Awaitable[None]]
    keep_policies: Callable[[], Awaitable[None]]
    watch_feedback: Callable[[], Awaitable[None]]
    count_sent: Callable[[], Awaitable[None]]
    purge_ungoverned: Callable[[], Awaitable[None]]
    reconciler_lock: Callable[[], AbstractAsyncContextManager[Callable[[], Awaitable[bool]] | None]]
    intervals: Intervals
    budget: CallBudget
    scan: Scan
    loops: int = 1
    observe_only: bool = False  #: SES is asked for nothing
    facts: ControlFacts = field(default_factory=ControlFacts)


async def run(services: Services, stop: asyncio.Event) -> None:
    """Returns soon after `stop` is set. Nothing is half recorded: the next start continues unfinished work."""
    intervals, upkeep = services.intervals, services.upkeep
    duties: list[tuple[str, float, Callable[[], Awaitable[object]]]] = [
        ("reconcile SES", intervals.reconcile, lambda: _lead(services, stop)),
        ("follow plans", intervals.clock, services.follow_plans),
        ("end what is retired", intervals.clock, services.retirement.advance),
        ("erase personal data", intervals.clock, lambda: services.erasures.run(stop)),
        ("ask SES for the account's rate", intervals.account, lambda: _poll_account(services)),
        ("ask SES for paused tenants", intervals.pauses, upkeep.follow_pauses),
        ("read SES's findings", intervals.advice, services.ses_findings.advance),
        ("end the stops of dead dispatchers", intervals.clock, services.governor.stops.end_of_gone_workers),
        ("end the stops that cover no lane", intervals.align, services.governor.stops.end_of_no_lane),
        ("remove suppressions", intervals.removals, services.ses_lists.remove),
        ("forget addresses at SES", intervals.removals, services.ses_lists.forget),
        ("read SES's suppression lists", intervals.removals, services.ses_lists.read),
        ("take open addresses off SES's lists", intervals.removals, services.unlister.advance),
        ("lift expired holds", intervals.clock, services.governor.lift_expired),
        ("learn mailbox providers", intervals.learn, services.learning.advance),
        ("move counts of unknown providers", intervals.counts_of_unknown, services.learning.settle_counts),
        ("forget domains", intervals.partitions, services.learning.purge),
        ("judge proofs", intervals.proofs, services.judge.advance),
        ("open the steps of releases", intervals.releases, services.releases.advance),
        ("warm domains up", intervals.warm_ups, services.warm_ups.advance),
        ("slow mail for what others say", intervals.outside, services.outside.advance),
        ("decide rollouts", intervals.rollouts, services.rollouts.advance),
        ("watch IP pools", intervals.warm_ups, services.watch_pools),
        ("purge proofs", intervals.purge, services.judge.purge),
        ("settle claims to domains", intervals.claims, services.claims.advance),
        ("give SES the DKIM keys that are published", intervals.claims, services.dkim.advance),
        ("purge findings", intervals.partitions, services.findings.purge),
        ("hold what findings ask for", intervals.clock, services.findings.align_holds),
        ("check domains", intervals.checks, lambda: services.checks.run_due(stop)),
        ("hold what lapses ask for", intervals.lapses, services.checks.align_holds),
        ("align lanes", intervals.align, services.governor.align_all),
        ("keep policies", intervals.align, services.keep_policies),
        ("count lanes", intervals.counts, upkeep.count_lanes),
        ("thin counts", intervals.partitions, upkeep.thin_counts),
        ("make partitions", intervals.partitions, upkeep.make_partitions),
        ("drop days past retention", intervals.partitions, upkeep.drop_expired_days),
        ("purge ungoverned senders", intervals.partitions, services.purge_ungoverned),
        ("purge old rows", intervals.partitions, lambda: upkeep.purge_old_rows(stop)),
        ("purge", intervals.purge, lambda: upkeep.purge(stop)),
    ]
    if services.observe_only:
        duties = [duty for duty in duties if duty[0] not in _ABOUT_SES]
    async with asyncio.TaskGroup() as group:
        for name, every, duty in duties:
            group.create_task(_repeat(name, every, duty, stop))
        group.create_task(_stop_calls(services, stop))
        if not services.observe_only:
            await _until_done("derive what SES should have", lambda: _want(services), stop)


async def _stop_calls(services: Services, stop: asyncio.Event) -> None:
    await stop.wait()
    services.budget.stop()


async def _want(services: Services) -> None:
    await services.want_everything(services.settings)
    await services.recheck_all()


async def _poll_account(services: Services) -> None:
    await services.upkeep.poll_account()
    services.facts.last_account = host_ms()
    await services.count_sent()


async def _lead(services: Services, stop: asyncio.Event) -> None:
    """Reconciles for as long as this process is the one that does; returns at once if it is not. Rows that are being checked are
    finished first."""
    async with services.reconciler_lock() as holds:
        if holds is None:
            return
        services.facts.calls = lambda: services.budget.document() | {"scan": services.scan.document()}
        over = asyncio.Event()
        due = {work: asyncio.Event() for work in WORK_OF_ROWS}
        failed: Exception | None = None
        async with asyncio.TaskGroup() as group:
            for work in WORK_OF_ROWS:
                busy: set[int] = set()  # tenants of which a row is checked: their other rows wait
                for _ in range(services.loops):
                    group.create_task(_work(services, work, busy, due[work], over))
                if work is Work.ONBOARDING:
                    group.create_task(_work(services, work, busy, due[work], over, newest=True))
            beside, intervals = services.beside, services.intervals
            group.create_task(_list(beside, intervals.lists, over))
            group.create_task(_repeat("follow management events", intervals.hints, beside.follow_hints, over))
            others = beside.follow_other_hints
            group.create_task(_repeat("follow management events of others", intervals.hints, others, over))
            group.create_task(_repeat("carry out plans", intervals.hints, beside.carry_out, over))
            split = "take the account's suppression list apart"
            advance = partial(services.splitter.advance, over)
            group.create_task(_repeat(split, intervals.removals, advance, over))
            watch = services.watch_feedback
            group.create_task(_repeat("watch whether events come back", intervals.feedback, watch, over))
            try:
                await _look(services, holds, due, stop)
            except Exception as error:  # raised below: here it would cancel the calls that are being made
                failed = error
            finally:
                services.facts.calls = None
                over.set()
                for each in due.values():
                    each.set()
        if failed is not None:
            raise failed


async def _list(beside: Beside, least: float, over: asyncio.Event) -> None:
    """Reads SES's lists again and again. A pause is three times as long as its round, so that the lists take a quarter of the
    scan's calls at most and leave the rest to what is read one by one."""
    wait = 0.5
    while not over.is_set():
        began = boot_time()
        if await _done("list what SES has", beside.round, wait):
            wait = 0.5
            await _sleep(max(least, 3 * (boot_time() - began)), over)
        else:
            await _sleep(wait, over)
            wait = min(wait * 2, _LONGEST_WAIT)


async def _look(
    services: Services,
    holds: Callable[[], Awaitable[bool]],
    due: Mapping[Work, asyncio.Event],
    stop: asyncio.Event,
) -> None:
    """Wakes the loops of the kinds of work that are due: one statement for all, since it is asked all the time."""
    asked = 0.0
    while not stop.is_set():
        if (now := boot_time()) - asked >= services.intervals.lock:
            asked = now
            if not await holds():
                return
        kinds = await services.reconciler.kinds_due()
        for work in kinds:
            due[work].set()
        if not kinds:
            services.facts.last_reconcile = host_ms()
        await _sleep(services.intervals.reconcile, stop)


async def _work(
    services: Services,
    work: Work,
    busy: set[int],
    due: asyncio.Event,
    over: asyncio.Event,
    *,
    newest: bool = False,
) -> None:
    async def duty() -> None:
        # `over` is looked at between rows, since each takes seconds on AWS.
        while not over.is_set() and await services.reconciler.check_next(work, busy, newest=newest):
            if work is Work.SCAN:
                services.scan.looked(calls=services.budget.turns.total[Work.SCAN])

    wait = 0.5
    while await due.wait() and not over.is_set():
        if await _done(f"reconcile SES ({work})", duty, wait):
            wait = 0.5
            if not over.is_set():
                due.clear()
        else:
            await _sleep(wait, over)
            wait = min(wait * 2, _LONGEST_WAIT)


async def _until_done(name: str, duty: Callable[[], Awaitable[object]], stop: asyncio.Event) -> None:
    wait = 0.5
    while not stop.is_set() and not await _done(name, duty, wait):
        await _sleep(wait, stop)
        wait = min(wait * 2, _LONGEST_WAIT)


async def _repeat(
    name: str, every: float, duty: Callable[[], Awaitable[object]], stop: asyncio.Event
) -> None:
    wait = min(every, 0.5)
    while not stop.is_set():
        if await _done(name, duty, wait):
            wait = min(every, 0.5)
            await _sleep(every, stop)
        else:
            await _sleep(wait, stop)
            wait = min(wait * 2, _LONGEST_WAIT)


async def _done(name: str, duty: Callable[[], Awaitable[object]], wait: float) -> bool:
    try:
        await duty()
    except Stopped:
        return True
    except Exception as error:
        # Whatever failed (the database is down, SES sent an odd response), the role goes on and retries.
        _LOG.warning("could not %s: %s; retrying in %.1f s", name, error or type(error).__name__, wait)
        _LOG.debug("traceback", exc_info=True)
        return False
    return True


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
