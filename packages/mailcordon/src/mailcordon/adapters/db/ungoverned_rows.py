"""Counts mail that did not pass through us, in the transaction of whoever saw it: the observer its events, control CloudTrail's
records. Nothing is written for mail of ours."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace

import asyncpg

from mailcordon.adapters.db import engine, queries
from mailcordon.core import ungoverned
from mailcordon.core.event import NO_TIME
from mailcordon.core.ungoverned import LEDGER_MS, Sender, Sighting

MOST_SENDERS = 1_000
MOST_IDS = 20_000  #: SES ids of a sender that are kept; beyond, only the event that comes once for each mail is counted
OTHERS = (ungoverned.MORE, "")  #: the row of all senders beyond MOST_SENDERS
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    """Mails of which a bounce or complaint was counted before."""

    bounced: Set[str]
    complained: Set[str]


_SQL = queries.load("ungoverned_rows.sql")


async def record(
    connection: engine.Connection | engine.PooledConnection, sightings: Sequence[Sighting]
) -> None:
    """To be called in a transaction."""
    senders = ungoverned.group(sightings)
    known = await connection.fetch(
        _SQL.known, [one.identity for one in senders], [one.caller for one in senders]
    )
    now: int = known[0]["now"]
    if known[0]["rows"] + len(senders) > MOST_SENDERS:
        senders = _with_room(senders, {(row["identity"], row["caller"]) for row in known})
    for one in senders:
        one.sightings = [_in_time(each, now) for each in one.sightings]
    rows = await connection.fetch(
        _SQL.lock,
        [one.identity for one in senders],
        [one.caller for one in senders],
        [min(each.at for each in one.sightings) for one in senders],
    )
    found = {(row["identity"], row["caller"]): row for row in rows}
    changes = [(one, found[one.key]) for one in senders]
    new, ledger = await _new_mails(connection, changes, now)
    bounced = {one.ses_id for sender in senders for one in sender.sightings if one.bounced}
    complained = {one.ses_id for sender in senders for one in sender.sightings if one.complained}
    # Of mail that is not in the ledger each event counts.
    again = _Again(
        bounced=await _marked(connection, _SQL.bounced, bounced & ledger),
        complained=await _marked(connection, _SQL.complained, complained & ledger),
    )
    await _add(connection, changes, new, ledger, again)


async def _marked(
    connection: engine.Connection | engine.PooledConnection, statement: str, mails: Set[str]
) -> Set[str]:
    """Marks these mails. Returns those that were marked before."""
    if not mails:
        return mails
    return mails - {row["ses_id"] for row in await connection.fetch(statement, sorted(mails))}


def _in_time(one: Sighting, now: int) -> Sighting:
    """A mail without a time, or with one that cannot be, was sent now."""
    return one if NO_TIME < one.at <= now else replace(one, at=now)


def _with_room(senders: Sequence[Sender], there: Set[tuple[str, str]]) -> list[Sender]:
    """One program can send from any subdomain of an identity, so names alone do not fill the table."""
    others = Sender(identity=OTHERS[0], caller=OTHERS[1])
    kept: list[Sender] = []
    for one in senders:
        if one.key in there and one.key != OTHERS:  # no statement takes a row twice
            kept.append(one)
        else:
            others.sightings += one.sightings
    return sorted([*kept, others] if others.sightings else kept, key=lambda one: one.key)


async def _new_mails(
    connection: engine.Connection | engine.PooledConnection,
    changes: Sequence[tuple[Sender, asyncpg.Record]],
    now: int,
) -> tuple[set[str], set[str]]:
    """The SES ids that are seen for the first time, and all that there was room for."""
    asked: dict[str, tuple[int, int]] = {}
    for sender, row in changes:
        room = MOST_IDS - row["kept"]
        recent = [one for one in sender.sightings if one.at > now - LEDGER_MS]
        for one in recent:
            if room > 0 and one.ses_id not in asked:
                asked[one.ses_id] = (row["id"], one.at)
                room -= 1
    if not asked:
        return set(), set()
    rows = await connection.fetch(
        _SQL.new_mails,
        list(asked),
        [sender for sender, _ in asked.values()],
        [at for _, at in asked.values()],
    )
    return {row["ses_id"] for row in rows}, set(asked)


async def _add(
    connection: engine.Connection | engine.PooledConnection,
    changes: Sequence[tuple[Sender, asyncpg.Record]],
    new: Set[str],
    ledger: Set[str],
    again: _Again,
) -> None:
    rows: list[tuple[object, ...]] = []
    hours: Counter[tuple[int, int]] = Counter()
    to: Counter[tuple[int, int]] = Counter()
    for sender, row in changes:
        mails = _counted(sender, row, new, ledger)
        for one in mails:
            place = (row["id"], one.at // HOUR_MS)
            hours[place] += 1
            to[place] += one.recipients
        times = [one.at for one in mails or sender.sightings]
        rows.append(
            (
                row["id"],
                len(mails),
                sum(one.recipients for one in mails),
                _number((one.ses_id for one in sender.sightings if one.bounced), again.bounced, ledger),
                _number((one.ses_id for one in sender.sightings if one.complained), again.complained, ledger),
                len({one.ses_id for one in mails} & new),
                json.dumps(ungoverned.merged(json.loads(row["facts"]), mails)),
                min(times),
                max(times),
            )
        )
    await connection.execute(_SQL.add, *(list(column) for column in zip(*rows, strict=True)))
    if hours:
        places = sorted(hours)
        await connection.execute(
            _SQL.add_hours,
            [sender for sender, _ in places],
            [hour for _, hour in places],
            [hours[place] for place in places],
            [to[place] for place in places],
        )


def _number(mails: Iterable[str], again: Set[str], ledger: Set[str]) -> int:
    """Of the mails in the ledger those that are not there `again`, and each event of others."""
    return sum(
        (1 if mail in ledger else events) for mail, events in Counter(mails).items() if mail not in again
    )


def _counted(sender: Sender, row: asyncpg.Record, new: Set[str], ledger: Set[str]) -> list[Sighting]:
    """One for each mail that is new: its Send event or call if that is in the batch, which says most."""
    found: dict[str, Sighting] = {}
    no_room = row["kept"] + len({one.ses_id for one in sender.sightings}) > MOST_IDS
    for one in sender.sightings:
        if one.ses_id in new or (no_room and one.sends and one.ses_id not in ledger):
            before = found.get(one.ses_id)
            if before is None or (one.sends and not before.sends):
                found[one.ses_id] = one
    return list(found.values())
