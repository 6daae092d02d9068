"""Any order of any number of copies of events makes the same rows as each event once, in order."""

import asyncio
import itertools
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailcordon.adapters.db.observe_store import ObserveStore
from mailcordon.adapters.ses.feedback import decode
from mailcordon.core import ids, tags
from mailcordon.observe.ports import Transaction

from .conftest import Sent, World

TABLES = (
    "event, outcome, send_event, send_seen, suppression, address_report, ses_entry, ses_unlisting, quarantine,"
    " cohort_change, cohort_batch, cohort_minute, cohort_hour, cohort_day, cohort_slice, cohort_bounce_domain, cohort_unknown,"
    " cohort_feed, domain_provider_change"
)
UNKNOWN_DOMAIN = "nobody-knows.example"
#: What happens between events: a fold, the provider of a domain becomes known, and an answer of SES is recorded.
FOLD, LEARN, ANSWER = "fold", "learn", "answer"


async def nothing_told(world: World) -> None:
    """As before the first event: only what was handed to SES is counted."""
    await world.owner.execute(f"truncate {TABLES}")
    await world.owner.execute("select count_finished(array_agg(id)) from ledger")


async def documents_of_a_delivery(world: World) -> list[str]:
    """All kinds of events in the order in which they happened, including ties and contradictions."""
    documents: list[str] = []
    plain = await world.sent("acme", "newsletter", "a@gmail.com")
    documents += [plain.send(), plain.document("DeliveryDelay", after=500, delayType="General")]
    documents += [plain.document("DeliveryDelay", after=700, delayType="MailboxFull"), plain.delivery_event()]
    documents += [
        plain.document("Open", after=3000),
        plain.document("Click", after=4000, link="https://x.example"),
    ]
    late = await world.sent("acme", "newsletter", "b@yahoo.com", at=world.now + 61_000)
    documents += [late.send(), late.delivery_event(), late.bounce(after=90_000), late.complaint(after=95_000)]
    soft = await world.sent("acme", "receipt", "a@gmail.com")
    documents += [
        soft.send(),
        soft.bounce("Transient", "MailboxFull"),
        soft.bounce("Transient", "General", feedbackId="2"),
    ]
    # Three suppressions of one address, two of them at the same time, and one of SES's global list that ends later.
    rumour = await world.sent("acme", "newsletter", "kim@example.com")
    documents += [rumour.send(), rumour.bounce(sub_type="Suppressed", after=200)]
    for type in ("newsletter", "receipt"):
        bounced = await world.sent("acme", type, "kim@example.com")
        documents += [bounced.send(), bounced.bounce(after=1000)]
    listed = await world.sent("zen", "newsletter", "kim@example.com")
    documents += [listed.send(), listed.bounce(sub_type="OnTenantSuppressionList")]
    rejected = await world.sent("zen", "newsletter", "c@example.com")
    documents += [rejected.send(), rejected.document("Reject", reason="Bad content")]
    unsubscribed = await world.sent("zen", "newsletter", "d@example.com")
    documents += [unsubscribed.send(), unsubscribed.bounce(sub_type="UnsubscribedRecipient")]
    documents += [unsubscribed.document("Subscription", contactList="x"), unsubscribed.document("Novelty")]
    # A mail that was sent twice, in two attempts in different minutes, both reported by SES.
    first = await world.sent("acme", "receipt", "e@example.com", known=False)
    second = first.again(ses_id="ses-again")
    await world.owner.execute("delete from ready where id = $1", first.delivery)
    await world.answered(second, world.tenants["acme"], world.lanes["acme", "receipt"])
    documents += [first.send(), first.delivery_event(), second.send(), second.bounce(after=1000)]
    # People and machines, and bounces of several reasons, at a domain whose provider is not known.
    seen = await world.sent("acme", "newsletter", f"f@{UNKNOWN_DOMAIN}")
    documents += [seen.send(), seen.delivery_event()]
    documents += [
        seen.document(kind, after=after, link="https://x.example", isBotEvent=bot)
        for kind, after, bot in (
            ("Open", 3000, "Likely"),
            ("Open", 9000, "Unlikely"),
            ("Click", 9500, "Likely"),
        )
    ]
    for status, text in (("5.1.1", "550 5.1.1 User unknown"), ("5.7.1", "550 5.7.1 rejected as spam")):
        refused = await world.sent("acme", "newsletter", f"g{status}@{UNKNOWN_DOMAIN}")
        bounced_to = {"emailAddress": refused.to, "status": status, "diagnosticCode": f"smtp; {text}"}
        documents += [refused.send(), refused.bounce(bouncedRecipients=[bounced_to])]
    canary = await world.sent("acme", "receipt", "success@simulator.amazonses.com", canary=True)
    documents += [canary.send(), canary.delivery_event()]
    stolen = plain.mail(tags=listed.mail()["tags"] | {tags.DELIVERY: [ids.encode(plain.delivery)]})
    documents += [
        plain.bounce(mail=stolen),
        plain.bounce(mail=plain.mail(tags={})),
        "{",
        "neither JSON nor a test",
    ]
    return documents


