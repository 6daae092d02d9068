"""Rows that let the checklist of a rollout hold: for tests of what comes after it."""

import json
from typing import Any

CHECK = {
    "ses": {
        "status": "SUCCESS",
        "dkim_status": "SUCCESS",
        "signing_zone": None,
        "tokens": [],
        "mail_from": "bounce.acme.example",
        "mail_from_status": "SUCCESS",
        "observed_at": None,
    },
    "faults": [],
}


def check(type: str, *, result: str = "passes-both", **ses: object) -> str:
    """What a check of a domain found, as it is stored."""
    lane = {
        "type": type,
        "class": "marketing",
        "from_domain": "x.example",
        "result": result,
        "says": "It passes.",
    }
    return json.dumps({**CHECK, "ses": {**CHECK["ses"], **ses}, "lanes": [lane]})  # type: ignore[dict-item]


async def let_the_checklist_hold(connection: Any, lane: int, type: str = "newsletter") -> None:
    """Its domain was checked, its set has destinations, it was proved, and somebody is told of its incidents."""
    await connection.execute(
        "insert into identity_check (tenant, identity, at, asked, authoritative, complete, passes, result)"
        " select tenant, identity, now_ms(), 'now', true, true, true, $2::jsonb from route where lane = $1 and path = 'isolated'",
        lane,
        check(type),
    )
    await connection.execute(
        "insert into ses_resource (kind, name, phase, desired, observed, state)"
        " select 'event-destination', r.configuration_set || d, 2, '{}', '{\"enabled\": true}', 'applied'"
        " from route r, unnest(array['/outcome', '/engagement']) d where r.lane = $1 and r.path = 'isolated'"
        " on conflict do nothing",
        lane,
    )
    await connection.execute(
        "insert into ses_resource (kind, name, phase, tenant, desired, observed, state)"
        " select 'tenant', ses_tenant, 1, tenant, '{}', '{\"suppression_scope\": \"TENANT\"}', 'applied'"
        " from route where lane = $1 and path = 'isolated' on conflict do nothing",
        lane,
    )
    await connection.execute(
        "insert into proof (tenant, lane, asked_at, asked_by, limit_ms, ended_at, proved, counts, because, parts)"
        " select tenant, lane, now_ms(), 'test', 60000, now_ms(), true, true, 'proved',"
        " proof_parts(lane) from route where lane = $1 and path = 'isolated'",
        lane,
    )
    if not await connection.fetchval("select exists (select from alert_channel)"):
        await connection.execute(
            "insert into alert_channel (name, form, target, secret, least, made_at, made_by)"
            " values ('ops', 'slack', 'hooks.example', 'x', 'high', now_ms(), 'test')"
        )
    if not await connection.fetchval("select exists (select from split)"):
        await connection.execute(
            "insert into split (started_by, because, owner, releases, phase) values ('test', 'a test', 'ops', true, 'watching')"
        )
