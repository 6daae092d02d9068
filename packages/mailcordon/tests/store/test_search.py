"""A search finds what looking at every delivery finds, newest first, in pages that leave nothing out."""

import itertools
import json
import random
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.message_reader import MessageReader, records_of
from mailcordon.adapters.db.message_search import MessageSearch
from mailcordon.core import address, ids, misspellings
from mailcordon.core.delivery import State
from mailcordon.core.event import MOVES, Kind
from mailcordon.core.reason import Reason
from mailcordon.send import view
from mailcordon.send.search import Budget, Query
from mailcordon_fixtures.queue_world import HASH_KEY, World

MINUTE, DAY = 60_000, 86_400_000
PATIENT = Budget(seconds=60, similar_seconds=60)
EVENTS = [
    (Kind.DELIVERY, None, None),
    (Kind.DELIVERY, None, None),
    (Kind.HARD_BOUNCE, "Permanent/General", "user_unknown"),
    (Kind.HARD_BOUNCE, "Permanent/NoEmail", "mailbox_disabled"),
    (Kind.SOFT_BOUNCE, "Transient/MailboxFull", "mailbox_full"),
    (Kind.COMPLAINT, "abuse", None),
    (Kind.DELAY, "General", None),
    (Kind.REJECT, "Bad content", None),
    (Kind.SUPPRESSED, "Permanent/OnAccountSuppressionList", None),
]
LEFT = [
    (State.REFUSED, Reason.SUPPRESSED),
    (State.REFUSED, Reason.UNDELIVERABLE_DOMAIN),
    (State.EXPIRED, Reason.EXPIRED),
    (State.CANCELLED, Reason.CANCELLED),
    (State.GIVEN_UP, Reason.GIVEN_UP),
    (State.REJECTED_AT_CALL, Reason.REJECTED_BY_SES),
    (State.NO_OUTCOME, Reason.NO_OUTCOME),
]


def ses_id(ms: int, n: int) -> str:
    return f"0100{ms:012x}-{n:08x}-4588-82f8-53f2-{n:012x}-000000"


@dataclass
class Mail:
    """Deliveries of two tenants over 40 days, in every state."""

    world: World
    search: MessageSearch
    now: int
    tenants: dict[str, int]
    all: list[tuple[int, view.MessageRecords]]  #: newest first
    reasons: dict[int, set[str]]  #: of the events of a delivery
    addresses: dict[int, str]

    async def found(self, query: Query, *, as_tenant: bool = False) -> list[int]:
        """All pages."""
        found: list[int] = []
        before = None
        for _ in range(200):
            page = await self.search.find(replace(query, before=before), as_tenant=as_tenant)
            found += [id for id, _ in page.deliveries]
            assert len(page.deliveries) == query.limit or page.stopped_early or page.next is None
            if page.next is None:
                return found
            before = page.next
        raise AssertionError("the pages do not end")

    def expected(self, query: Query) -> list[int]:
        return [id for id, records in self.all if self._fits(query, id, records)]

    def _fits(self, query: Query, id: int, records: view.MessageRecords) -> bool:
        one, message = view.delivery(records, id), records.message
        hash = address.hash_of_text(HASH_KEY, self.addresses[id])
        return (
            query.tenant in (None, message.tenant)
            and query.campaign in (None, message.campaign)
            and query.list in (None, message.list)
            and query.type in (None, message.type)
            and query.hash in (None, hash)
            and query.state in (None, one.state)
            and (query.reason in (None, one.reason) or query.reason in self.reasons[id])
            and (query.since is None or ids.ms_of(id) >= query.since)
            and (query.until is None or ids.ms_of(id) < query.until)
        )


@pytest.fixture
async def mail(world: World) -> AsyncIterator[Mail]:
    c = world.connection
    lanes = [
        (slug, await world.lane(slug, type))
        for slug, type in itertools.product(("acme", "zen"), ("receipt", "newsletter"))
    ]
    await world.account()
    await world.dispatcher()
    now = await c.fetchval("select now_ms()")
    await c.execute("select ensure_partitions(3, $1)", now - 20 * DAY)
    tenants = {row["slug"]: row["id"] for row in await c.fetch("select id, slug from tenant")}
    chance, reasons, addresses = random.Random(7), dict[int, set[str]](), dict[int, str]()
    for n in range(220):
        slug, lane = chance.choice(lanes)
        # Some in the last minutes; the others over 40 days, several on some days.
        at = now - (
            chance.randrange(60 * MINUTE) if n < 60 else chance.randrange(40) * DAY + chance.randrange(DAY)
        )
        message = ids.first_of(at) | n << 6
        to = [f"kim{chance.randrange(6)}@example.com", "lee@example.com"][: chance.choice((1, 1, 2))]
        campaign, mailing = chance.choice((None, "spring", "autumn")), chance.choice((None, "weekly"))
        await c.execute(
            "insert into message (id, tenant, lane, path, from_address, recipients, campaign, list, bytes, api_key)"
            " values ($1, $2, $3, 'isolated', 'a@acme.example', $4, $5, $6, 1, 1)",
            message, tenants[slug], lane, to, campaign, mailing,
        )  # fmt: skip
        for id, text in enumerate(to, message + 1):
            reasons[id], addresses[id] = set(), text
            named = (campaign, mailing)
            await add(c, chance, (id, tenants[slug], lane), text, named, reasons[id])
    await c.execute("update lane set held = true where id = $1", lanes[1][1])
    pools = [await engine.create_pool(world.database.dsn(role)) for role in ("control", "reader")]
    await world.dispatcher()  # its heartbeat has aged meanwhile
    async with pools[0].acquire() as connection:
        every = await records_of(connection, sorted(addresses, reverse=True), as_tenant=False)
    yield Mail(world, MessageSearch(*pools, budget=PATIENT), now, tenants, every, reasons, addresses)
    for pool in pools:
        await pool.close()


