"""Rows of many messages over many days, written by COPY: what `./dev bench search` looks through.

The mix is that of a platform: a few large tenants and many small ones, mostly newsletters, nearly all mail delivered. Everything
is derived from the number of the message, so the bench knows what it will find. Contents are left out, and so are the events of
mail that went well: no search reads them but by their key.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from mailcordon.core import address, ids
from mailcordon.core.delivery import State
from mailcordon.core.event import Kind
from mailcordon.messages import reasons

HASH_KEY = b"h" * 32
TYPES = {"password-reset": 0, "receipt": 1, "newsletter": 2}
DAY_MS = 86_400_000
_CHUNK = 100_000  #: messages in one COPY
_QUEUED = 2_000  #: of the newest messages

#: Of 1,000,000 messages, in this order: kind of the event beside Send, its state, what SES says and what we make of it.
_OUTCOMES = (
    (12_000, Kind.HARD_BOUNCE, State.BOUNCED, "Permanent/General", "user_unknown"),
    (3_000, Kind.HARD_BOUNCE, State.BOUNCED, "Permanent/NoEmail", "mailbox_disabled"),
    (6_000, Kind.SOFT_BOUNCE, State.SOFT_BOUNCED, "Transient/General", "blocked_reputation"),
    (2_000, Kind.SOFT_BOUNCE, State.SOFT_BOUNCED, "Transient/MailboxFull", "mailbox_full"),
    (5, Kind.SOFT_BOUNCE, State.SOFT_BOUNCED, "Transient/MessageTooLarge", "too_large"),
    (400, Kind.COMPLAINT, State.COMPLAINED, "abuse", None),
    (300, Kind.DELAY, State.DELAYED, "TransientCommunicationFailure", None),
    (3, Kind.REJECT, State.REJECTED, "Bad content", None),
    (50, Kind.SUPPRESSED, State.SUPPRESSED_AT_SES, "Permanent/OnAccountSuppressionList", None),
)
#: The same for what never reached SES: state and reason in the ledger.
_KEPT = (
    (8_000, State.REFUSED, "suppressed"),
    (20, State.REFUSED, "undeliverable-domain"),
    (40, State.EXPIRED, "expired"),
    (30, State.CANCELLED, "cancelled"),
    (2, State.GIVEN_UP, "given-up"),
    (10, State.REJECTED_AT_CALL, "rejected-by-ses"),
)


@dataclass(frozen=True, slots=True)
class Lane:
    tenant: int
    slug: str
    id: int
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What there is to look for."""

    messages: int
    days: int
    first_ms: int
    last_ms: int
    lanes: Sequence[Lane]  #: three a tenant, the largest tenant first
    hash_key: bytes = HASH_KEY

    def ms_of(self, n: int) -> int:
        return self.first_ms + n * (self.last_ms - self.first_ms) // self.messages

    def id_of(self, n: int) -> int:
        """One node writes 512 messages in a millisecond at most, which this is far below."""
        per_ms = self.messages / (self.last_ms - self.first_ms)
        return ids.first_of(self.ms_of(n)) | (n % max(2, int(per_ms * 2) + 2)) << 6


def address_of(n: int) -> str:
    """Every address gets a few mails; one in a thousand gets many."""
    who = n % 997 if n % 1000 == 0 else (n * 7919) % 3_000_017
    return f"person{who}@{('example.com', 'gmail.com', 'corp.example', 'mail.example.org')[who % 4]}"


def campaign_of(lane: Lane, n: int, day: int) -> str | None:
    if lane.type != "newsletter":
        return "welcome" if n % 40_000 == 1 else None  # rare, and never all at once
    return f"week-{day // 7}"


def list_of(lane: Lane, n: int) -> str | None:
    if lane.type != "newsletter":
        return None
    return "founders" if n % 50_000 == 7 else "weekly"


def ses_id_of(ms: int, n: int) -> str:
    return f"0100{ms:012x}-{n % 2**32:08x}-4588-82f8-53f2-{n:012x}-000000"


async def add_lanes(connection: Any, tenants: int) -> list[Lane]:
    await connection.execute(
        "insert into tenant (key, slug) select 'mc-' || md5(n::text), case n when 1 then 'acme' else 't' || n end"
        " from generate_series(1, $1::int) n",
        tenants,
    )
    await connection.execute(
        "insert into turn (tenant, class) select id, class from tenant cross join generate_series(0, 2) class"
    )
    await connection.execute(
        "insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend)"
        " select t.tenant, y.id, y.class, t.id, 259200000, 60000, false from turn t join message_type y on y.class = t.class"
        " where y.name = any ($1::text[])",
        list(TYPES),
    )
    rows = await connection.fetch(
        "select l.tenant, t.slug, l.id, y.name from lane l join tenant t on t.id = l.tenant join message_type y on y.id = l.type"
        " order by l.tenant, y.class"
    )
    return [Lane(*row) for row in rows]


