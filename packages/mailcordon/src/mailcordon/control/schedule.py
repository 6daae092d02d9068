"""The control role: runs each of its duties in a separate loop, at its own pace, until it is stopped.

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
from mailcordon.control.paces import Paces
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
from mailcordon.core.news import Loop, News, Topic, no_news
from mailcordon.core.pace import Pace

_LOG = logging.getLogger(__name__)
_LONGEST_WAIT = 30.0  #: seconds between two attempts of a duty that fails


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """`want_everything` derives again what SES should have, `follow_plans` does what applied plans leave to be done,
    `recheck_all` makes all resources due, `keep_policies` gives lanes their policies and limits, `count_senders`
    counts what advice about all tenants is made from, and `reconciler_lock` yields
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
    count_senders: Callable[[], Awaitable[None]]
    watch_feedback: Callable[[], Awaitable[None]]
    count_sent: Callable[[], Awaitable[None]]
    purge_ungoverned: Callable[[], Awaitable[None]]
    reconciler_lock: Callable[[], AbstractAsyncContextManager[Callable[[], Awaitable[bool]] | None]]
    paces: Paces
    budget: CallBudget
    scan: Scan
    loops: int = 1
    observe_only: bool = False  #: SES is asked for nothing
    news: News = field(default_factory=no_news)
    facts: ControlFacts = field(default_factory=ControlFacts)


async def run(services: Services, stop: asyncio.Event) -> None:
    """Returns soon after `stop` is set. Nothing is half recorded: the next start continues unfinished work."""
    paces, upkeep = services.paces, services.upkeep
    duties: list[tuple[str, Pace, Callable[[], Awaitable[object]]]] = [
        ("reconcile SES", paces.reconcile, lambda: _lead(services, stop)),
        ("follow plans", paces.plans, services.follow_plans),
        ("end what is retired", paces.clock, services.retirement.advance),
        ("erase personal data", paces.clock, lambda: services.erasures.run(stop)),
        ("ask SES for the account's rate", paces.account, lambda: _poll_account(services)),
        ("ask SES for paused tenants", paces.pauses, upkeep.follow_pauses),
        ("read SES's findings", paces.advice, services.ses_findings.advance),
        ("end the stops of dead dispatchers", paces.gone, services.governor.stops.end_of_gone_workers),
        ("end the stops that cover no lane", paces.align, services.governor.stops.end_of_no_lane),
        ("remove suppressions", paces.removals, services.ses_lists.remove),
        ("forget addresses at SES", paces.removals, services.ses_lists.forget),
        ("read SES's suppression lists", paces.removals, services.ses_lists.read),
        ("take open addresses off SES's lists", paces.removals, services.unlister.advance),
        ("lift expired holds", paces.clock, services.governor.lift_expired),
        ("learn mailbox providers", paces.learn, services.learning.advance),
        ("move counts of unknown providers", paces.counts_of_unknown, services.learning.settle_counts),
        ("forget domains", paces.partitions, services.learning.purge),
        ("judge proofs", paces.proofs, services.judge.advance),
        ("open the steps of releases", paces.releases, services.releases.advance),
        ("warm domains up", paces.warm_ups, services.warm_ups.advance),
        ("slow mail for what others say", paces.outside, services.outside.advance),
        ("decide rollouts", paces.rollouts, services.rollouts.advance),
        ("watch IP pools", paces.warm_ups, services.watch_pools),
        ("purge proofs", paces.purge, services.judge.purge),
        ("settle claims to domains", paces.claims, services.claims.advance),
        ("give SES the DKIM keys that are published", paces.claims, services.dkim.advance),
        ("purge findings", paces.partitions, services.findings.purge),
        ("hold what findings ask for", paces.clock, services.findings.align_holds),
        ("check domains", paces.checks, lambda: services.checks.run_due(stop)),
        ("hold what lapses ask for", paces.lapses, services.checks.align_holds),
        ("align lanes", paces.align, services.governor.align_all),
        ("keep policies", paces.align, services.keep_policies),
        ("count senders", paces.senders, services.count_senders),
        ("count lanes", paces.counts, upkeep.count_lanes),
        ("thin counts", paces.partitions, upkeep.thin_counts),
        ("make partitions", paces.partitions, upkeep.make_partitions),
        ("drop days past retention", paces.partitions, upkeep.drop_expired_days),
        ("purge ungoverned senders", paces.partitions, services.purge_ungoverned),
        ("purge old rows", paces.partitions, lambda: upkeep.purge_old_rows(stop)),
        ("purge", paces.purge, lambda: upkeep.purge(stop)),
    ]
    if services.observe_only:
        duties = [duty for duty in duties if duty[0] not in _ABOUT_SES]
    async with asyncio.TaskGroup() as group:
        for name, pace, duty in duties:
            group.create_task(_repeat(name, pace, duty, stop, services.news))
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
            beside, paces, news = services.beside, services.paces, services.news
            group.create_task(_list(beside, news.loop(paces.lists, Topic.CONTROL, Topic.HINTS), over))
            group.create_task(
                _repeat("follow management events", paces.hints, beside.follow_hints, over, news)
            )
            others = beside.follow_other_hints
            group.create_task(_repeat("follow management events of others", paces.hints, others, over, news))
            group.create_task(_repeat("carry out plans", paces.plans, beside.carry_out, over, news))
            split = "take the account's suppression list apart"
            advance = partial(services.splitter.advance, over)
            group.create_task(_repeat(split, paces.removals, advance, over, news))
            watch = services.watch_feedback
            group.create_task(_repeat("watch whether events come back", paces.feedback, watch, over, news))
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


async def _list(beside: Beside, rests: Loop, over: asyncio.Event) -> None:
    """Reads SES's lists again and again. A pause is three times as long as its round, so that the lists take a quarter of the
    scan's calls at most and leave the rest to what is read one by one."""
    wait = 0.5
    while not over.is_set():
        began = boot_time()
        rests.begins()
        if await _done("list what SES has", beside.round, wait):
            wait = 0.5
            await rests.rest(over, least=3 * (boot_time() - began))
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
    rests = services.news.loop(services.paces.reconcile, Topic.CONTROL, Topic.HINTS)
    while not stop.is_set():
        rests.begins()
        if (now := boot_time()) - asked >= services.paces.lock:
            asked = now
            if not await holds():
                return
        kinds = await services.reconciler.kinds_due()
        for work in kinds:
            due[work].set()
        if not kinds:
            services.facts.last_reconcile = host_ms()
        # The scan waits for no one, and goes on by itself while rows are due.
        await rests.rest(stop, worked=any(work is not Work.SCAN for work in kinds))


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
                if services.scan.is_quiet():
                    return  # the next one with the next look

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
    name: str, pace: Pace, duty: Callable[[], Awaitable[object]], stop: asyncio.Event, news: News
) -> None:
    """`duty`: returns True while something is under way, so that the next round is soon."""
    rests = news.loop(pace, Topic.CONTROL, Topic.HINTS)
    first = min(pace.quick, 0.5)
    wait = first
    while not stop.is_set():
        rests.begins()
        busy = False

        async def round_() -> None:
            nonlocal busy
            busy = await duty() is True

        if await _done(name, round_, wait):
            wait = first
            await rests.rest(stop, worked=busy)
        else:
            await _sleep(wait, stop)
            wait = min(wait * 2, _LONGEST_WAIT)
    rests.close()


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
