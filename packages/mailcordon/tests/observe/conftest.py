"""Two tenants with lanes, mail that they sent, and SES's documents about it, in a real database."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.observe_store import ObserveStore
from mailcordon.adapters.ses.feedback import decode
from mailcordon.core import address, ids, provider, tags
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.event import Attempt
from mailcordon.core.installation import Installation
from mailcordon.observe.ingest import Ingest, Report
from mailcordon.observe.ports import Transaction
from mailcordon_fixtures.cohorts import Cohorts

INSTALLATION = Installation(name="here", mac_key=b"m" * 32, hash_key=b"h" * 32)
IDENTITY_TOPIC = "arn:aws:sns:us-east-1:123456789012:identity"
SETS = {0: "mc-urgent", 1: "mc-transactional", 2: "mc-marketing"}


def enveloped(document: str, topic: str | None = IDENTITY_TOPIC) -> str:
    """In SNS's envelope, unsigned."""
    return json.dumps({"Type": "Notification", "MessageId": "1", "TopicArn": topic, "Message": document})


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Sent:
    """One attempt as the dispatcher makes it."""

    attempt: Attempt
    ses_id: str
    to: str
    set: str | None
    source: str

    @property
    def delivery(self) -> int:
        return self.attempt.delivery

    def mail(self, **over: Any) -> dict[str, Any]:
        own = tags.sign(INSTALLATION.mac_key, self.attempt)
        sent = {name: [value] for name, value in own.items()}
        if self.set is not None:
            sent["ses:configuration-set"] = [self.set]
        return {
            "timestamp": iso(self.attempt.called_at + 40),
            "messageId": self.ses_id,
            "source": self.source,
            "destination": [self.to],
            "tags": sent,
        } | over

    def document(
        self, type: str, *, after: int = 1000, mail: dict[str, Any] | None = None, **member: Any
    ) -> str:
        """`after`: milliseconds from the call to the event."""
        at = iso(self.attempt.called_at + after)
        member = {"timestamp": at} | member
        key = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}.get(type, type.lower())
        if type == "Bounce":
            member = {
                "bouncedRecipients": [{"emailAddress": self.to}],
                "feedbackId": f"f-{self.ses_id}",
            } | member
        if type == "Complaint":
            member = {
                "complainedRecipients": [{"emailAddress": self.to}],
                "feedbackId": f"c-{self.ses_id}",
            } | member
        if type == "Delivery":
            member = {"recipients": [self.to], "smtpResponse": "250 ok"} | member
        if type == "DeliveryDelay":
            member = {"delayedRecipients": [{"emailAddress": self.to}]} | member
        return json.dumps(
            {"eventType": type, "mail": mail or self.mail(), key: member if type != "Send" else {}}
        )

    def send(self) -> str:
        return self.document("Send")

    def delivery_event(self, **more: Any) -> str:
        return self.document("Delivery", **more)

    def bounce(self, type: str = "Permanent", sub_type: str = "General", **more: Any) -> str:
        return self.document("Bounce", bounceType=type, bounceSubType=sub_type, **more)

    def complaint(self, **more: Any) -> str:
        more.setdefault("complaintFeedbackType", "abuse")
        return self.document("Complaint", **more)

    def again(self, *, ses_id: str, attempt: int = 2, later: int = 90_000) -> "Sent":
        """A later attempt of the same delivery."""
        made = replace(self.attempt, attempt=attempt, called_at=self.attempt.called_at + later)
        return replace(self, attempt=made, ses_id=ses_id)


