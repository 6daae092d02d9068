"""Rows of webhooks as nouns: an endpoint, and what a message of its outbox says."""

import json
from typing import Any

import asyncpg

from mailcordon.core import address as addresses
from mailcordon.core import ids
from mailcordon.core.suppression import SCOPES
from mailcordon.observe.webhooks.nouns import Endpoint, Mail, Message

#: What of SES's report a program gets, beside the reason and the text.
_REPORTED_FACTS = ("status", "link", "user_agent", "ip")


def endpoint_of(row: asyncpg.Record) -> Endpoint:
    return Endpoint(
        id=row["id"],
        name=row["name"],
        tenant=row["tenant"],
        slug=row["slug"],
        form=row["form"],
        target=row["target"],
        events=tuple(row["events"]),
        made_at=row["made_at"],
        made_by=row["made_by"],
        next_at=row["next_at"],
        failed_rounds=row.get("failed_rounds") or 0,
        failing_since=row["failing_since"],
        problem=row["problem"],
        paused_at=row["paused_at"],
        paused_by=row["paused_by"],
        paused_because=row["paused_because"],
    )


def message_of(row: asyncpg.Record, endpoint: Endpoint) -> Message | None:
    """None if there is nothing to tell of any more: its rows are past retention, or the suppression was removed."""
    event: str = row["event"]
    mail: Mail | None = None
    facts: dict[str, object]
    at = row["made_at"]
    if event.startswith("delivery."):
        if row["message"] is None:
            return None
        mail = _mail(row)
        if row["key"] is not None:
            if row["kind"] is None:
                return None
            at, facts = row["event_at"], _reported(row)
        elif row["left_state"] is None:
            return None
        else:
            at = row["left_at"]
            facts = {
                "attempt": row["left_attempt"],
                "reason": row["left_reason"],
                "detail": row["left_detail"],
            }
    elif event == "suppression.added":
        if row["address"] is None:
            return None
        facts = _suppressed(row)
    else:
        data = json.loads(row["data"])
        facts = {"type": row["type"], "held": data["held"], "stopped": data["stopped"]}
    document: str | None = row["document"]
    if endpoint.form == "ses-sns" and row["key"] is not None and document is None:
        return None  # SES's JSON is not kept any more
    return Message(
        number=row["id"],
        id=_id(row),
        event=event,
        at=at,
        tried_from=row["tried_from"] or row["made_at"],
        tries=row["tries"],
        slug=row["slug"],
        mail=mail,
        facts=facts,
        document=document if endpoint.form == "ses-sns" else None,
    )


def _id(row: asyncpg.Record) -> str:
    """The same for every endpoint and every replay."""
    if row["delivery"] is None:
        return f"evt_{row['id']}"
    which = "left" if row["key"] is None else row["key"][:8].hex()
    return f"evt_{ids.encode(row['delivery'])}_{which}"


def _mail(row: asyncpg.Record) -> Mail:
    tags = json.loads(row["tags"]) if row["tags"] is not None else None
    return Mail(
        delivery=row["delivery"],
        type=row["type"],
        to=None if row["recipient"] == addresses.ERASED else row["recipient"],
        sender=None if row["from_address"] == addresses.ERASED else row["from_address"],
        campaign=row["campaign"],
        list=row["list"],
        tags=tags or {},
    )


def _reported(row: asyncpg.Record) -> dict[str, object]:
    detail: dict[str, Any] = json.loads(row["event_detail"])
    facts: dict[str, object] = {
        "attempt": row["event_attempt"],
        "reason": detail.get("bounce_reason") or detail.get("reason"),
        "detail": detail.get("text"),
    }
    return facts | {name: detail[name] for name in _REPORTED_FACTS if name in detail}


def _suppressed(row: asyncpg.Record) -> dict[str, object]:
    return {
        "to": None if row["address"] == addresses.ERASED else row["address"],
        "cause": row["cause"],
        "scope": SCOPES[json.loads(row["data"])["scope"]],
    }
