"""What limits, caps and the breaker cost: one system that has them in one phase and not in the next (bench.md).

The limits are those that a platform with a policy has: a cap a day for each tenant, an hour for each class, a minute, an hour
and a day for each lane, the cap of a new sender, a warm-up for each From domain and some mailbox providers, and 5 mails an hour
to one address of an urgent lane. All are enforced and none is used up, so each mail counts in all that are about it, and leaves.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import asyncpg

from bench import system
from bench.system import System

_BREAKER_LOCK = (
    20558  #: first key of the advisory lock of the process that runs the breaker (breaker_store.py)
)
_ATTEMPTS = 10  #: to hand the lock to our process: control's loop may be faster
_PATIENCE = 5.0  #: seconds that our process may take to get it
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
    """Switches limits and the breaker on and off. `lock`: a session of the bench; it has the breaker's lock while it is off."""

    def __init__(self, under_test: System, lock: asyncpg.Connection) -> None:
        self._under_test = under_test
        self._lock = lock
        self._process: asyncio.subprocess.Process | None = None
        self.limits = 0  #: at most, while they were on

    async def turn(self, *, on: bool) -> None:
        self.limits = max(self.limits, await set_limits(self._under_test, on=on))
        await (self._begin() if on else self.end())

    async def end(self) -> None:
        """The breaker rests afterwards, in every process."""
        waits = self._wait()
        if self._process is not None:
            self._under_test.tree.remove(self._process.pid)
            await self.kill()
        await self._take_lock(waits)

    async def _take_lock(self, waits: asyncio.Future[object] | None = None) -> None:
        """Control's loop tries to get it each second, and we are asked first."""
        asked = waits or self._wait()
        await system.until(self._end_others, lambda _: asked.done(), "the breaker has to stop", pause=0.2)
        await asked

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            await process.wait()

    async def _begin(self) -> None:
        """It begins with what was counted, which is not measured."""
        if self._process is not None:
            return
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.breaker_process", str(self._under_test.home),
            stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent,
        )  # fmt: skip
        assert process.stdout is not None
        if await process.stdout.readline() != b"ready\n":
            raise system.Failed("the breaker's process did not start")
        leads = asyncio.ensure_future(process.stdout.readline())
        for _ in range(_ATTEMPTS):
            await self._lock.fetchval("select pg_advisory_unlock_all()")
            await asyncio.wait([leads], timeout=_PATIENCE)
            if leads.done():
                break
            await self._take_lock()
        if not leads.done() or leads.result() != b"leads\n":
            raise system.Failed("the breaker's process did not get its lock")
        self._under_test.tree.add("breaker", process.pid)
        await self._under_test.name_backends()

    def _wait(self) -> asyncio.Future[object]:
        return asyncio.ensure_future(self._lock.fetchval("select pg_advisory_lock($1, 0)", _BREAKER_LOCK))

    async def _end_others(self) -> None:
        await self._under_test.session.fetch(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = $1 and objsubid = 2"
            " and granted and pid <> $2",
            _BREAKER_LOCK,
            self._lock.get_server_pid(),
        )


@contextlib.asynccontextmanager
async def guard(under_test: System) -> AsyncGenerator[Guard]:
    """The breaker that control would run rests until the end."""
    lock = await asyncpg.connect(under_test.logins["control"])
    under_test.tree.uncounted.add(lock.get_server_pid())
    made = Guard(under_test, lock)
    try:
        await made.end()
        yield made
    finally:
        await made.kill()
        await lock.close()
