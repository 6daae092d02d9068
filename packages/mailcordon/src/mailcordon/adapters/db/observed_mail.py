"""Rows of mail that did not pass through us (observe/observed_mail.py). The functions take a connection in a transaction."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import asyncpg

from mailcordon.adapters.db import arrays, engine, queries
from mailcordon.adapters.db.route_row import lane_from_row
from mailcordon.core.lane import Lane
from mailcordon.core.observing import By, Rule
from mailcordon.core.provider import Provider
from mailcordon.observe import observing
from mailcordon.observe.observing import ObservedMail, Origin, Placed, Rules, Unmapped

_SQL = queries.load("observed_mail.sql")


@dataclass(slots=True)
class Cache:
    """What is known as of one control epoch."""

    rules: Rules | None = None
    lanes: dict[int, Lane] = field(default_factory=dict[int, Lane])


async def rules(connection: engine.Connection, cache: Cache) -> Rules:
    if cache.rules is None:
        types = {row["name"]: row["id"] for row in await connection.fetch(_SQL.types)}
        rows = await connection.fetch(_SQL.rules)
        cache.rules = observing.rules(map(rule_from_row, rows), types)
    return cache.rules


def rule_from_row(row: asyncpg.Record) -> Rule:
    return Rule(
        id=row["id"],
        by=By(row["by"]),
        name=row["name"],
        value=row["value"],
        tenant=row["tenant"],
        tenant_slug=row["tenant_slug"],
        tenant_key=row["tenant_key"],
        type=row["type"],
        type_tag=row["type_tag"],
    )


async def place(
    connection: engine.Connection, cache: Cache, mails: Sequence[ObservedMail]
) -> dict[int, Placed]:
    rows = await connection.fetch(
        _SQL.place,
        arrays.integers([mail.tenant for mail in mails]),
        arrays.integers([mail.type for mail in mails]),
        arrays.integers([mail.at for mail in mails]),
        arrays.integers([mail.slot for mail in mails]),
        arrays.texts([mail.ses_id for mail in mails]),
        arrays.texts([mail.address for mail in mails]),
        arrays.mixed([mail.hash for mail in mails]),
        arrays.integers([mail.provider for mail in mails]),
        arrays.texts([mail.sender for mail in mails]),
        arrays.mixed(["t" if mail.makes else "f" for mail in mails]),
    )
    await _learn_lanes(connection, cache, {row["lane"] for row in rows})
    wanted: set[tuple[str, int]] = set()
    for row in rows:
        place: int = row["n"] - 1
        if row["made"] and row["provider"] == Provider.UNKNOWN:
            mail = mails[place]
            wanted.add((mail.address.rpartition("@")[2].lower(), mail.tenant))
    if wanted:
        domains, tenants = zip(*sorted(wanted), strict=True)
        await connection.execute(_SQL.want_domains, domains, tenants)
    return {
        row["n"] - 1: Placed(
            delivery=row["delivery"],
            lane=cache.lanes[row["lane"]],
            provider=row["provider"],
            recipient=row["recipient"],
        )
        for row in rows
    }


async def lanes(
    connection: engine.Connection, cache: Cache, of: Set[tuple[int, int]]
) -> dict[tuple[int, int], Lane]:
    tenants, types = zip(*sorted(of), strict=True)
    rows = await connection.fetch(_SQL.observed_lanes, tenants, types)
    await _learn_lanes(connection, cache, {row["lane"] for row in rows})
    return {(row["tenant"], row["type"]): cache.lanes[row["lane"]] for row in rows}


async def _learn_lanes(connection: engine.Connection, cache: Cache, named: Set[int]) -> None:
    unknown = named - cache.lanes.keys()
    if unknown:
        for lane in await connection.fetch(_SQL.lanes, sorted(unknown)):
            cache.lanes[lane["lane"]] = lane_from_row(lane)


async def count_unmapped(connection: engine.Connection, counts: Mapping[Origin, Unmapped]) -> None:
    rows = sorted(
        (
            (one.identity, one.from_domain, one.configuration_set, of.events, of.mails, of.why, list(of.tags))
            for one, of in _by_key(counts).items()
        ),
        key=lambda row: row[:3],
    )
    for row in rows:
        await connection.execute(_SQL.count_unmapped, *row, observing.MOST_UNMAPPED)


def _by_key(counts: Mapping[Origin, Unmapped]) -> dict[Origin, Unmapped]:
    """Without the sender's local part."""
    found: dict[Origin, Unmapped] = {}
    for one, of in counts.items():
        key = Origin(one.identity[:320], "", one.from_domain[:253], one.configuration_set[:64])
        known = found.setdefault(key, Unmapped())
        known.events, known.mails = known.events + of.events, known.mails + of.mails
        known.why, known.tags = of.why, of.tags
    return found
