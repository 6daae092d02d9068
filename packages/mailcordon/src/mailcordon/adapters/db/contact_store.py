"""Tenants' contacts with encrypted addresses, and notices to them, as the control role."""

import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from mailcordon.adapters.db import (
    alert_rows,
    alert_store,
    connection_pool,
    queries,
    row_level_security,
    stop_row,
)
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.secret_rows import SecretRows
from mailcordon.adapters.db.secrets import SecretsUnreadable, Vault
from mailcordon.core.hold import Hold
from mailcordon.core.stop import Stop, StopScope, ends_when
from mailcordon.messages import holds as hold_messages
from mailcordon.messages import notices as words
from mailcordon.observe.alerts import plan
from mailcordon.observe.alerts.nouns import (
    Channel,
    Contact,
    ContactForm,
    DueNotice,
    Item,
    LaneState,
    NoticeView,
)
from mailcordon.observe.incidents import view

_SQL = queries.load("contact_store.sql")
_ALERTS = queries.load("alert_store.sql")
_SHARED = queries.load("shared.sql")
LEASE_MS = 60_000
STOP_LASTS_MS = 20_000  #: a stop that is shorter is not told: SES refuses for a moment now and then
MOST_ITEMS = 50  #: of one notice
MOST_AN_HOUR = 12  #: notices to a contact; what changes beyond is told together in the next hour
MOST_TRIES = 50
KEEP_MS = 90 * 86_400_000
_HOUR = 3_600_000
_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_SECRETS = re.compile(r"\b(?:mck_[a-z0-9]{8}_|whsec_)[A-Za-z0-9+/=_-]+|\bAKIA[A-Z0-9]{12,}\b")


