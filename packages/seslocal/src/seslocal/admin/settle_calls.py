"""The admin call that is a barrier: when it returns, everything that is due has happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from seslocal.admin import fields, messages
from seslocal.admin.fields import Json, Query, Refused
from seslocal.admin.late import Late
from seslocal.clock import iso
from seslocal.state.account import Account

_PATIENCE: Final = 10.0  # seconds, unless the call says otherwise
_LONGEST: Final = 60.0
_ROUNDING: Final = 1e-6  # seconds: due times are sums of floats


def settle(account: Account, query: Query, body: Json) -> Json | Late:
    """Lets the mail that was accepted run its course, as far as nothing but the event delay lies between: its events are
    published and in their queues, its bounces are on the suppression lists, and each HTTP delivery was tried. What happens
    later (a deferral, a retry, a world's reader) is not waited for."""
    fields.allow_only(body, "seconds")
    patience = fields.number(body, "seconds", _PATIENCE, 0.0, _LONGEST)

    async def wait() -> Json:
        try:
            async with asyncio.timeout(patience):
                await _settle(account)
        except TimeoutError:
            clock, outbox = account.clock, account.events.outbox
            sooner = 1 if clock.next_due <= _reach(account) else 0
            raise Refused(409, messages.not_settled(patience, sooner, outbox.endpoints())) from None
        return _shown(account)

    def at_once() -> Json:
        account.clock.finish()
        account.clock.settle()
        return _shown(account)

    return Late(wait, at_once)


async def _settle(account: Account) -> None:
    clock, outbox = account.clock, account.events.outbox
    while True:
        if clock.moving is not None:
            await clock.moving.wait()
        elif clock.next_due <= _reach(account):
            await _let_pass(account)
        elif outbox.under_way:
            await outbox.tried()
        else:
            return


def _reach(account: Account) -> float:
    return account.clock.now() + account.settings.event_delay + _ROUNDING


async def _let_pass(account: Account) -> None:
    """A frozen clock is moved to what is due next; a running one is waited for."""
    clock = account.clock
    due = max(clock.next_due, clock.now())
    if clock.frozen:
        await clock.move(due).wait()
        await asyncio.sleep(0)  # so that patience can run out
    else:
        await asyncio.sleep(max(0.0, due - clock.now()) / clock.speed)


def _shown(account: Account) -> Json:
    clock, outbox = account.clock, account.events.outbox
    now = clock.now()
    return {
        "now": now,
        "time": iso(now),
        "due": clock.pending,
        "outbox": {"sent": outbox.sent, "dropped": outbox.dropped, "waiting": outbox.waiting},
    }


ROUTES: Final[tuple[tuple[str, str, Callable[..., Any]], ...]] = (("POST", r"/settle", settle),)
