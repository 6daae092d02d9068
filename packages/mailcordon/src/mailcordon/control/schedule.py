"""The control role: each of its duties in a loop of its own, at its own pace, until it is told to stop.

A duty that fails says so and comes back after a while; none keeps another from its work.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from mailcordon.control.desired import Settings
from mailcordon.control.governor import Governor
from mailcordon.control.reconcile import Reconciler
from mailcordon.control.upkeep import Upkeep

_LOG = logging.getLogger(__name__)
_LONGEST_WAIT = 30.0  #: seconds between two tries of a duty that fails


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Seconds between two rounds of a duty."""

    reconcile: float = 1.0
    account: float = 60.0  #: each costs one call of SES's management rate
    pauses: float = 60.0
    removals: float = 2.0
    clock: float = 1.0
    align: float = 60.0
    purge: float = 30.0
    partitions: float = 3_600.0


LOCAL = Intervals(reconcile=0.2, account=3.0, pauses=3.0, removals=0.5, align=10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the role works with. `want_everything` derives all wishes anew; `sole` says whether we are the one to reconcile."""

    governor: Governor
    reconciler: Reconciler
    upkeep: Upkeep
    settings: Settings
    want_everything: Callable[[Settings], Awaitable[None]]
    sole: Callable[[], AbstractAsyncContextManager[bool]]
    intervals: Intervals


async def run(services: Services, stop: asyncio.Event) -> None:
    """Returns soon after `stop` is set, with nothing half recorded: what was begun is taken up by the next start."""
    intervals, upkeep = services.intervals, services.upkeep
    duties: list[tuple[str, float, Callable[[], Awaitable[object]]]] = [
        ("make SES agree", intervals.reconcile, lambda: _reconcile(services, stop)),
        ("ask SES for the account's rate", intervals.account, upkeep.poll_account),
        ("ask SES for paused tenants", intervals.pauses, upkeep.follow_pauses),
        ("look again at what SES refuses", intervals.clock, upkeep.recheck_refused),
        ("remove suppressions", intervals.removals, upkeep.remove_suppressions),
        ("end holds whose time is over", intervals.clock, services.governor.lift_expired),
        ("align lanes", intervals.align, services.governor.align_all),
        ("make partitions", intervals.partitions, upkeep.make_partitions),
        ("purge", intervals.purge, upkeep.purge),
    ]
    async with asyncio.TaskGroup() as group:
        first = group.create_task(_until_done("derive what SES should have", lambda: _want(services), stop))
        for name, every, duty in duties:
            group.create_task(_repeat(name, every, duty, stop))
        await first


async def _want(services: Services) -> None:
    await services.want_everything(services.settings)


async def _reconcile(services: Services, stop: asyncio.Event) -> None:
    """Until nothing is due. Between rows `stop` is looked at, since on AWS each takes seconds."""
    async with services.sole() as sole:
        while sole and not stop.is_set() and await services.reconciler.step(limit=1):
            pass


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
    except Exception as error:
        # Whatever it is (the database is away, SES answers oddly), the role lives on and comes back to it.
        _LOG.warning("could not %s: %s; trying again in %.1f s", name, error or type(error).__name__, wait)
        _LOG.debug("the failure in full", exc_info=True)
        return False
    return True


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
