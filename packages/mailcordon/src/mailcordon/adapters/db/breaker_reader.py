"""Implements `observe.breaker.view.BreakerReads` and `BreakerChanges`, and reads what the alarms say: as the control role; to a
tenant's key as the reader role, which sees its own lanes only."""

import json
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from mailcordon.adapters.db import (
    breaker_arming,
    connection_pool,
    lane_policy_row,
    queries,
    row_level_security,
)
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.viewer_reads import ViewerReads
from mailcordon.control import lookup, proofs
from mailcordon.core.errors import Conflict, NotFound
from mailcordon.core.incident import Alarm
from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard import arming
from mailcordon.guard.arming import Check, Name, Wish
from mailcordon.guard.breaker.lane_watch import DOMAIN_EVENTS
from mailcordon.guard.breaker.nouns import Dimension, Level, Slice, Standing
from mailcordon.messages import arming as arming_messages
from mailcordon.messages import breaker as messages
from mailcordon.messages import breaker_probes as probes
from mailcordon.observe.breaker import alarms, view
from mailcordon.observe.breaker.alarms import LostLane, OpenDecision
from mailcordon.observe.breaker.records import Kept, Sharer
from mailcordon.observe.breaker.view import DecisionView, LaneView, ProbeView
from mailcordon.observe.view import ReadScope

_SQL = queries.load("breaker_reader.sql")
_SHARED = queries.load("shared.sql")
_decode_standing = msgspec.json.Decoder(Standing).decode


class BreakerReader(ViewerReads):
    async def decisions(
        self,
        scope: ReadScope | None,
        *,
        id: int | None = None,
        type: str | None = None,
        incident: int | None = None,
        is_open: bool | None,
        before: int | None,
        limit: int,
    ) -> Sequence[DecisionView]:
        own = scope is not None and scope.as_tenant
        tenant = None if scope is None else scope.tenant
        async with row_level_security.read_transaction(
            self._control, self._reader, tenant if own else None, snapshot=False
        ) as conn:
            statement = _SQL.own_decisions if own else _SQL.decisions
            rows = await conn.fetch(statement, tenant, id, type, is_open, before, limit, incident)
        return [_decision(row) for row in rows]

    async def lanes(
        self, scope: ReadScope | None, *, type: str | None, after: int, limit: int
    ) -> Sequence[LaneView]:
        own = scope is not None and scope.as_tenant
        tenant = None if scope is None else scope.tenant
        async with row_level_security.read_transaction(
            self._control, self._reader, tenant if own else None, snapshot=False
        ) as conn:
            asked = (tenant, type, after, limit)
            rows = (
                await conn.fetch(_SQL.own_lanes, *asked)
                if own
                else await conn.fetch(_SQL.lanes, *asked, DOMAIN_EVENTS)
            )
        return [_lane(row) for row in rows]

    async def probe(self, decision: DecisionView) -> ProbeView:
        async with connection_pool.acquire(self._control) as conn:
            return view.probe(decision, await _standing(conn, decision.id))


async def _standing(conn: PooledConnection, decision: int) -> Standing | None:
    found = await conn.fetchval(_SQL.standing, decision)
    return None if found is None else _decode_standing(found)


class BreakerEditor:
    def __init__(self, control: Pool, *, proof_days: int = proofs.DAYS) -> None:
        self._control = control
        self._proof_days = proof_days

    async def accept(self, id: int, *, actor: str, because: str) -> None:
        async with connection_pool.transaction(self._control) as conn:
            row = await conn.fetchrow(_SQL.lock_decision, id)
            if row is None:
                raise NotFound(messages.no_decision(id=id), code="no-such-decision")
            if row["ended_at"] is not None:
                raise Conflict(messages.is_over(id=id, because=row["ended_because"]), code="decision-over")
            if row["accepted_at"] is not None:
                return
            await conn.execute(_SQL.accept, id, actor, because)
            what = f"decision {id} about {row['type']} of {row['slug']}"
            await conn.execute(
                _SHARED.write_audit, actor, "breaker.accept", row["tenant"], what, None, None, because
            )

    async def try_now(self, id: int, *, actor: str, because: str) -> None:
        async with connection_pool.transaction(self._control) as conn:
            row = await conn.fetchrow(_SQL.lock_decision, id)
            if row is None:
                raise NotFound(messages.no_decision(id=id), code="no-such-decision")
            (found,) = await conn.fetch(_SQL.decisions, None, id, None, None, None, 1, None)
            probe = view.probe(_decision(found), await _standing(conn, id))
            if not probe.possible:
                raise Conflict(probes.cannot_be_tried(probe.sentence), code="cannot-be-tried")
            await conn.execute(_SQL.try_now, id, actor, because)
            what = f"decision {id} about {row['type']} of {row['slug']}"
            await conn.execute(
                _SHARED.write_audit, actor, "breaker.probe", row["tenant"], what, None, None, because
            )

    async def wish(self, tenant: int, slug: str, type: str, wish: Wish, *, actor: str, because: str) -> None:
        async with connection_pool.transaction(self._control) as conn:
            row = await conn.fetchrow(_SQL.lock_lane, tenant, type)
            if row is None:
                raise lookup.no_lane(slug, type)
            if wish is Wish.ARMED:
                now = await conn.fetchval(_SHARED.now)
                (found,) = await breaker_arming.judged(conn, [row["id"]], now, proof_days=self._proof_days)
                if failed := arming.judge(found.facts).failed:
                    lane = f"{slug}/{type}"
                    raise Conflict(
                        arming_messages.not_armed(lane=lane, checks=failed), code="cannot-be-armed"
                    )
            if row["wish"] == wish:
                return
            await conn.execute(_SQL.wish, row["id"], tenant, str(wish), actor, because)
            await conn.execute(
                _SHARED.write_audit,
                actor,
                f"breaker.{'arm' if wish is Wish.ARMED else 'disarm'}",
                tenant,
                f"{type} of {slug}",
                json.dumps({"wish": row["wish"]}),
                json.dumps({"wish": str(wish)}),
                because,
            )