async def add(
    c: Any,
    chance: random.Random,
    of: tuple[int, int, int],
    to: str,
    named: tuple[str | None, str | None],
    reasons: set[str],
) -> None:
    """One delivery, anywhere that it may be."""
    id, tenant, lane = of
    at, hash = ids.ms_of(id), address.hash_of_text(HASH_KEY, to)
    await c.execute("insert into recipient (tenant, hash, id) values ($1, $2, $3)", tenant, hash, id)
    place = chance.randrange(12)
    if place < 2:
        await c.execute(
            "insert into ready (lane, id, tenant, state, attempt, worker, hash, called_at, campaign, list)"
            " values ($1, $2, $3, $4, $4, nullif($4::smallint, 0), $5, $6, $7, $8)",
            lane, id, tenant, place, hash, at if place else None, *named,
        )  # fmt: skip
        return
    if place == 2:
        why = chance.choice((1, 2, 4))
        await c.execute(
            "insert into waiting (lane, id, tenant, why, attempt, hash, code, reason, since, called_at)"
            " values ($1, $2, $3, $4, 1, $5, 'retry', 'Later', $6, $6)",
            lane, id, tenant, why, hash, at,
        )  # fmt: skip
        return
    ledger = "insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at, reason, detail)"
    if place < 5:
        state, reason = chance.choice(LEFT)
        await c.execute(
            ledger + " values ($1, $2, $3, $4, 0, 0, null, null, $5, $6, 'x')", *of, state, at, reason
        )
        return
    mark = ses_id(at + 90, id & 0xFFFFF)
    await c.execute(ledger + " values ($1, $2, $3, 20, 1, 0, $4, $5, $5, 'sent', 'x')", *of, mark, at + 60)
    if place == 5:
        return
    kinds = chance.sample(EVENTS, chance.choice((1, 1, 2)))
    for n, (kind, reason, ours) in enumerate(kinds):
        reasons.update(one for one in (reason, ours) if one)
        detail = {"reason": reason} if reason else {}
        detail |= {"bounce_reason": ours} if ours else {}
        await c.execute(
            "insert into event (delivery, key, tenant, lane, kind, attempt, at, ses_id, detail)"
            " values ($1, $2, $3, $4, $5, 1, $6, $7, $8)",
            id, bytes([n]) * 16, tenant, lane, kind, at + 900, mark, json.dumps(detail),
        )  # fmt: skip
    kind, reason, _ = max(kinds, key=lambda one: MOVES[one[0]][0])
    await c.execute(
        "insert into outcome (id, tenant, lane, state, at, kinds, attempt, ses_id, reason, provider, left_at)"
        " values ($1, $2, $3, $4, $5, 0, 1, $6, $7, 0, $5)",
        *of, MOVES[kind][1], at + 900, mark, reason,
    )  # fmt: skip


def queries(mail: Mail) -> list[Query]:
    kim = address.hash_of(HASH_KEY, address.parse("kim3@example.com"))
    plain = [
        Query(),
        Query(hash=kim),
        Query(campaign="spring"),
        Query(campaign="none"),
        Query(list="weekly"),
        Query(type="newsletter"),
        Query(type="announcement"),
        Query(since=mail.now - 10 * DAY, until=mail.now - 2 * DAY),
        Query(since=mail.now + DAY),
        Query(hash=kim, state=State.DELIVERED),
        Query(campaign="spring", state=State.BOUNCED, type="receipt"),
        Query(list="weekly", reason="mailbox_full"),
        Query(state=State.BOUNCED, reason="user_unknown", campaign="autumn"),
        *(Query(state=state) for state in State),
        *(Query(reason=str(reason)) for reason in Reason),
        *(Query(reason=text) for _, *both in EVENTS for text in both if text),
    ]
    chance = random.Random(3)
    mixed = [
        replace(chance.choice(plain), state=chance.choice([*State]), campaign=chance.choice((None, "spring")))
        for _ in range(25)
    ]
    return [replace(one, limit=7) for one in plain + mixed]


