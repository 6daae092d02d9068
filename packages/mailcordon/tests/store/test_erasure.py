"""Erasing the personal data of a retired tenant: what goes, what stays, and whom it leaves alone."""

import asyncio
import re
from collections.abc import AsyncIterator

import asyncpg
import pytest

from mailcordon.adapters.db import audit_store, engine, lifecycle_store
from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.erasure_store import ErasureStore
from mailcordon.adapters.db.message_reader import MessageReader
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.control import erasure
from mailcordon.control.erasure import Erasures
from mailcordon.control.steps import Step, StepKind
from mailcordon.control.views import Viewer
from mailcordon.core import address, ids
from mailcordon.core.errors import Conflict
from mailcordon.core.route import Route
from mailcordon.send import view
from mailcordon.send.ports import NewDelivery, NewMessage
from mailcordon_fixtures.queue_world import HASH_KEY, World, new_message

KIM = address.parse("kim@example.com")
#: What can hold an address or a text of a person. The audit trail has its own test.
TABLES = (
    *(
        "message",
        "content",
        "urgent_content",
        "recipient",
        "ledger",
        "note",
        "event",
        "outcome",
        "send_event",
    ),
    *("ready", "waiting", "suppression", "quarantine", "stop", "idempotency"),
    *("address_report", "ses_entry", "ses_unlisting", "template", "template_version"),
)


