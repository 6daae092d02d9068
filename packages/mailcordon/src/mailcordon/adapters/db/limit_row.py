"""Converts rows of the table `send_limit` to a Limit, and back to what `replace_limits` takes."""

import json
from collections.abc import Sequence

import asyncpg

from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider


def limit_from_row(row: asyncpg.Record) -> Limit:
    return Limit(
        id=row["id"],
        tenant=row["tenant"],
        owner=row["owner"],
        scope=LimitScope(row["scope"]),
        per=Per(row["per"]),
        cap=row["cap"],
        mode=Mode(row["mode"]),
        because=row["because"],
        class_=None if row["class"] is None else Class(row["class"]),
        lane=row["lane"],
        api_key=row["api_key"],
        campaign=row["campaign"],
        list=row["list"],
        provider=None if row["provider"] is None else Provider(row["provider"]),
        domain=row["domain"],
        spares_urgent=row["spares_urgent"],
        refuses=row["refuses"],
    )


def as_json(limits: Sequence[Limit]) -> str:
    return json.dumps(
        [
            {
                "scope": limit.scope,
                "class": limit.class_,
                "lane": limit.lane,
                "api_key": limit.api_key,
                "campaign": limit.campaign,
                "list": limit.list,
                "provider": limit.provider,
                "domain": limit.domain,
                "per": limit.per,
                "cap": limit.cap,
                "mode": limit.mode,
                "spares_urgent": limit.spares_urgent,
                "refuses": limit.refuses,
                "because": limit.because,
            }
            for limit in limits
        ]
    )