async def test_a_search_finds_what_looking_at_every_delivery_finds(mail: Mail) -> None:
    states = {view.delivery(records, id).state for id, records in mail.all}
    assert len(states) >= 17
    wrong: list[object] = []
    # In turn: a platform key, one that names a tenant, and a tenant's own.
    ways = itertools.cycle([(None, False), ("acme", False), ("acme", True)])
    for query, (slug, as_tenant) in zip(queries(mail), ways, strict=False):
        asked = query if slug is None else replace(query, tenant=mail.tenants[slug])
        await mail.world.dispatcher()  # its heartbeat must not age on a busy machine
        found = await mail.found(asked, as_tenant=as_tenant)
        if found != (expected := mail.expected(asked)):
            few = {name: value for name, value in asdict(asked).items() if value is not None}
            wrong.append((few, as_tenant, found[:3], expected[:3]))
    assert wrong == []


async def test_a_page_that_stops_early_goes_on_where_it_was(mail: Mail) -> None:
    mail.search._budget = Budget(deliveries=1, seconds=60)  # pyright: ignore[reportPrivateUsage]
    for state, limit in (
        (State.SENT, 3),
        (State.NO_OUTCOME, 1),
    ):  # of the latter the newest are not shown as such
        query = Query(state=state, limit=limit)
        first = await mail.search.find(query, as_tenant=False)
        assert first.next is not None
        assert await mail.found(query) == mail.expected(query)


async def test_an_id_and_a_message_id_stand_for_one_message(mail: Mail) -> None:
    id, records = next(one for one in mail.all if view.delivery(one[1], one[0]).ses_id)
    mark = view.delivery(records, id).ses_id
    for query in (Query(id=id), Query(ses_id=mark)):
        assert await mail.found(query) == [id]
    of_message = [one for one, _ in mail.all if ids.message_of(one) == ids.message_of(id)]
    assert sorted(await mail.found(Query(id=ids.message_of(id)))) == sorted(of_message)
    assert await mail.found(Query(ses_id=ses_id(mail.now, 1))) == []


async def test_another_tenants_mail_is_not_found_by_its_ids(mail: Mail) -> None:
    id, records = next(
        one
        for one in mail.all
        if one[1].message.tenant_slug == "zen" and view.delivery(one[1], one[0]).ses_id
    )
    one = view.delivery(records, id)
    for query in (Query(id=id), Query(id=ids.message_of(id)), Query(ses_id=one.ses_id)):
        assert await mail.found(replace(query, tenant=mail.tenants["acme"]), as_tenant=True) == []
        assert await mail.found(replace(query, tenant=mail.tenants["zen"]), as_tenant=True) != []


async def test_misspellings_are_looked_for_among_the_tenants_own_mail(mail: Mail) -> None:
    asked = address.parse("lee@exmaple.com")
    near = misspellings.near(asked)
    hashes = [address.hash_of(HASH_KEY, one) for one in (asked, *near)]
    await mail.world.lane("empty", "receipt")
    empty = await mail.world.connection.fetchval("select id from tenant where slug = 'empty'")
    since, found = await mail.search.mailed(hashes, mail.tenants["zen"], 5, as_tenant=True)
    assert since == min(ids.ms_of(id) for id, _ in mail.all)
    assert [(str(near[one.n - 1]), one.tenant) for one in found] == [("lee@example.com", "zen")]
    assert (await mail.search.mailed(hashes, empty, 5, as_tenant=True))[1] == []
    assert len((await mail.search.mailed(hashes, None, 5, as_tenant=False))[1]) == 1


async def test_similar_addresses_are_looked_for_as_long_as_time_allows_the_likeliest_whatever_it_takes(
    mail: Mail,
) -> None:
    mailed = address.hash_of(HASH_KEY, address.parse("lee@example.com"))
    unknown = [bytes([n]) * 16 for n in range(40)]
    for place, seconds, found in ((3, 0.0, True), (39, 0.0, False), (39, 60.0, True)):
        mail.search._budget = Budget(similar_seconds=seconds)  # pyright: ignore[reportPrivateUsage]
        asked = [*unknown[:place], mailed, *unknown[place:]]
        _, rows = await mail.search.mailed(asked, mail.tenants["zen"], 5, as_tenant=True)
        assert [one.n for one in rows] == [place] * found


async def test_the_state_of_a_found_delivery_is_that_of_its_message(mail: Mail) -> None:
    pool: Any = mail.search._control  # pyright: ignore[reportPrivateUsage]
    reader = MessageReader(pool, pool)
    page = await mail.search.find(Query(limit=40), as_tenant=False)
    for id, records in page.deliveries:
        whole = await reader.records(ids.message_of(id), None)
        assert whole is not None
        one, same = view.delivery(records, id), view.deliveries(whole)[ids.recipient_of(id) - 1]
        assert (one.id, one.to, one.state, one.reason, one.detail) == (
            same.id, same.to, same.state, same.reason, same.detail
        )  # fmt: skip