class Retired:
    """A tenant, acme, with mail, and zen with the same."""

    def __init__(self, world: World, control: engine.Pool, reader: engine.Pool) -> None:
        self.world = world
        self.control = control
        self.store = ErasureStore(control)
        self.erasures = Erasures(self.store)
        self.reads = ControlReader(control, reader)
        self.messages = MessageReader(control, reader)
        self.tenants: dict[str, int] = {}
        self.deliveries: dict[str, list[int]] = {}

    async def fill(self, slug: str, queue: QueueStore, messages: int = 4) -> None:
        world, owner = self.world, self.world.connection
        lane = await world.lane(slug, "receipt")
        tenant = await owner.fetchval("select id from tenant where slug = $1", slug)
        route = (await queue.lane_routes([lane]))[lane]
        accept = AcceptStore(world.database.dsn("send"))
        epoch = (await accept.moment()).epoch
        # Two days, so that a pass has to go from one to the next.
        now = await owner.fetchval("select now_ms()")
        await owner.execute("update tenant set created_at = now() - interval '1 day' where id = $1", tenant)
        first = [
            ((now - n % 2 * 86_400_000 - ids.EPOCH_MS) << 22) + ((tenant * 100 + n) << 6)
            for n in range(messages)
        ]
        batch = [
            new_message(
                id,
                slug,
                route,
                from_address="secret@acme.example",
                deliveries=tuple(
                    NewDelivery(
                        id=id + place,
                        address=text,
                        hash=address.hash_of(HASH_KEY, address.parse(text)),
                        provider=0,
                    )
                    for place, text in enumerate(("kim@example.com", f"secret{n}@example.com"), start=1)
                ),
                content=b"secret",
            )
            for n, id in enumerate(first)
        ]
        await accept.store(batch, epoch)
        await accept.close()
        await owner.execute(
            "insert into urgent_content (id, body) select id, 'secret' from content where id = $1", first[0]
        )
        await owner.execute(
            "with gone as (delete from ready where tenant = $1 returning *)"
            " insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at, reason, detail)"
            " select id, tenant, lane, 20, 1, 3, 'ses', 1, 1, 'sent', 'to secret' from gone", tenant,
        )  # fmt: skip
        await owner.execute(
            "insert into note (id, tenant, at, what, attempt, detail) select id, tenant, 1, 'retry', 1, 'secret' from ledger"
            " where tenant = $1", tenant,
        )  # fmt: skip
        await owner.execute(
            "insert into event (delivery, key, tenant, lane, kind, attempt, at, ses_id, detail)"
            " select id, 'k', tenant, lane, 0, 1, 1, 'ses', '{\"text\": \"550 secret\"}' from ledger where tenant = $1", tenant,
        )  # fmt: skip
        await owner.execute(
            "insert into outcome (id, tenant, lane, state, at, kinds, attempt, ses_id, reason, detail, provider, left_at)"
            " select id, tenant, lane, 23, 1, 1, 1, 'ses', 'hard-bounce', 'secret', 3, 1 from ledger where tenant = $1", tenant,
        )  # fmt: skip
        await world.suppress(slug, "kim@example.com")
        await owner.execute(
            'update suppression set evidence = \'{"text": "secret"}\' where tenant = $1', tenant
        )
        await owner.execute(
            "insert into address_report (tenant, hash, key, kind, class, at, cause, address, evidence)"
            " values ($1, 'h', 'k', 1, 2, 1, 'complaint', 'secret@example.com', '{\"text\": \"secret\"}')", tenant,
        )  # fmt: skip
        await owner.execute(
            "insert into ses_entry (tenant, hash, list, spelling) values ($1, 'h', 'mc', 'secret@example.com')",
            tenant,
        )
        await owner.execute(
            "insert into ses_unlisting (tenant, hash, spelling, ses_id, since, due_at)"
            " values ($1, 'h', 'secret@example.com', 'ses', 1, 1)", tenant,
        )  # fmt: skip
        await owner.execute(
            "insert into quarantine (digest, why, detail, document, source, tenant, bytes)"
            " values ($2, 'double', 'secret', 'secret', 'q', $1, 6)",
            tenant, slug.encode(),
        )  # fmt: skip
        await owner.execute(
            "update quarantine_kind set entries = entries + 1, bytes = bytes + 6 where why = 'double'"
        )
        await owner.execute(
            "insert into stop (scope, name, tenant, cause, because, said, urgent, since, last_seen, probe_at)"
            " values ('tenant', $2, $1, 'tenant-paused', 'paused', 'secret', false, 1, 1, 1)", tenant, slug,
        )  # fmt: skip
        await owner.execute(
            "with made as (insert into template (tenant, name, latest, made_at, made_by) values ($1, 'invoice', 1, 1, 'Ann')"
            " returning id)"
            " insert into template_version (template, version, tenant, dialect, subject, text, bytes, made_at, made_by)"
            " select id, 1, $1, 'jinja', 'Hello', 'Dear secret', 17, 1, 'Ann' from made", tenant,
        )  # fmt: skip
        self.tenants[slug] = tenant
        self.deliveries[slug] = [
            row["id"]
            for row in await owner.fetch("select id from ledger where tenant = $1 order by id", tenant)
        ]

    async def retire(self, slug: str) -> None:
        await self.world.connection.execute(
            "update tenant set retiring_at = now(), retired_at = now() where slug = $1", slug
        )

    async def ask(self, slug: str = "acme") -> None:
        await self.store.request(self.tenants[slug], slug, actor="ann", because="asked to")

    async def rows(self, slug: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for table in TABLES:
            key = "id in (select id from message where tenant = $1)" if "content" in table else "tenant = $1"
            if table == "send_event":
                key = "delivery in (select id from ledger where tenant = $1)"
            rows = await self.world.connection.fetch(
                f"select x::text as x from {table} x where {key} order by 1", self.tenants[slug]
            )
            found[table] = [row["x"] for row in rows]
        return found

    async def dump(self, slug: str) -> str:
        return str(await self.rows(slug))


@pytest.fixture
async def life(world: World, queue: QueueStore) -> AsyncIterator[Retired]:
    control = await engine.create_pool(world.database.dsn("control"))
    reader = await engine.create_pool(world.database.dsn("reader"))
    life = Retired(world, control, reader)
    for slug in ("acme", "zen"):
        await life.fill(slug, queue)
    yield life
    await reader.close()
    await control.close()


async def test_no_address_and_no_text_of_a_person_is_left_and_another_tenant_is_untouched(
    life: Retired,
) -> None:
    before, counts = (
        await life.dump("zen"),
        {name: len(rows) for name, rows in (await life.rows("acme")).items()},
    )
    assert "secret" in await life.dump("acme")
    await life.retire("acme")
    await life.ask()
    await life.erasures.run()
    after = await life.dump("acme")
    assert re.findall(r"secret\w*|\w+@\w+", after) == []
    assert await life.dump("zen") == before
    gone = (
        "content",
        "urgent_content",
        "quarantine",
        "ses_entry",
        "ses_unlisting",
        "template",
        "template_version",
    )
    assert {name: len(rows) for name, rows in (await life.rows("acme")).items()} == {
        name: 0 if name in gone else count for name, count in counts.items()
    }


async def test_what_is_counted_stays(life: Retired) -> None:
    owner = life.world.connection
    count = "select state, provider, attempt, reason, ses_id from {} where tenant = 1 order by id"
    before = [await owner.fetch(count.format(table)) for table in ("ledger", "outcome")]
    kinds = await owner.fetchval("select entries from quarantine_kind where why = 'double'")
    await life.retire("acme")
    await life.ask()
    await life.erasures.run()
    assert [await owner.fetch(count.format(table)) for table in ("ledger", "outcome")] == before
    assert await owner.fetchval("select entries from quarantine_kind where why = 'double'") == kinds - 1


async def test_why_address_finds_the_mail_and_says_that_it_is_erased_and_the_suppression_still_works(
    life: Retired,
) -> None:
    await life.retire("acme")
    await life.ask()
    await life.erasures.run()
    hash = address.hash_of(HASH_KEY, KIM)
    found = await life.messages.address(life.tenants["acme"], hash, 10, as_tenant=False)
    assert len(found.deliveries) == 4
    id, records = found.deliveries[0]
    shown = view.delivery(records, id)
    assert (shown.to, shown.detail) == ("erased", "Erased with the personal data of its tenant")
    assert [each.address for each in found.suppressions] == ["erased"]
    lane = await life.world.connection.fetchval("select id from lane where tenant = $1", life.tenants["acme"])
    assert await life.world.connection.fetchval(
        "select suppressed_for($1, $2, 1::smallint, $3, now_ms())", life.tenants["acme"], hash, lane
    )


async def test_only_a_retired_tenant_is_erased_whoever_asks(life: Retired) -> None:
    tenant = await life.reads.tenant(Viewer(None), "acme")
    assert tenant is not None
    with pytest.raises(Conflict) as caught:
        erasure.preview(tenant, await life.store.personal(tenant.id, 10))
    assert caught.value.code == "not-retired"
    before = await life.dump("acme")
    await life.ask()
    with pytest.raises(asyncpg.InvalidParameterValueError, match="not retired"):
        await life.store.erase_some(life.tenants["acme"], 10)
    assert await life.dump("acme") == before


async def test_no_login_may_change_what_is_recorded_of_mail(life: Retired) -> None:
    for statement in (
        "update message set from_address = ''",
        "delete from event",
        "update ledger set detail = ''",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await life.control.execute(statement)


async def test_a_preview_counts_and_changes_nothing(life: Retired) -> None:
    await life.retire("acme")
    before = await life.dump("acme")
    tenant = await life.reads.tenant(Viewer(None), "acme")
    assert tenant is not None
    does, stays = erasure.preview(tenant, await life.store.personal(tenant.id, 100))
    assert "8 deliveries" in does[0]
    assert "1 suppression " in does[1]
    assert any("Backups" in each for each in stays)
    assert (await life.store.personal(tenant.id, 3)).deliveries == 3
    assert await life.dump("acme") == before


async def test_batches_go_on_where_a_dead_process_was(life: Retired) -> None:
    await life.retire("acme")
    await life.ask()
    await life.ask()
    sizes: list[int] = []
    while n := await ErasureStore(life.control).erase_some(life.tenants["acme"], 3):
        sizes.append(n)
    assert sizes == [
        1,
        1,
        1,
        1,
        1,
        3,
        1,
        3,
        1,
    ]  # what is about addresses, the document, and 4 deliveries of each day
    done = await life.store.erasure(life.tenants["acme"])
    assert done is not None
    assert (done.deliveries, done.done_at is not None, done.requested_by) == (8, True, "ann")
    assert "secret" not in await life.dump("acme")


async def test_two_processes_erase_one_tenant_once(life: Retired) -> None:
    await life.retire("acme")
    await life.ask()
    await asyncio.gather(*(life.erasures.run() for _ in range(3)))
    done = await life.store.erasure(life.tenants["acme"])
    assert done is not None
    assert done.deliveries == 8
    assert "secret" not in await life.dump("acme")


async def test_personal_fields_of_the_audit_trail_are_erased_and_its_chain_stays_whole(life: Retired) -> None:
    owner = life.world.connection
    personal = '{"address": "secret@example.com", "because": "secret"}'
    for tenant in life.tenants.values():
        await owner.execute(
            "select write_audit('ann', 'suppression.add', $1, 'suppression of {address}', null, null, '{because}', $2)",
            tenant,
            personal,
        )
    await life.retire("acme")
    await life.ask()
    await life.erasures.run()
    rows = await owner.fetch("select tenant, personal::text from audit where action = 'suppression.add'")
    assert {row["tenant"] for row in rows if "secret" in row["personal"]} == {life.tenants["zen"]}
    control = await engine.connect(life.world.database.dsn("control"))
    assert (await audit_store.verify(control)).broken is None
    await control.close()


async def test_what_ses_reports_later_is_erased_by_the_next_pass(life: Retired) -> None:
    owner = life.world.connection
    await life.retire("acme")
    await life.ask()
    await life.erasures.run()
    assert await life.store.due() == []
    await owner.execute(
        "insert into event (delivery, key, tenant, lane, kind, attempt, at, ses_id, detail)"
        " select id, 'later', tenant, lane, 3, 1, 1, 'ses', '{\"text\": \"secret complaint\"}' from ledger where id = $1",
        life.deliveries["acme"][0],
    )  # fmt: skip
    await owner.execute(
        "update suppression set address = 'secret@example.com' where tenant = $1", life.tenants["acme"]
    )
    await owner.execute("update erasure set next_at = now()")
    [due] = await life.store.due()
    assert not due.first
    await life.erasures.run()
    assert "secret" not in await life.dump("acme")
    actions = [row["action"] for row in await owner.fetch("select action from audit order by id")]
    assert actions == ["tenant.erase", "tenant.erased"]


async def test_passes_end_when_the_records_of_the_mail_are_gone(life: Retired) -> None:
    owner = life.world.connection
    await life.retire("acme")
    await life.ask()
    await life.erasures.run()
    await owner.execute("delete from message")
    await owner.execute("update erasure set next_at = now()")
    await life.erasures.run()
    assert await owner.fetchval("select next_at from erasure") is None
    done = await life.store.erasure(life.tenants["acme"])
    assert done is not None
    assert done.deliveries == 8


async def test_a_tenant_comes_back_after_its_erasure_and_its_new_mail_stays(
    life: Retired, queue: QueueStore
) -> None:
    owner = life.world.connection
    await life.retire("acme")
    await life.ask()
    step = Step(kind=StepKind.UNRETIRE_TENANT, tenant="acme")

    async def unretire() -> None:
        async with life.control.acquire() as conn, conn.transaction():
            await lifecycle_store.write(conn, step, life.tenants["acme"], actor="ann")

    with pytest.raises(Conflict) as caught:
        await unretire()
    assert caught.value.code == "being-erased"
    await life.erasures.run()
    await unretire()
    lane = await owner.fetchval("select id from lane where tenant = $1", life.tenants["acme"])
    route = (await queue.lane_routes([lane]))[lane]
    accept = AcceptStore(life.world.database.dsn("send"))
    new = (await owner.fetchval("select now_ms()") + 5 - ids.EPOCH_MS) << 22
    await accept.store([new_message(new, "acme", route, 1)], (await accept.moment()).epoch)
    await accept.close()
    await owner.execute("update erasure set next_at = now()")
    await life.erasures.run()
    assert await owner.fetchval("select recipients from message where id = $1", new) == ["k1@x.example"]
    # It is erased when the tenant is retired, and its erasure asked for, once more.
    await life.retire("acme")
    await life.ask()
    await life.erasures.run()
    assert await owner.fetchval("select recipients from message where id = $1", new) == ["erased"]
    asked = await owner.fetchval("select count(*) from audit where action = 'tenant.erase'")
    await life.ask()
    assert asked == await owner.fetchval("select count(*) from audit where action = 'tenant.erase'") == 2


async def test_mail_that_was_scheduled_before_is_erased_and_mail_that_is_scheduled_later_stays(
    life: Retired, queue: QueueStore
) -> None:
    owner = life.world.connection
    lane = await owner.fetchval("select id from lane where tenant = $1", life.tenants["acme"])
    route = (await queue.lane_routes([lane]))[lane]
    accept = AcceptStore(life.world.database.dsn("send"))
    send_at = await owner.fetchval("select now_ms()") + 3 * 86_400_000
    before, after = (ids.scheduled(send_at, place) for place in (1, 2))
    epoch = (await accept.moment()).epoch
    await accept.store([_later(before, route, send_at)], epoch)
    await life.retire("acme")
    await life.ask()
    await accept.store([_later(after, route, send_at)], epoch)
    await accept.close()
    await life.erasures.run()
    shown = "select recipients from message where id = $1"
    assert await owner.fetchval(shown, before) == ["erased"]
    assert await owner.fetchval(shown, after) == ["k1@x.example"]
    tags = "select tags from message where id = any ($1) order by id"
    assert [row["tags"] is None for row in await owner.fetch(tags, [before, after])] == [True, False]


def _later(id: int, route: Route, send_at: int) -> NewMessage:
    return new_message(id, "acme", route, 1, send_at=send_at, scheduled="later", tags='{"who": "secret"}')


def test_a_word_that_is_no_address_stands_for_an_erased_one() -> None:
    with pytest.raises(ValueError, match="."):
        address.parse(address.ERASED)
