"""Alerts, as the control role: channels with encrypted secrets, and what each was told of each incident."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence

import asyncpg

from mailcordon.adapters.db import alert_rows, connection_pool, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.secret_rows import SecretRows
from mailcordon.adapters.db.secrets import SecretsUnreadable, Vault
from mailcordon.core.errors import Conflict
from mailcordon.core.incident import Kind
from mailcordon.core.text import harmless
from mailcordon.messages import alerts as messages
from mailcordon.observe.alerts import plan
from mailcordon.observe.alerts.channels import Lane, NewChannel
from mailcordon.observe.alerts.nouns import (
    AlertView,
    Channel,
    Done,
    Due,
    Form,
    Incident,
    LaneState,
    Thread,
    What,
)

_SQL = queries.load("alert_store.sql")
_SHARED = queries.load("shared.sql")
#: What the audit calls the fields that can be changed.
_TERMS = {
    "receiver": "secret",
    "lane": "lane",
    "from": "sender",
    "least": "least",
    "kinds": "kinds",
    "tenants": "tenants",
}
AUTHOR = "alerts"
LEASE_MS = 60_000
DISPATCHER_SILENT_MS = 15_000


class PostgresAlerts:
    """`secret_keys`: MAILCORDON_SECRET_KEYS. `clock_ms` is added to the database's clock, for tests."""

    def __init__(self, control: Pool, secret_keys: Sequence[str], *, clock_ms: int = 0) -> None:
        self._pool = control
        self._secret_keys = secret_keys
        self.clock_ms = clock_ms

    async def _now(self, conn: PooledConnection) -> int:
        return await conn.fetchval(_SHARED.now) + self.clock_ms

    async def now(self) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return await self._now(conn)

    async def plan(self) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            if not await conn.fetchval(_SQL.has_channels):
                return 0
        async with connection_pool.transaction(self._pool) as conn:
            channels = [alert_rows.channel_of(row) for row in await conn.fetch(_SQL.channels, None)]
            if not channels or not await conn.fetchval(_SQL.lock_planning):
                return 0
            rows = await conn.fetch(_SQL.incidents_to_tell)
            incidents = [one for row in rows if (one := alert_rows.known_of(row)) is not None]
            if not incidents:
                return 0
            now = await self._now(conn)
            rows = await conn.fetch(_SQL.threads, [one.id for one in incidents])
            threads = {(row["incident"], row["channel"]): alert_rows.thread_of(row) for row in rows}
            lately = await conn.fetch(_SQL.told_lately, now - plan.NEW_WINDOW)
            told = Counter({row["channel"]: row["told"] for row in lately})
            changed = 0
            for channel in channels:
                steps = _steps(channel, incidents, threads, now, told[channel.id])
                for incident, what in steps:
                    if what is None:
                        await conn.execute(_SQL.drop_message, incident.id, channel.id)
                    else:
                        await conn.execute(_SQL.put_on_its_way, incident.id, channel.id, what.value, now)
                changed += len(steps)
            return changed

    async def due(self, most: int, *, of_one: int = 16, busy: Sequence[int] = ()) -> list[Due]:
        async with connection_pool.acquire(self._pool) as conn:
            if not await conn.fetchval(_SQL.is_due, self.clock_ms):
                return []
        async with connection_pool.transaction(self._pool) as conn:
            now = await self._now(conn)
            leased = await conn.fetch(_SQL.lease, now, max(0, most), LEASE_MS, of_one, list(busy))
            if not leased:
                return []
            rows = {row["id"]: row for row in await conn.fetch(_SQL.channels, None)}
            open_incidents = await conn.fetchval(_SQL.open_incidents)
            found: list[Due] = []
            for row in leased:
                stored = await conn.fetchrow(_SQL.incident, row["incident"])
                incident = None if stored is None else alert_rows.known_of(stored)
                if incident is None or row["channel"] not in rows:
                    continue
                try:
                    channel = self._with_secret(rows[row["channel"]])
                except SecretsUnreadable as unreadable:  # the other channels are told, of this too
                    again, tries = plan.retry_at(row["tries"] + 1, now), row["tries"] + 1
                    why = str(unreadable)
                    await conn.execute(_SQL.not_arrived, row["id"], row["number"], again, tries, why)
                    await conn.execute(
                        _SQL.channel_fails, row["channel"], now, why, rows[row["channel"]]["secret"]
                    )
                    continue
                done = await conn.fetch(_SQL.done_about, row["incident"])
                found.append(
                    Due(
                        alert=row["id"],
                        message=message_id(row["id"], row["number"]),
                        what=What(row["what"]),
                        tries=row["tries"],
                        channel=channel,
                        incident=alert_rows.as_shown(incident),
                        done=[
                            Done(at=one["at"], author=harmless(one["author"]), text=harmless(one["text"]))
                            for one in done
                        ],
                        open_incidents=open_incidents,
                    )
                )
            return found

    async def lane_state(self, lane: int) -> LaneState:
        async with connection_pool.acquire(self._pool) as conn:
            return await lane_state(conn, lane)

    async def sent(self, due: Due) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            now = await self._now(conn)
            row = await conn.fetchrow(_SQL.thread, due.alert)
            if row is None:
                return
            text = messages.told(due.channel.name, due.channel.target, due.what.value)
            await _enter(conn, due, now, "alerted", text, due.message)
            if row["secret"] != due.channel.sealed:
                return  # the former receiver has it; the present one is told anew
            after = plan.after_sent(alert_rows.thread_of(row), due.what, due.incident, now)
            await conn.execute(
                _SQL.arrived,
                due.alert,
                number_of(due.message),
                now,
                after.told_severity,
                after.told_culprit,
                after.told_acknowledged,
                after.told_closed,
                after.reminders,
                after.remind_at,
            )
            await conn.execute(_SQL.channel_works, due.channel.id, due.channel.sealed)

    async def failed(
        self, due: Due, why: str, *, retry_after: int | None = None, id_is_used: bool = False
    ) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            now = await self._now(conn)
            tries = due.tries + 1
            if plan.is_given_up(due.what, tries):
                await conn.execute(_SQL.give_up, due.alert, number_of(due.message), why)
            else:
                again = plan.retry_at(tries, now, retry_after)
                number = number_of(due.message)
                await conn.execute(_SQL.not_arrived, due.alert, number, again, tries, why)
                if id_is_used:
                    await conn.execute(_SQL.renumber, due.alert, number)
            await conn.execute(_SQL.channel_fails, due.channel.id, now, why, due.channel.sealed)
            text = messages.not_told(due.channel.name, due.channel.target, why)
            key = f"alert-{due.alert}/refused" if id_is_used else f"{due.message}/failed"
            await _enter(conn, due, now, "not-alerted", text, key)

    async def skipped(self, due: Due, why: str) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            now = await self._now(conn)
            number, again = number_of(due.message), now + plan.SKIPPED_AFTER
            await conn.execute(_SQL.not_arrived, due.alert, number, again, due.tries, why)
            text = messages.not_told(due.channel.name, due.channel.target, why)
            await _enter(conn, due, now, "not-alerted", text, f"alert-{due.alert}/skipped")

    async def works(self, channel: Channel) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.channel_works, channel.id, channel.sealed)
            await conn.execute(_SQL.hurry, channel.id, await self._now(conn))

    # -- channels ---------------------------------------------------------------------------------------------------

    async def channels(self, name: str | None = None, *, with_secrets: bool = False) -> list[Channel]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.channels, name)
        return [self._with_secret(row) if with_secrets else alert_rows.channel_of(row) for row in rows]

    async def lane(self, tenant: str, type: str) -> Lane | None:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.lane, tenant, type)
        return None if row is None else Lane(row["id"], row["tenant"], row["class"], row["domain"])

    async def tenants(self, slugs: Sequence[str]) -> dict[str, int]:
        """Ids of those that exist and are not retired."""
        async with connection_pool.acquire(self._pool) as conn:
            return {row["slug"]: row["id"] for row in await conn.fetch(_SQL.tenants, list(slugs))}

    async def slugs(self, ids: Sequence[int]) -> dict[int, str]:
        async with connection_pool.acquire(self._pool) as conn:
            return {row["id"]: row["slug"] for row in await conn.fetch(_SQL.slugs, list(ids))}

    async def add(
        self,
        new: NewChannel,
        *,
        form: Form,
        target: str,
        secret: dict[str, str],
        lane: Lane | None,
        key_prefix: str | None,
        kinds: Sequence[Kind],
        tenants: Sequence[int],
        actor: str,
        because: str | None,
    ) -> None:
        stored = Vault(self._secret_keys).encrypt(json.dumps(secret).encode())
        try:
            async with connection_pool.transaction(self._pool) as conn:
                await conn.execute(
                    _SQL.add_channel,
                    new.name,
                    form,
                    target,
                    stored,
                    None if lane is None else lane.tenant,
                    None if lane is None else lane.id,
                    new.sender,
                    key_prefix,
                    new.least,
                    sorted(one.value for one in kinds),
                    list(tenants),
                    actor,
                )
                after = {
                    "form": form,
                    "least": new.least,
                    "kinds": list(new.kinds),
                    "tenants": list(new.tenants),
                }
                about = f"alert channel {new.name}"
                await conn.execute(
                    _SHARED.write_audit, actor, "channel.add", None, about, None, json.dumps(after), because
                )
        except asyncpg.UniqueViolationError:
            raise Conflict(messages.channel_exists(new.name), code="channel-exists") from None

    async def change(
        self,
        before: Channel,
        after: Channel,
        *,
        lane: Lane | None,
        key_prefix: str | None,
        moved: bool,
        actor: str,
        because: str | None,
    ) -> str | None:
        async with connection_pool.transaction(self._pool) as conn:
            if moved:  # first: whoever records what arrived has the alert's row and waits for the channel's
                await conn.execute(_SQL.wait_for_planning)
                await conn.execute(_SQL.tell_anew, before.id)
            await conn.execute(_SQL.lock_channel, before.id)
            rows = await conn.fetch(_SQL.channels, before.name)
            # Whether messages arrive changes by itself.
            same = {"failing_since": before.failing_since, "problem": before.problem}
            if not rows or dataclasses.replace(self._with_secret(rows[0]), **same) != before:
                raise Conflict(messages.channel_changed_meanwhile(before.name), code="channel-changed")
            stored = before.sealed
            if after.secret != before.secret:
                stored = Vault(self._secret_keys).encrypt(json.dumps(after.secret).encode())
            await conn.execute(
                _SQL.change_channel,
                before.id,
                after.target,
                stored,
                None if lane is None else lane.tenant,
                None if lane is None else lane.id,
                after.sender,
                key_prefix,
                after.least,
                sorted(one.value for one in after.kinds),
                sorted(after.tenants),
            )
            if moved:
                await conn.execute(_SQL.moved, before.id)
            changed = [word for word, of in _TERMS.items() if getattr(before, of) != getattr(after, of)]
            found = await conn.fetch(_SQL.slugs, sorted(before.tenants | after.tenants))
            slugs = {row["id"]: row["slug"] for row in found}
            told = [_shown(before, slugs), {**_shown(after, slugs), "changed": changed}]
            about = f"alert channel {before.name}"
            documents = [json.dumps(one) for one in told]
            await conn.execute(_SHARED.write_audit, actor, "channel.change", None, about, *documents, because)
            return None if key_prefix is None else rows[0]["key_prefix"]

    async def remove(self, name: str, *, actor: str, because: str) -> str | None:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.remove_channel, name, actor)
            if row is None:
                return None
            if carried := await conn.fetchval(_SQL.contacts_of_channel, row["id"]):
                raise Conflict(messages.channel_carries(name, carried), code="channel-in-use")
            await conn.execute(_SQL.drop_messages_of_channel, row["id"])
            about = f"alert channel {name}"
            await conn.execute(_SHARED.write_audit, actor, "channel.remove", None, about, None, None, because)
            return row["key_prefix"] or ""

    async def alerts(
        self,
        *,
        incident: int | None = None,
        channel: str | None = None,
        is_open: bool | None = None,
        before: int | None = None,
        limit: int = 100,
        id: int | None = None,
    ) -> list[AlertView]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.alerts, incident, channel, is_open, before, limit, id)
        return [alert_rows.view_of(row) for row in rows]

    async def failing(self, *, for_ms: int) -> list[asyncpg.Record]:
        """Channels to which nothing arrives."""
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetch(_SQL.failing_channels, await self._now(conn) - for_ms)

    def _with_secret(self, row: asyncpg.Record) -> Channel:
        return alert_rows.channel_of(row, json.loads(Vault(self._secret_keys).decrypt(row["secret"])))


