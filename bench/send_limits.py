"""What limits, caps and the breaker cost: one system that has them in one phase and not in the next (bench.md).

The limits are those that a platform with a policy has: a cap a day for each tenant, an hour for each class, a minute, an hour
and a day for each lane, the cap of a new sender, a warm-up for each From domain and some mailbox providers, and 5 mails an hour
to one address of an urgent lane. All are enforced and none is used up, so each mail counts in all that are about it, and leaves.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg

from bench import system
from bench.system import System

_BREAKER_LOCK = (
    20558  #: first key of the advisory lock of the process that runs the breaker (breaker_store.py)
)
_CAP = 50_000_000
_OWNERS = ("policy", "new-sender", "warm-up", "default")
_WARMED = (-1, 0, 1, 2, 3, 4)  #: mailbox providers; the bench's domains are not known to belong to any

_LANES = """
select l.tenant, l.id, l.class, array(select distinct r.domain from route r where r.lane = l.id) as domains
  from lane l where l.retired_at is null order by l.tenant, l.id
"""


async def set_limits(under_test: System, *, on: bool) -> int:
    """Returns how many there are now."""
    connection = await asyncpg.connect(
        under_test.logins["control"], server_settings={"search_path": "mailcordon"}
    )
    try:
        wanted: dict[tuple[int, str], list[dict[str, Any]]] = {}
        for row in await connection.fetch(_LANES):
            for owner in _OWNERS:
                wanted.setdefault((row["tenant"], owner), [])
            if on:
                _add(wanted, row)
        for (tenant, owner), limits in wanted.items():
            unique = {json.dumps(one, sort_keys=True): one for one in limits}
            await connection.execute(
                "select replace_limits($1, $2, $3::jsonb)", tenant, owner, json.dumps(list(unique.values()))
            )
        return await connection.fetchval("select count(*) from send_limit")
    finally:
        await connection.close()


def _add(wanted: dict[tuple[int, str], list[dict[str, Any]]], lane: asyncpg.Record) -> None:
    tenant: int = lane["tenant"]
    own = {"lane": lane["id"]}
    of_class = {"class": lane["class"], "spares_urgent": False}
    policy = wanted[tenant, "policy"]
    policy += [_limit("tenant", "day"), _limit("class", "hour", **of_class)]
    policy += [_limit("lane", per, **own) for per in ("minute", "hour", "day")]
    wanted[tenant, "new-sender"].append(_limit("lane", "day", **own))
    for domain in lane["domains"]:
        wanted[tenant, "warm-up"] += [
            _limit("identity", "day", domain=domain, provider=provider) for provider in _WARMED
        ]
    if lane["class"] == 0:
        wanted[tenant, "default"].append(_limit("recipient", "hour", **own) | {"cap": 5})


def _limit(scope: str, per: str, **about: Any) -> dict[str, Any]:
    return {
        "scope": scope,
        "per": per,
        "cap": _CAP,
        "mode": "enforce",
        "spares_urgent": True,
        "refuses": False,
        "because": "For the bench.",
        **about,
    }


class Guard:
    """Switches limits and the breaker on and off. `breaker`: a session of the bench that can hold the breaker's lock."""

    def __init__(self, under_test: System, breaker: asyncpg.Connection) -> None:
        self._under_test = under_test
        self._breaker = breaker
        self._has_lock = False
        self.limits = 0  #: at most, while they were on

    async def turn(self, *, on: bool) -> None:
        self.limits = max(self.limits, await set_limits(self._under_test, on=on))
        if on and self._has_lock:
            await self._breaker.fetchval("select pg_advisory_unlock($1, 0)", _BREAKER_LOCK)
            self._has_lock = False
            now = await self._breaker.fetchval("select now_ms()")
            await system.until(
                self._last_round, lambda last: last is not None and last > now, "the breaker has to go on"
            )
            await self._under_test.name_backends()
        elif not on and not self._has_lock:
            waits = asyncio.ensure_future(
                self._breaker.fetchval("select pg_advisory_lock($1, 0)", _BREAKER_LOCK)
            )
            # Its loop tries to get the lock back each second, and we are asked first.
            await system.until(
                self._end_session, lambda _: waits.done(), "the breaker has to stop", pause=0.2
            )
            await waits
            self._has_lock = True

    async def _end_session(self) -> None:
        await self._under_test.session.fetch(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = $1 and objsubid = 2"
            " and granted and pid <> $2",
            _BREAKER_LOCK,
            self._breaker.get_server_pid(),
        )

    async def _last_round(self) -> int | None:
        return await self._under_test.session.fetchval(
            "select max((facts ->> 'last_breaker_round')::bigint) from role_health where role = 'control'"
        )


@contextlib.asynccontextmanager
async def guard(under_test: System) -> AsyncGenerator[Guard]:
    breaker = await asyncpg.connect(
        under_test.logins["control"], server_settings={"search_path": "mailcordon"}
    )
    under_test.tree.uncounted.add(breaker.get_server_pid())
    try:
        yield Guard(under_test, breaker)
    finally:
        await breaker.close()
