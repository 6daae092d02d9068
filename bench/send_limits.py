"""What limits cost: one system, whose tenants have limits in one phase and none in the next, round by round.

The limits are those that a platform with a policy has: a cap a day for each tenant, an hour for each class, a minute, an hour
and a day for each lane, the cap of a new sender, a warm-up for each From domain and some mailbox providers, and 5 mails an hour
to one address of an urgent lane. All are enforced and none is used up, so each mail counts in all that are about it, and leaves.
"""

import json
from typing import Any

import asyncpg

from bench import compare
from bench.system import System

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


def comparison(pairs: list[compare.Pair], limits: int, notes: list[str]) -> compare.Comparison:
    return compare.Comparison(
        pairs=pairs,
        headline="with its 2 events",
        here=f"with {limits} limits",
        there="without limits",
        notes=notes,
    )
