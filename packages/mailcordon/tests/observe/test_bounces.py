"""Bounces with their reasons on a real database: what is stored, counted, suppressed and shown."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.message_reader import MessageReader
from mailcordon.adapters.db.unlisting_store import UnlistingStore
from mailcordon.adapters.http import message_shapes
from mailcordon.core import address as addresses
from mailcordon.core import ids
from mailcordon.core.bounce_reason import BounceReason
from mailcordon.observe import closing

from .conftest import INSTALLATION, Sent, World

UNKNOWN = "smtp; 550 5.1.1 <kim@example.com>: Recipient address rejected: User unknown"
SPAM = "smtp; 554 5.7.1 Message identified as spam"
FULL = "smtp; 552 5.2.2 Mailbox full"
ODD = "smtp; 550 kittens"


def bounce(sent: Sent, text: str | None, type: str = "Permanent", **more: Any) -> str:
    recipient = {"emailAddress": sent.to, "status": None, "diagnosticCode": text}
    return sent.bounce(type, bouncedRecipients=[recipient], **more)


async def suppressed(world: World) -> list[tuple[Any, ...]]:
    return await world.rows("select cause, until, evidence ->> 'bounce_reason' from suppression")


@pytest.fixture
async def reader(database: Any, world: World) -> AsyncIterator[MessageReader]:
    pools = [await engine.create_pool(database.dsn(role)) for role in ("control", "reader")]
    yield MessageReader(*pools)
    for pool in pools:
        await pool.close()


async def shown(reader: MessageReader, sent: Sent, tenant: int | None) -> message_shapes.DeliveryView:
    records = await reader.records(ids.message_of(sent.delivery), tenant)
    assert records is not None
    return next(
        one
        for one in message_shapes.message_view(records, "us-east-1").deliveries
        if one.id == ids.delivery_id(sent.delivery)
    )


@pytest.mark.parametrize(
    ("text", "reason", "follows", "rows"),
    [
        (UNKNOWN, "user_unknown", "suppress", [("hard-bounce", None, "user_unknown")]),
        (SPAM, "content", "nothing", []),
        (FULL, "mailbox_full", "retry later", []),
    ],
)
async def test_a_permanent_bounce_is_stored_counted_and_shown_with_its_reason(
    world: World, reader: MessageReader, text: str, reason: str, follows: str, rows: list[Any]
) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.send(), bounce(sent, text))
    assert await suppressed(world) == rows
    group = BounceReason[reason.upper()].group
    assert group is not None
    assert await world.metrics("hard_bounced", group.word) == [(1, 1)]
    for tenant in (None, world.tenants["acme"]):
        one = await shown(reader, sent, tenant)
        assert one.bounce is not None
        assert (one.bounce.reason, one.bounce.group, one.bounce.follows) == (reason, group.word, follows)
        assert one.timeline[-1].bounce_reason == reason
        assert one.timeline[-1].detail == text


async def test_a_text_that_says_nothing_turns_the_address_off_for_a_while(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(bounce(sent, ODD, after=1000))
    at = sent.attempt.called_at + 1000
    assert await suppressed(world) == [("hard-bounce", at + closing.WEAK_MS, "undetermined")]


async def test_a_transient_bounce_suppresses_nothing_whatever_its_text_says(
    world: World, reader: MessageReader
) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.send(), bounce(sent, UNKNOWN, "Transient"))
    assert await suppressed(world) == []
    one = await shown(reader, sent, None)
    assert one.bounce is not None
    assert (one.bounce.reason, one.bounce.follows) == ("user_unknown", "nothing")


async def test_a_hit_on_a_list_of_ses_has_no_reason_of_a_bounce(world: World, reader: MessageReader) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.send(), bounce(sent, UNKNOWN, sub_type="OnTenantSuppressionList"))
    assert (await shown(reader, sent, None)).bounce is None


async def test_several_bounces_of_an_address_leave_the_same_rows_in_any_order(world: World) -> None:
    sent = [await world.sent("acme", "newsletter", "kim@example.com") for _ in range(4)]
    bounces = [
        bounce(one, text, after=1000 * (4 - index))
        for index, (one, text) in enumerate(zip(sent, (SPAM, ODD, UNKNOWN, FULL), strict=True))
    ]
    left: set[tuple[Any, ...]] = set()
    for order in itertools.permutations(bounces):
        for table in ("suppression", "event", "outcome", "address_report"):
            await world.owner.execute(f"delete from {table}")
        for document in order:
            await world.tell(document)
        left.add(
            (
                *await suppressed(world),
                *await world.rows("select id, state, reason, detail, reasons from outcome order by id"),
            )
        )
    assert len(left) == 1
    assert next(iter(left))[0] == ("hard-bounce", None, "user_unknown")


async def test_ses_entry_is_to_go_unless_the_address_is_closed_for_good(world: World) -> None:
    """At once where the address stays open, else when its time is over; never for a bounce of an unknown user."""
    texts = {"spam": SPAM, "odd": ODD, "unknown": UNKNOWN}
    of = {text: await world.sent("acme", "newsletter", f"{name}@example.com") for name, text in texts.items()}
    await world.tell(*[bounce(sent, text, after=1000) for text, sent in of.items()])
    rows = await world.rows("select spelling, ses_id, due_at from ses_unlisting order by 1")
    at = {text: sent.attempt.called_at + 1000 for text, sent in of.items()}
    assert rows == [
        ("odd@example.com", of[ODD].ses_id, at[ODD] + closing.WEAK_MS),
        ("spam@example.com", of[SPAM].ses_id, at[SPAM]),
    ]


async def test_the_spelling_of_a_forgotten_address_is_not_stored_again(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    hash = addresses.hash_of(INSTALLATION.hash_key, addresses.parse("kim@example.com"))
    await world.owner.execute(
        "insert into forgotten_address (tenant, hash) values ($1, $2)", world.tenants["acme"], hash
    )
    await world.tell(bounce(sent, SPAM))
    assert await world.rows("select spelling from ses_unlisting") == []


async def test_the_newest_bounce_says_which_entry_of_ses_is_to_go_in_any_order(world: World) -> None:
    first, second = [await world.sent("acme", "newsletter", "kim@example.com") for _ in range(2)]
    documents = [bounce(first, SPAM, after=1000), bounce(second, FULL, after=5000)]
    for order in itertools.permutations(documents):
        await world.owner.execute("truncate event, ses_unlisting")
        for document in order:
            await world.tell(document)
        assert await world.rows("select ses_id from ses_unlisting") == [(second.ses_id,)]


@pytest.mark.parametrize(("after", "closed"), [(-500, False), (50_000, False), (90_000, True)])
async def test_a_hit_on_a_deleted_entry_that_is_reported_late_closes_nothing(
    database: Any, world: World, after: int, closed: bool
) -> None:
    """SES drops mail until the entry is deleted, and perhaps a moment longer. A later hit is one on another entry."""
    first, hit = [await world.sent("acme", "newsletter", "kim@example.com") for _ in range(2)]
    await world.tell(bounce(first, SPAM))
    pool = await engine.create_pool(database.dsn("control"))
    try:
        store = UnlistingStore(pool)
        [due] = await store.due(10)
        await store.done(due, deleted=True)
        assert await store.due(10) == []
    finally:
        await pool.close()
    deleted = await world.owner.fetchval("select deleted_at from ses_unlisting")
    await world.tell(
        hit.bounce(sub_type="OnTenantSuppressionList", after=deleted - hit.attempt.called_at + after)
    )
    assert bool(await suppressed(world)) is closed
    # What is about the address itself closes it, whenever it was.
    await world.tell(bounce(await world.sent("acme", "newsletter", "kim@example.com"), UNKNOWN))
    assert "hard-bounce" in [row[0] for row in await suppressed(world)]