def _steps(
    channel: Channel,
    incidents: Sequence[Incident],
    threads: dict[tuple[int, int], Thread],
    now: int,
    told: int,
) -> list[tuple[Incident, What | None]]:
    """Messages to be put on their way. None: the one on its way is out of date."""
    found: list[tuple[Incident, What | None]] = []
    new: list[Incident] = []
    for incident in incidents:
        thread = threads.get((incident.id, channel.id))
        what = plan.next_message(incident, channel, thread, now)
        if thread is None or thread.is_new:
            if what is not None:
                new.append(incident)
        elif what is not thread.what:
            found.append((incident, what))
    allowed = plan.new_ones(((one.severity, one.id) for one in new), told)
    return found + [(one, What.OPENED) for one in new if one.id in allowed]


def message_id(alert: int, number: int) -> str:
    return f"alert-{alert}-{number}"


def number_of(message: str) -> int:
    return int(message.rpartition("-")[2])


async def _enter(conn: PooledConnection, due: Due, now: int, what: str, text: str, key: str) -> None:
    await conn.execute(_SQL.enter, due.incident.id, now, what, AUTHOR, text, key)


def _shown(channel: Channel, slugs: Mapping[int, str]) -> dict[str, object]:
    """Without secrets, and without the address of a person: the audit trail keeps what it has."""
    return {
        "target": None if channel.form == "email" else channel.target,
        "lane": channel.lane_name,
        "from": channel.sender,
        "least": channel.least,
        "kinds": sorted(one.value for one in channel.kinds),
        "tenants": sorted(slugs[one] for one in channel.tenants),
    }


async def lane_state(conn: PooledConnection, lane: int) -> LaneState:
    row = await conn.fetchrow(_SQL.lane_state, lane, DISPATCHER_SILENT_MS)
    if row is None:  # it was retired, and its route is gone
        return LaneState(
            tenant=0,
            lane=lane,
            name=f"lane {lane}",
            configuration_set="",
            domain="",
            held=False,
            stopped=True,
            nothing_leaves=False,
            dispatcher_silent=False,
        )
    return LaneState(
        tenant=row["tenant"],
        lane=row["id"],
        name=f"{row['slug']}/{row['type']}",
        configuration_set=row["configuration_set"],
        domain=row["domain"],
        held=row["held"],
        stopped=row["stopped"],
        nothing_leaves=row["nothing_leaves"],
        dispatcher_silent=row["dispatcher_silent"],
    )


SECRETS = SecretRows(_SQL.secrets, lambda row: (_SQL.rewrite_secret, row["id"]))
