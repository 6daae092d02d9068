"""Admin calls on the clock: its time, and moving it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from seslocal.admin import fields, messages
from seslocal.admin.fields import Json, Query, Refused
from seslocal.admin.late import Late
from seslocal.clock import ClockIsMoving, Move, iso
from seslocal.state.account import Account

_LONGEST_WAIT: Final = 60  # seconds


def show(account: Account, query: Query, body: Json) -> Json | Late:
    """With `wait` it returns when the move that is under way is over, or after so many seconds."""
    seconds = fields.whole_number(query, "wait", 0, 0, _LONGEST_WAIT)
    move = account.clock.moving
    if not seconds or move is None:
        return _shown(account)

    async def wait() -> Json:
        try:
            async with asyncio.timeout(seconds):
                await move.wait()
        except TimeoutError:
            pass
        return _shown(account)

    return Late(wait, lambda: _shown(account))


def put(account: Account, query: Query, body: Json) -> Json | Late:
    fields.allow_only(body, "at", "advance", "speed", "frozen", "wait")
    clock = account.clock
    at, speed, waits = fields.moment(body, "at"), body.get("speed"), fields.boolean(body, "wait", True)
    if "advance" in body:
        if at is not None:
            raise Refused(400, messages.at_and_advance())
        at = clock.now() + fields.number(body, "advance", 0.0, 0.0, 1e9)
        if at > fields.LATEST:
            raise Refused(400, messages.advance_too_far())
    if speed is not None:
        speed = fields.number(body, "speed", 1.0, 0.0, 1e7)
    if "frozen" in body:
        frozen = fields.boolean(body, "frozen", False)
        if speed is not None and frozen != (speed == 0):
            raise Refused(400, messages.frozen_and_speed())
        if speed is None:
            speed = 0.0 if frozen else (clock.speed or 1.0)
    try:
        if at is None:
            clock.set(speed=speed)
            return _shown(account)
        move = clock.move(at, speed)
    except ClockIsMoving:
        to = clock.moving.to if clock.moving else clock.now()
        raise Refused(409, messages.clock_is_moving(iso(to))) from None
    return _moved(account, move) if waits else _shown(account)


def _moved(account: Account, move: Move) -> Json | Late:
    if not move.under_way:
        return _shown(account)

    async def wait() -> Json:
        return arrived(await move.wait())

    def at_once() -> Json:
        account.clock.finish()
        return arrived(move.arrived)

    def arrived(is_there: bool) -> Json:
        if not is_there:
            raise Refused(409, messages.clock_was_stopped(iso(move.to)))
        return _shown(account)

    return Late(wait, at_once)


def _shown(account: Account) -> Json:
    clock = account.clock
    now = clock.now()
    shown: Json = {
        "now": now,
        "time": iso(now),
        "speed": clock.speed,
        "frozen": clock.frozen,
        "due": clock.pending,
    }
    if clock.moving is not None:
        shown["moving"] = {"from": clock.moving.start, "to": clock.moving.to, "ran": clock.moving.ran}
    return shown


ROUTES: Final[tuple[tuple[str, str, Callable[..., Any]], ...]] = (
    ("GET", r"/clock", show),
    ("PUT", r"/clock", put),
)
