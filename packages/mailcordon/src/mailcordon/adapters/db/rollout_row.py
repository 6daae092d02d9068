"""Converts rows of rollouts, and what was decided, to values and back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from mailcordon.adapters.db.lane_policy_row import policy_of
from mailcordon.control.proofs import Last
from mailcordon.control.rollouts.facts import LaneFacts, Way
from mailcordon.control.rollouts.loop import Open
from mailcordon.core.priority import Class
from mailcordon.guard.rollouts.nouns import (
    Freeze,
    Gate,
    Item,
    Measure,
    Override,
    Side,
    Standing,
    State,
    Stratum,
)
from mailcordon.messages import rollouts as words

_COLUMNS = tuple(name for name in Side._fields if name not in ("first", "last", "timed", "late"))


def standing(row: asyncpg.Record) -> Standing:
    return Standing(
        state=State(row["state"]),
        share=row["share"],
        since=row["since"],
        first_mail=row["first_mail"],
        backs=row["backs"],
        lanes=max(1, len(row["lanes"])),
        pace=row["pace"],
        shares=tuple(row["shares"]),
    )


def open_rollout(
    row: asyncpg.Record, overrides: Sequence[asyncpg.Record], freezes: Sequence[asyncpg.Record]
) -> Open:
    return Open(
        id=row["id"],
        tenant=row["tenant"],
        slug=row["slug"],
        version=row["version"],
        standing=standing(row),
        lanes=tuple(row["lanes"]),
        types=tuple(row["types"]),
        reference={Measure(name): rate for name, rate in json.loads(row["reference"]).items()},
        overrides=tuple(
            Override(key=each["key"], share=each["share"], by=each["by"], because=each["because"])
            for each in overrides
        ),
        freezes=tuple(
            Freeze(since=each["since"], until=each["until"], because=each["because"]) for each in freezes
        ),
        broken={
            item["key"]: item["since"] for item in json.loads(row["checklist"]) if item["since"] is not None
        },
        looked_at=row["looked_at"],
        now=row["now"],
    )


def strata(rows: Sequence[asyncpg.Record]) -> tuple[Stratum, ...]:
    """Both paths of the same lane, provider and campaign and hour, side by side."""
    found: dict[tuple[int, int, str | None, int], Stratum] = {}
    for row in rows:
        key = (row["lane"], row["provider"], row["campaign"], row["hour"])
        side = Side(first=row["first"], last=row["last"], **{name: row[name] for name in _COLUMNS})
        there = found.get(key) or Stratum(*key[:3])
        found[key] = there._replace(new=side) if row["path"] == "isolated" else there._replace(old=side)
    return tuple(found.values())


def late_strata(rows: Sequence[asyncpg.Record]) -> tuple[Stratum, ...]:
    """Both paths of the same lane, provider and day, side by side."""
    found: dict[tuple[int, int, int], Stratum] = {}
    for row in rows:
        key = (row["lane"], row["provider"], row["day"])
        side = Side(first=row["first"], last=row["last"], timed=row["timed"], late=row["late"])
        there = found.get(key) or Stratum(*key[:2], None)
        found[key] = there._replace(new=side) if row["path"] == "isolated" else there._replace(old=side)
    return tuple(found.values())


def lane_facts(
    row: asyncpg.Record,
    daily: Mapping[int, float],
    warm_up: Mapping[int, tuple[int, str]],
    outside: str | None,
) -> LaneFacts:
    class_ = Class(row["class"])
    old = row["old_domain"]
    return LaneFacts(
        lane=row["lane"],
        type=row["type"],
        class_=class_,
        tenant=row["slug"],
        new=Way(
            domain=row["domain"],
            ses_tenant=row["ses_tenant"],
            configuration_set=row["configuration_set"],
            ip_pool=row["ip_pool"],
        ),
        old=None
        if old is None
        else Way(
            domain=old,
            ses_tenant=row["old_ses_tenant"],
            configuration_set=row["old_configuration_set"],
            ip_pool=row["old_ip_pool"],
        ),
        share=row["share"],
        identity_status=row["identity_status"],
        lapsed_at=row["lapsed_at"],
        checked_at=row["checked_at"],
        check_complete=bool(row["complete"]),
        check=_json(row["result"]),
        ses_status=row["ses_status"],
        mail_from_status=row["ses_mail_from_status"],
        outcome_enabled=row["outcome_enabled"],
        engagement_enabled=row["engagement_enabled"],
        destination_problem=row["destination_problem"],
        proof=None
        if row["proof"] is None
        else Last(
            id=row["proof"],
            ended_at=row["proof_at"],
            proved=row["proved"],
            because=row["proof_because"],
            parts=_json(row["proof_parts"]),
        ),
        parts=_json(row["parts"]),
        policy=policy_of(row["document"], class_),
        tenant_scope=row["tenant_scope"],
        stopped=row["stopped"],
        split_problem=_split_problem(row),
        alerted=row["alerted"],
        outside=outside,
        daily=daily,
        warm_up=warm_up,
    )


def _json(text: str | None) -> Mapping[str, Any] | None:
    return None if text is None else json.loads(text)


def _split_problem(row: asyncpg.Record) -> str | None:
    """What of the account's suppression list is not taken apart yet (docs/suppressions.md)."""
    if not row["split_begun"]:
        return words.split_never_begun()
    if row["split_unread"]:
        return words.split_unread(row["split_unread"])
    return words.split_moving(row["slug"], row["split_moving"]) if row["split_moving"] else None


def gates_document(gates: Sequence[Gate]) -> list[dict[str, Any]]:
    """For people and the audit: what was compared, and the numbers behind each sentence."""
    return [
        {
            "measure": gate.measure.value,
            "verdict": gate.verdict.value,
            "sentence": gate.sentence,
            "provider": gate.provider,
            "lane": gate.lane,
            "new": gate.seen.new,
            "new_of": round(gate.seen.new_of, 1),
            "old": gate.seen.old,
            "old_of": round(gate.seen.old_of, 1),
            "allowed": round(gate.margin.of(gate.seen.old_share), 6),
            "widened": gate.widened,
            "harm": _nats(gate.harm),
            "back_at": _nats(gate.back_at),
            "sound": _nats(gate.sound),
            "pass_at": None if gate.pass_at is None else _nats(gate.pass_at),
        }
        for gate in gates
    ]


def _nats(value: float) -> float:
    return round(max(-999.0, min(999.0, value)), 2)


def checklist_document(items: Sequence[Item]) -> list[dict[str, Any]]:
    return [
        {
            "key": item.key,
            "check": item.check.value,
            "of": item.of,
            "holds": item.holds,
            "said": item.said,
            "since": item.since,
            "command": item.command,
            "from_share": item.from_share,
        }
        for item in items
    ]