async def happens(world: World, call: Sent, steps: list[str]) -> None:
    """Events that follow each other are one batch."""
    for step, same in itertools.groupby(steps, lambda one: one if one in (FOLD, LEARN, ANSWER) else ""):
        match step:
            case "fold":
                await world.cohorts.fold()
            case "learn":
                change = "insert into domain_provider_change (domain, minute, provider) values ($1, 0, 2)"
                await world.owner.execute(f"{change} on conflict do nothing", UNKNOWN_DOMAIN)
                await world.owner.execute("select move_unknown($1, 1000)", [UNKNOWN_DOMAIN])
            case "answer":
                if not await world.owner.fetchval("select 1 from ledger where id = $1", call.delivery):
                    await world.answered(call, world.tenants["acme"], world.lanes["acme", "receipt"], of=-1)
            case _:
                decoded = [decode(document) for document in same]

                async def work(tx: Transaction, decoded: Any = decoded) -> None:
                    await world.ingest.store(tx, decoded, "test")

                await world.store.run(work)


async def test_any_order_of_copies_makes_the_same_rows(world: World) -> None:
    """Wherever counts are folded, a domain is learnt, and the answer to a call is recorded."""
    documents = await documents_of_a_delivery(world)
    call = await world.sent("acme", "receipt", f"w@{UNKNOWN_DOMAIN}", known=False)
    # It was sent twice, in different minutes; the answer is that of the second call.
    first, call = call, call.again(ses_id="ses-answered")
    await world.owner.execute(
        "update ready set attempt = 2, called_at = $2 where id = $1", call.delivery, call.attempt.called_at
    )
    documents += [first.send(), first.delivery_event(), call.send(), call.bounce(after=5000)]
    for document in documents:
        await world.tell(document)
    end = [ANSWER, FOLD, LEARN, FOLD]
    await happens(world, call, end)

    async def picture() -> dict[str, list[tuple[Any, ...]]]:
        """Without the proof that the call was sent: none is kept if its answer is recorded first."""
        found = await world.picture()
        return found | {"send_event": [row for row in found["send_event"] if row[0] != call.delivery]}

    expected = await picture()
    assert all(expected.values())
    steps = [*documents * 2, FOLD, FOLD, FOLD, LEARN, ANSWER]

    # Hypothesis cannot run coroutines on one database: it draws the orders, which are run afterwards.
    seen: list[list[list[str]]] = [split(steps[::-1], random.Random(1), 7)]

    @settings(max_examples=12, derandomize=True, suppress_health_check=[HealthCheck.large_base_example])
    @given(st.permutations(steps), st.integers(1, 60))
    def draw(copies: list[str], most: int) -> None:
        seen.append(split(copies, random.Random(most), most))

    draw()
    for batches in seen:
        await world.owner.execute("delete from ledger where id = $1", call.delivery)
        await nothing_told(world)
        for batch in [*batches, end]:
            await happens(world, call, batch)
        assert await picture() == expected


async def test_observers_that_read_the_same_events_at_once_make_the_same_rows(
    world: World, database: Any
) -> None:
    documents = await documents_of_a_delivery(world)
    for document in documents:
        await world.tell(document)
    expected = await world.picture()
    await nothing_told(world)
    stores = [ObserveStore(database.dsn("observe")) for _ in range(4)]

    async def observe(store: ObserveStore, seed: int) -> None:
        chance = random.Random(seed)
        copies = documents * 2
        chance.shuffle(copies)
        for batch in split(copies, chance, 20):
            decoded = [decode(document) for document in batch]

            async def work(tx: Transaction, decoded: Any = decoded) -> None:
                await world.ingest.store(tx, decoded, "test")

            await store.run(work)

    try:
        await asyncio.gather(*(observe(store, seed) for seed, store in enumerate(stores)))
        assert await world.picture() == expected
    finally:
        for store in stores:
            await store.close()


def split(documents: list[str], chance: random.Random, most: int) -> list[list[str]]:
    batches: list[list[str]] = []
    at = 0
    while at < len(documents):
        size = chance.randint(1, most)
        batches.append(documents[at : at + size])
        at += size
    return batches


async def test_a_count_that_is_taken_back_before_it_is_there_leaves_no_row(world: World) -> None:
    """As a count of a domain that was unknown, if it is moved after its provider is known."""
    lane = world.lanes["acme", "receipt"]
    await world.cohorts.add(lane, provider=1, delivered=-1, hard_bounced=-1, domain="d.example")
    await world.cohorts.add(lane, provider=1, delivered=1, hard_bounced=1, domain="d.example")
    for table in ("cohort_minute", "cohort_hour", "cohort_day", "cohort_slice", "cohort_bounce_domain"):
        assert await world.rows(f"select 1 from {table}") == [], table