class PostgresContacts:
    """`secret_keys`: MAILCORDON_SECRET_KEYS. `reader`: for tenants' keys. `clock_ms` is added to the clock, for tests."""

    def __init__(
        self, control: Pool, secret_keys: Sequence[str], *, reader: Pool | None = None, clock_ms: int = 0
    ) -> None:
        self._pool = control
        self._reader = reader
        self._secret_keys = secret_keys
        self.clock_ms = clock_ms

    async def _now(self, conn: PooledConnection) -> int:
        return await conn.fetchval(_SHARED.now) + self.clock_ms

    async def plan(self) -> int:
        """Returns how many notices were made."""
        async with connection_pool.acquire(self._pool) as conn:
            if not await conn.fetchval(_SQL.has_contacts):
                return 0
        async with connection_pool.transaction(self._pool) as conn:
            if not await conn.fetchval(_SQL.lock_planning):
                return 0
            now = await self._now(conn)
            changes: dict[tuple[int, str], list[dict[str, object]]] = defaultdict(list)
            limits = (STOP_LASTS_MS, MOST_ITEMS, now - _HOUR, MOST_AN_HOUR)
            for row in await conn.fetch(_SQL.changes, now, *limits):
                item = {"kind": row["kind"], "number": row["number"], "ended": row["ended"]}
                changes[row["tenant"], row["form"]].append(item)
            for (tenant, form), items in changes.items():
                for item in items:
                    args = (item["kind"], item["number"], item["ended"])
                    await conn.execute(_SQL.remember, tenant, form, *args)
                await conn.execute(_SQL.add_notice, tenant, form, json.dumps(items), now)
            return len(changes)

    async def due(self, most: int) -> list[DueNotice]:
        async with connection_pool.acquire(self._pool) as conn:
            if not await conn.fetchval(_SQL.is_due, self.clock_ms):
                return []
        async with connection_pool.transaction(self._pool) as conn:
            leased = await conn.fetch(_SQL.lease, await self._now(conn), most, LEASE_MS)
            found: list[DueNotice] = []
            for row in leased:
                try:
                    contact = await self._contact(conn, row["tenant"], row["form"])
                except SecretsUnreadable as unreadable:  # the other contacts are told
                    tries = row["tries"] + 1
                    again = plan.retry_at(tries, await self._now(conn))
                    await conn.execute(_SQL.failed, row["id"], again, tries, str(unreadable))
                    continue
                items = [] if contact is None else await _items(conn, contact, json.loads(row["items"]))
                if contact is None or not items:
                    await conn.execute(_SQL.failed, row["id"], None, row["tries"], None)
                    continue
                message = f"notice-{row['id']}"
                found.append(
                    DueNotice(id=row["id"], message=message, contact=contact, items=items, tries=row["tries"])
                )
            return found

    async def lane_state(self, lane: int) -> LaneState:
        async with connection_pool.acquire(self._pool) as conn:
            return await alert_store.lane_state(conn, lane)

    async def sent(self, notice: DueNotice) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.sent, notice.id, await self._now(conn))
            await conn.execute(_SQL.contact_works, notice.contact.tenant, notice.contact.form)

    async def failed(
        self, notice: DueNotice, why: str, *, retry_after: int | None = None, id_is_used: bool = False
    ) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            now, tries = await self._now(conn), notice.tries + 1
            given_up = tries >= MOST_TRIES or id_is_used
            again = None if given_up else plan.retry_at(tries, now, retry_after)
            await conn.execute(_SQL.failed, notice.id, again, tries, why)
            await conn.execute(_SQL.contact_fails, notice.contact.tenant, notice.contact.form, now, why)

    async def forget_retired(self) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.forget_retired)
            await conn.execute(_SQL.forget_told)
            await conn.execute(_SQL.forget_notices, await self._now(conn) - KEEP_MS)

    # -- contacts ---------------------------------------------------------------------------------------------------

    async def _contact(self, conn: PooledConnection, tenant: int, form: str) -> Contact | None:
        row = await conn.fetchrow(_SQL.contact, tenant, form)
        if row is None:
            return None
        vault = Vault(self._secret_keys)
        channel: Channel | None = None
        if row["channel"] is not None:
            for each in await conn.fetch(_ALERTS.channels, None):
                if each["id"] == row["channel"]:
                    channel = alert_rows.channel_of(each, json.loads(vault.decrypt(each["secret"])))
            if channel is None:
                return None
        return _contact(row, json.loads(vault.decrypt(row["secret"])), channel)

    async def contact(self, tenant: int, form: str) -> Contact | None:
        """With its secret."""
        async with connection_pool.acquire(self._pool) as conn:
            return await self._contact(conn, tenant, form)

    async def contacts(self, tenant: int, *, as_tenant: bool) -> list[Contact]:
        """Without their secrets."""
        who = tenant if as_tenant else None
        reader = self._reader or self._pool
        async with row_level_security.read_transaction(self._pool, reader, who, snapshot=False) as conn:
            found = [_contact(row) for row in await conn.fetch(_SQL.shown, tenant)]
        return [
            dataclasses.replace(one, problem=_told(one.problem, one.form)) if as_tenant else one
            for one in found
        ]

    async def put(
        self,
        tenant: int,
        slug: str,
        form: ContactForm,
        *,
        target: str,
        secret: dict[str, str],
        channel: int | None,
        tell: Sequence[str],
        actor: str,
        because: str | None,
    ) -> None:
        stored = Vault(self._secret_keys).encrypt(json.dumps(secret).encode())
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.put, tenant, form, target, stored, channel, list(tell), actor)
            after = json.dumps({"form": form, "tell": list(tell)})
            await _audit(conn, actor, "contact.set", tenant, slug, form, target, after, because)

    async def remove(self, tenant: int, slug: str, form: ContactForm, *, actor: str, because: str) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            target = await conn.fetchval(_SQL.remove, tenant, form)
            if target is None:
                return False
            await conn.execute(_SQL.drop_notices, tenant, form)
            await _audit(conn, actor, "contact.remove", tenant, slug, form, target, None, because)
            return True

    async def notices(
        self, tenant: int, *, as_tenant: bool, before: int | None, limit: int
    ) -> list[NoticeView]:
        who = tenant if as_tenant else None
        reader = self._reader or self._pool
        async with row_level_security.read_transaction(self._pool, reader, who, snapshot=False) as conn:
            rows = await conn.fetch(_SQL.notices, tenant, before, limit)
        return [
            NoticeView(
                id=row["id"],
                tenant=row["slug"],
                form=row["form"],
                items=json.loads(row["items"]),
                made_at=row["made_at"],
                sent_at=row["sent_at"],
                due_at=row["due_at"],
                problem=_told(row["problem"], row["form"]) if as_tenant else row["problem"],
            )
            for row in rows
        ]


def _told(problem: str | None, form: str) -> str | None:
    """Why a notice did not arrive, for the tenant: a mail leaves over another tenant's lane, which its problem names."""
    return words.mail_waits() if problem is not None and form == "email" else problem


async def _audit(
    conn: PooledConnection,
    actor: str,
    action: str,
    tenant: int,
    slug: str,
    form: str,
    target: str,
    after: str | None,
    because: str | None,
) -> None:
    """The address is the tenant's own, and can be erased."""
    about = f"{form} contact {{address}} of {slug}"
    personal = json.dumps({"address": target})
    await conn.execute(
        _SHARED.write_personal_audit, actor, action, tenant, about, None, after, because, personal
    )