async def fill(connection: Any, filled: Filled, say: Callable[[str], None], *, queued: int = _QUEUED) -> None:
    """As the owner, who writes into every table. The newest `queued` messages have not left."""
    days = (datetime.now(UTC) - timedelta(days=n) for n in range(filled.days + 1))
    for day in days:
        await connection.execute(
            "select make_partition(parent, $1::date) from daily_tables() where parent <> all ('{cohort_minute,cohort_hour}')",
            day.date(),
        )
    await connection.execute("set synchronous_commit = off")
    weights = list(accumulate(1 / (1 + n // 3) ** 0.9 for n in range(len(filled.lanes))))
    for start in range(0, filled.messages, _CHUNK):
        rows = _Rows(queued)
        # Made in a thread, so that PostgreSQL takes one chunk while the next is made.
        await asyncio.to_thread(rows.add, filled, weights, range(start, min(start + _CHUNK, filled.messages)))
        for table, columns in COLUMNS.items():
            if lines := rows.lines[table]:
                await connection.copy_to_table(
                    table, columns=columns, source=_parts(lines), schema_name="mailcordon"
                )
        if start % (10 * _CHUNK) == 0:
            say(f"  {start + _CHUNK:,} of {filled.messages:,} messages")
    await connection.execute("set synchronous_commit = on")


COLUMNS = {
    "message": [
        "id",
        "tenant",
        "lane",
        "path",
        "from_address",
        "recipients",
        "campaign",
        "list",
        "bytes",
        "api_key",
    ],
    "recipient": ["tenant", "hash", "id"],
    "ready": ["lane", "id", "tenant", "hash", "campaign", "list"],
    "ledger": [
        "id",
        "tenant",
        "lane",
        "state",
        "attempt",
        "provider",
        "ses_id",
        "called_at",
        "at",
        "reason",
        "detail",
    ],
    "outcome": [
        "id",
        "tenant",
        "lane",
        "state",
        "at",
        "kinds",
        "attempt",
        "ses_id",
        "reason",
        "detail",
        "provider",
        "left_at",
    ],
    "event": ["delivery", "key", "tenant", "lane", "kind", "attempt", "at", "ses_id", "detail"],
    "send_event": ["delivery", "attempt", "ses_id", "at"],
}


class _Rows:
    """Lines of COPY's text form."""

    def __init__(self, queued: int) -> None:
        self._queued = queued
        self.lines: dict[str, list[str]] = {table: [] for table in COLUMNS}

    def add(self, filled: Filled, weights: Sequence[float], numbers: range) -> None:
        chosen = random.Random(numbers.start).choices(filled.lanes, cum_weights=weights, k=len(numbers))
        for n, lane in zip(numbers, chosen, strict=True):
            self._one(filled, n, lane)

    def _one(self, filled: Filled, n: int, lane: Lane) -> None:
        lines, ms, id = self.lines, filled.ms_of(n), filled.id_of(n)
        to = address_of(n)
        campaign = campaign_of(lane, n, (ms - filled.first_ms) // DAY_MS) or "\\N"
        list_ = list_of(lane, n) or "\\N"
        sender = f"hello@{lane.type}.{lane.slug}.example"
        hash = "\\\\x" + address.hash_of_text(filled.hash_key, to).hex()
        of, id1 = f"{lane.tenant}\t{lane.id}", id + 1
        lines["message"].append(f"{id}\t{of}\tshared\t{sender}\t{{{to}}}\t{campaign}\t{list_}\t2048\t1\n")
        lines["recipient"].append(f"{lane.tenant}\t{hash}\t{id1}\n")
        if n >= filled.messages - self._queued:
            lines["ready"].append(f"{lane.id}\t{id1}\t{lane.tenant}\t{hash}\t{campaign}\t{list_}\n")
            return
        place = (n * 7_368_787) % 1_000_000
        for share, state, reason in _KEPT:
            if place < share:
                lines["ledger"].append(
                    f"{id1}\t{of}\t{state:d}\t0\t0\t\\N\t\\N\t{ms + 5}\t{reason}\tA sentence of why it did not leave\n"
                )
                return
            place -= share
        called, ses_id = ms + 40, ses_id_of(ms + 55, n)
        lines["ledger"].append(
            f"{id1}\t{of}\t20\t1\t{n % 3}\t{ses_id}\t{called}\t{ms + 90}\tsent\t{_ACCEPTED}\n"
        )
        if place < 1_000:
            return  # nothing was reported
        place -= 1_000
        lines["send_event"].append(f"{id1}\t1\t{ses_id}\t{ms + 55}\n")
        kind, state, reason = Kind.DELIVERY, State.DELIVERED, "\\N"
        for share, *event, bounce_reason in _OUTCOMES:
            if place < share:
                kind, state, reason = event
                said = f'"bounce_reason": "{bounce_reason}", ' if bounce_reason else ""
                lines["event"].append(
                    f"{id1}\t\\\\x{n:032x}\t{of}\t{kind:d}\t1\t{ms + 900}\t{ses_id}"
                    f'\t{{{said}"reason": "{reason}", "text": "smtp; 550 5.1.1 said the mailbox provider"}}\n'
                )
                break
            place -= share
        lines["outcome"].append(
            f"{id1}\t{of}\t{state:d}\t{ms + 900}\t{1 | 1 << int(kind):d}\t1\t{ses_id}\t{reason}\t\\N\t{n % 3}\t{called}\n"
        )


_ACCEPTED = reasons.accepted_by_ses()


async def _parts(lines: Sequence[str]) -> AsyncIterator[bytes]:
    for start in range(0, len(lines), 2_000):
        yield "".join(lines[start : start + 2_000]).encode()