class World:
    def __init__(self, owner: engine.Connection, store: ObserveStore, now: int) -> None:
        self.owner = owner
        self.cohorts = Cohorts(owner)
        self.store = store
        self.ingest = Ingest(INSTALLATION, identity_topics={IDENTITY_TOPIC})
        self.now = now
        self.tenants: dict[str, int] = {}
        self.lanes: dict[tuple[str, str], int] = {}
        self.classes: dict[tuple[str, str], int] = {}
        self._ids = ids.IdGenerator(3)
        self._sent = 0

    async def tenant(self, slug: str, *types: str) -> int:
        tenant = await self.owner.fetchval(
            "insert into tenant (key, slug) values ($1, $2) returning id", self.key(slug), slug
        )
        self.tenants[slug] = tenant
        for name in types:
            type = await self.owner.fetchrow("select id, class from message_type where name = $1", name)
            assert type is not None
            turn = await self.owner.fetchval(
                "insert into turn (tenant, class) values ($1, $2)"
                " on conflict (tenant, class) do update set class = excluded.class returning id",
                tenant,
                type["class"],
            )
            self.classes[slug, name] = type["class"]
            self.lanes[slug, name] = await self.owner.fetchval(
                "insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend)"
                " values ($1, $2, $3, $4, 86400000, 60000, false) returning id",
                tenant,
                type["id"],
                type["class"],
                turn,
            )
        await self.owner.execute("update epoch set value = value + 1 where name = 'control'")
        return tenant

    @staticmethod
    def key(slug: str) -> str:
        return f"mc-{slug:x<8}"

    async def sent(
        self,
        slug: str,
        type: str,
        to: str,
        *,
        known: bool = True,
        at: int | None = None,
        canary: bool = False,
    ) -> Sent:
        """`known`: SES's answer is in the ledger; else only the intent is stored, and the mail is on the wire."""
        called_at = self.now if at is None else at
        delivery = self._ids.next(called_at) + 1
        self._sent += 1
        attempt = Attempt(
            installation=INSTALLATION.name,
            tenant_key=self.key(slug),
            type=type,
            delivery=delivery,
            attempt=1,
            called_at=called_at,
            canary=canary,
        )
        source = f"App <hello@{slug}.example>"
        sent = Sent(attempt, f"ses-{self._sent:06}", to, SETS[self.classes[slug, type]], source)
        if not canary:
            await self._rows(sent, self.tenants[slug], self.lanes[slug, type], known)
        return sent

    async def _rows(self, sent: Sent, tenant: int, lane: int, known: bool) -> None:
        to = address.parse(sent.to)
        hash, of = address.hash_of(INSTALLATION.hash_key, to), int(provider.of(to.domain))
        await self.owner.execute(
            "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key)"
            " values ($1, $2, $3, 'shared', 'hello@x.example', $4, 1, 1)",
            ids.message_of(sent.delivery),
            tenant,
            lane,
            [sent.to],
        )
        await self.owner.execute(
            "insert into recipient (tenant, hash, id) values ($1, $2, $3)", tenant, hash, sent.delivery
        )
        if known:
            await self.answered(sent, tenant, lane, of)
        else:
            await self.owner.execute(
                "insert into ready (lane, id, tenant, state, attempt, provider, worker, called_at, hash)"
                " values ($1, $2, $3, 1, 1, $4, 1, $5, $6)",
                lane,
                sent.delivery,
                tenant,
                of,
                sent.attempt.called_at,
                hash,
            )

    async def answered(self, sent: Sent, tenant: int, lane: int, of: int = 0) -> None:
        await self.owner.execute(
            "insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at)"
            " values ($1, $2, $3, 20, $4, $5, $6, $7, $7)",
            sent.delivery,
            tenant,
            lane,
            sent.attempt.attempt,
            of,
            sent.ses_id,
            sent.attempt.called_at,
        )
        await self.owner.execute("select count_finished(array[$1::bigint])", sent.delivery)

    async def tell(self, *documents: str, proves: bool = True) -> Report:
        """One batch, in one transaction, and a fold."""
        decoded = [decode(document) for document in documents]

        async def work(tx: Transaction) -> Report:
            return await self.ingest.store(tx, decoded, "test", proves=proves)

        report = await self.store.run(work)
        await self.cohorts.fold()
        return report

    async def rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in await self.owner.fetch(sql, *arguments)]

    async def picture(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that events wrote, without the columns that record arrival."""
        await self.cohorts.fold()
        tables = {
            "event": "delivery, key, tenant, lane, kind, attempt, at, ses_id, detail",
            "outcome": "*",
            "send_event": "*",
            "send_seen": "configuration_set, called_at",
            "suppression": "*",
            "address_report": "*",
            "ses_entry": "tenant, hash, list, spelling",
            "ses_unlisting": "*",
            "cohort_minute": "*",
            "cohort_hour": "*",
            "cohort_day": "*",
            "cohort_bounce_domain": "*",
            "quarantine": "digest, why, detail, document, source, tenant",
        }
        return {
            table: sorted(await self.rows(f"select {columns} from {table}"), key=repr)
            for table, columns in tables.items()
        }

    async def metrics(self, *columns: str) -> Sequence[tuple[int, ...]]:
        """Of cohorts, by lane, provider and minute, after a fold."""
        await self.cohorts.fold()
        names = ", ".join(f"coalesce(sum({name}), 0)::int" if name in COLUMNS else name for name in columns)
        return await self.rows(
            f"select {names} from cohort_minute c join slice s on s.id = c.slice"
            " group by lane, provider, minute, tenant order by lane, provider, minute"
        )

    async def whys(self) -> list[str]:
        return [str(row[0]) for row in await self.rows("select why from quarantine order by id")]


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    owner: engine.Connection = await asyncpg.connect(
        database.dsn("owner"), server_settings={"search_path": engine.SCHEMA}
    )
    store = ObserveStore(database.dsn("observe"))
    try:
        for class_, name in SETS.items():
            await owner.execute(
                "insert into configuration_set (name, kind, class) values ($1, 'shared', $2)", name, class_
            )
        await owner.execute("insert into configuration_set (name, kind) values ('ungoverned', 'ungoverned')")
        now = await owner.fetchval("select now_ms()")
        made = World(owner, store, now // 60_000 * 60_000 - 600_000)
        await made.tenant("acme", "password-reset", "receipt", "newsletter")
        await made.tenant("zen", "newsletter")
        yield made
    finally:
        await store.close()
        await owner.close()