class BreakerAlarms:
    """`read` is a source of alarms (observe/incidents/sources.py)."""

    def __init__(self, control: Pool) -> None:
        self._control = control

    async def read(self) -> Sequence[Alarm]:
        async with connection_pool.acquire(self._control) as conn:
            decisions = await conn.fetch(_SQL.alarms)
            lost = await conn.fetch(_SQL.lost)
        return alarms.alarms([_open(row) for row in decisions], [_lost(row) for row in lost])


def _decision(row: asyncpg.Record) -> DecisionView:
    fields: dict[str, Any] = dict(row)
    fields["level"], fields["mode"] = Level(fields["level"]), Mode(fields["mode"])
    if "document" in fields:
        fields["document"] = json.loads(fields["document"])
        fields["sharers"] = _sharers(row)
    return DecisionView(**fields)


def _lane(row: asyncpg.Record) -> LaneView:
    return LaneView(
        lane=row["lane"],
        tenant=row["tenant"],
        type=row["type"],
        policy=lane_policy_row.policy_of(row["document"], Class(row["class"])).breaker.mode,
        absolute=Mode(row["absolute"] or "shadow"),
        relative=Mode(row["relative"] or "shadow"),
        proposed=row["proposed"],
        lost_since=row["lost_since"],
        judged_at=row["judged_at"],
        wish=None if row["wish"] is None else Wish(row["wish"]),
        wish_at=row["wish_at"],
        wish_by=row["wish_by"],
        wish_because=row["wish_because"],
        checks=_checks(row),
        open=row["open"],
        one_cause=row.get("one_cause", 0),
    )


def _checks(row: asyncpg.Record) -> tuple[Check, ...]:
    return tuple(
        Check(name=Name(one["name"]), ok=one["ok"], says=one["says"]) for one in json.loads(row["checks"])
    )


def _sharers(row: asyncpg.Record) -> tuple[Sharer, ...]:
    return tuple(Sharer(**one) for one in json.loads(row["sharers"]))


def _open(row: asyncpg.Record) -> OpenDecision:
    return OpenDecision(
        kept=Kept(
            id=row["id"],
            tenant=row["tenant"],
            lane=row["lane"],
            part=row["part"],
            signal=row["signal"],
            half=row["half"],
            level=Level(row["level"]),
            mode=Mode(row["mode"]),
            at=row["at"],
            since=row["since"],
            seen=row["seen"],
            done=row["done"],
            document=json.loads(row["document"]),
            sharers=_sharers(row),
            hold=row["hold"],
        ),
        slug=row["slug"],
        type=row["type"],
        held_since=row["held_since"],
        held_by=row["held_by"],
        stops=bool(row["stops"]),
        held=tuple(_held(*part) for part in json.loads(row["held_parts"])),
    )


def _held(provider: int | None, campaign: str | None, list: str | None) -> frozenset[Slice]:
    named = {
        Dimension.PROVIDER: None if provider is None else Provider(provider).word,
        Dimension.CAMPAIGN: campaign,
        Dimension.LIST: list,
    }
    return frozenset(Slice(dimension, value) for dimension, value in named.items() if value is not None)


def _lost(row: asyncpg.Record) -> LostLane:
    return LostLane(
        lane=row["lane"],
        tenant=row["tenant"],
        slug=row["slug"],
        type=row["type"],
        since=row["lost_since"],
        checks=_checks(row),
    )
