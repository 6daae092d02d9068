"""Events, outcomes and what is known of a delivery, as columns for statements and from rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from mailcordon.adapters.db import arrays
from mailcordon.core.delivery import State
from mailcordon.observe.ports import EventRow, Facts, Outcome
from mailcordon.observe.webhooks.nouns import Subscription, Subscriptions

_json = msgspec.json.Encoder()


def event_columns(rows: Sequence[EventRow]) -> list[str]:
    return [
        arrays.integers([row.delivery for row in rows]),
        arrays.digests([row.key for row in rows]),
        arrays.integers([row.tenant for row in rows]),
        arrays.integers([row.lane for row in rows]),
        arrays.integers([row.kind for row in rows]),
        arrays.integers([row.attempt for row in rows]),
        arrays.integers([row.at for row in rows]),
        arrays.texts([row.ses_id for row in rows]),
        arrays.texts([clean(row.detail) for row in rows]),
    ]


def outcome_columns(rows: Sequence[Outcome]) -> list[str]:
    return [
        arrays.integers([row.id for row in rows]),
        arrays.integers([row.tenant for row in rows]),
        arrays.integers([row.lane for row in rows]),
        arrays.integers([row.provider for row in rows]),
        arrays.integers([row.left_at for row in rows]),
        arrays.integers([row.state for row in rows]),
        arrays.integers([row.at for row in rows]),
        arrays.integers([row.kinds for row in rows]),
        arrays.integers([row.attempt for row in rows]),
        arrays.texts([row.ses_id for row in rows]),
        arrays.texts([row.reason for row in rows]),
        arrays.texts([row.detail for row in rows]),
        arrays.integers([row.reasons for row in rows]),
        arrays.mixed([row.send_at for row in rows]),
    ]


def some(rows: Sequence[tuple[Any, ...]], width: int) -> Sequence[str | None]:
    """As `columns`; nulls for no rows."""
    return columns(rows, width) if rows else [None] * width


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[str]:
    """One array per column, as `unnest` takes them."""
    return [arrays.mixed(column) for column in zip(*rows, strict=True)] if rows else ["{}"] * width


def trimmed(counts: Sequence[int]) -> Sequence[int]:
    """Without the zeros at its end: most changes are of the first columns."""
    last = len(counts)
    while last > 1 and not counts[last - 1]:
        last -= 1
    return counts[:last]


def json_text(texts: Sequence[str]) -> str:
    return _json.encode(texts).decode()


def clean(detail: Mapping[str, object]) -> str:
    """JSON without NUL characters, which PostgreSQL cannot store."""
    text = _json.encode(detail).decode()
    return text.replace("\\u0000", "") if "\\u0000" in text else text


def subscriptions(rows: Iterable[asyncpg.Record]) -> Subscriptions:
    found: dict[int | None, list[Subscription]] = {}
    for row in rows:
        one = Subscription(row["id"], frozenset(row["events"]), row["form"] == "ses-sns")
        found.setdefault(row["tenant"], []).append(one)
    return found


def by_delivery(rows: Iterable[asyncpg.Record]) -> dict[int, Facts]:
    return {row["delivery"]: _facts(row) for row in rows}


def _facts(row: asyncpg.Record) -> Facts:
    version: str | None = row["version"]
    ses_ids: dict[int, str] = dict(zip(row["attempts"] or (), row["ses_ids"] or (), strict=True))
    if row["ledger_ses_id"] is not None:
        ses_ids[row["ledger_attempt"]] = row["ledger_ses_id"]
    return Facts(
        tenant=row["tenant"],
        lane=row["lane"],
        recipient=row["recipient"],
        provider=row["provider"],
        newest_attempt=row["newest_attempt"],
        ses_ids=ses_ids,
        path=row["path"] or "",
        campaign=row["campaign"],
        list=row["list"],
        ledger_state=row["ledger_state"],
        called_at=row["called_at"],
        is_answered=row["ledger_state"] == State.SENT
        and row["ledger_attempt"] == 1
        and row["ledger_ses_id"] is not None,
        before=None if version is None else outcome(row, row["delivery"], row["own_provider"]),
        version=version,
    )


def outcome(row: asyncpg.Record, id: int, provider: int) -> Outcome:
    return Outcome(
        id=id,
        tenant=row["tenant"],
        lane=row["lane"],
        provider=provider,
        left_at=row["left_at"],
        state=State(row["state"]),
        at=row["at"],
        kinds=row["kinds"],
        reasons=row["reasons"],
        attempt=row["attempt"],
        ses_id=row["ses_id"],
        reason=row["reason"],
        detail=row["detail"],
        send_at=row["send_at"],
    )