async def _items(conn: PooledConnection, contact: Contact, wanted: list[dict[str, Any]]) -> list[Item]:
    """As they are now. What was held when the notice was made, and is not held any more, is left out: another notice says so."""
    ended = {(one["kind"], one["number"]): one["ended"] for one in wanted}
    holds = [number for kind, number in ended if kind == "hold"]
    stops = [number for kind, number in ended if kind == "stop"]
    paused = [number for kind, number in ended if kind == "webhook"]
    found = [
        _of_hold(
            hold_from_row(row),
            json.loads(row["evidence"]),
            row["type"],
            contact.slug,
            ended=ended["hold", row["id"]],
        )
        for row in await conn.fetch(_SQL.holds, contact.tenant, holds)
        if ended["hold", row["id"]] or row["lifted_at"] is None
    ]
    found += [
        _of_stop(
            stop_row.stop_from_row(row).for_tenants, row["type"], contact.slug, ended=ended["stop", row["id"]]
        )
        for row in stop_row.known(await conn.fetch(_SQL.stops, contact.tenant, stops))
        if ended["stop", row["id"]] or row["ended_at"] is None
    ]
    found += [
        _of_webhook(row, ended=ended["webhook", row["id"]])
        for row in await conn.fetch(_SQL.webhooks, contact.tenant, paused)
        if ended["webhook", row["id"]] == (row["paused_at"] is None)
    ]
    words_in = view.words_of([item.why for item in found])
    names = await conn.fetch(_SQL.names_among, contact.tenant, words_in)
    own = frozenset(row["name"] for row in names if row["own"])
    others = frozenset(row["name"] for row in names) - own
    return [dataclasses.replace(item, why=_cleaned(item.why, own, others)) for item in found]


def _of_hold(hold: Hold, evidence: Mapping[str, object], type: str | None, slug: str, *, ended: bool) -> Item:
    target = hold.target
    mail = hold_messages.mail_of(
        slug,
        type=type,
        class_=None if target.class_ is None else target.class_.word,
        provider=None if target.provider is None else target.provider.word,
        campaign=target.campaign,
        list=target.list,
    )
    return Item(
        kind="hold",
        number=hold.id,
        ended=ended,
        mail=mail,
        why=hold.because,
        since=hold.since,
        until=hold.until,
        resume=_resume(hold, evidence),
    )


def _resume(hold: Hold, evidence: Mapping[str, object]) -> str:
    domain = evidence.get("identity")
    if hold.owner == "policy" and isinstance(domain, str):
        return words.resume_domain(domain)
    if hold.until is not None:
        return words.resume_until()
    return words.resume_policy(hold.id) if hold.owner == "policy" else words.resume_person(hold.id)


def _of_stop(stop: Stop, type: str | None, slug: str, *, ended: bool) -> Item:
    mail = hold_messages.mail_of(slug, type=type if stop.scope is StopScope.LANE else None)
    if stop.scope is StopScope.IDENTITY:
        mail = words.mail_from_domain(slug, stop.name)
    return Item(
        kind="stop",
        number=stop.id,
        ended=ended,
        mail=mail,
        why=stop.because,
        since=stop.since,
        until=None,
        resume=words.resume_stop(ends_when(stop.cause)),
    )


def _of_webhook(row: asyncpg.Record, *, ended: bool) -> Item:
    return Item(
        kind="webhook",
        number=row["id"],
        ended=ended,
        mail=words.webhook_events(row["name"], row["target"]),
        why=row["paused_because"] or "",
        since=row["paused_at"] or 0,
        until=None,
        resume=words.resume_webhook(row["name"]),
    )


def _cleaned(why: str, own: frozenset[str], others: frozenset[str]) -> str:
    """Without names of other tenants, and without what looks like a secret: a person wrote the reason for people here. A word of
    which another tenant's name is a part goes as a whole, such as a subdomain; the tenant's own domains stay."""

    def shown(word: re.Match[str]) -> str:
        text = word[0].lower()
        is_own = text in own or any("." in one and text.endswith(f".{one}") for one in own)
        return word[0] if is_own or not view.names_any(text, others) else words.another_tenant()

    return _WORD.sub(shown, _SECRETS.sub(words.left_out(), why))


def _contact(
    row: asyncpg.Record, secret: dict[str, str] | None = None, channel: Channel | None = None
) -> Contact:
    return Contact(
        tenant=row["tenant"],
        slug=row["slug"],
        form=row["form"],
        target=row["target"],
        tell=tuple(row["tell"]),
        made_at=row["made_at"],
        made_by=row["made_by"],
        failing_since=row["failing_since"],
        problem=row["problem"],
        secret=secret or {},
        channel=channel,
    )


SECRETS = SecretRows(_SQL.secrets, lambda row: (_SQL.rewrite_secret, row["tenant"], row["form"]))
