"""Quarantine has an end: of entries, of bytes and of time. What it does not keep is counted and shown."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from mailcordon.adapters.db import engine, status_reader
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.adapters.ses.certificates import Certificates, LocalSource
from mailcordon.adapters.ses.feedback import Reader
from mailcordon.adapters.ses.sns_signature import Proof
from mailcordon.control import status, status_events
from mailcordon.control.upkeep import Upkeep
from mailcordon.core import ids
from mailcordon.core import quarantine as kinds
from mailcordon.core.errors import Unavailable
from mailcordon.core.event import Kind
from mailcordon.observe import quarantine, view
from mailcordon.observe.ports import Quarantined
from mailcordon.observe.quarantine import Entry, Kept, Room
from seslocal.events import certificate, documents

from .conftest import World, iso

SOURCES = list(Path(quarantine.__file__).parent.glob("*.py"))
TODAY = date(2026, 11, 1)


def ungoverned(n: int, *, domain: str = "shop.example", caller: str = "AIDAEXAMPLE", size: int = 0) -> str:
    """An event of a mail that a program of the account sent past us."""
    mail = {
        "timestamp": iso(1_790_000_000_000 + n),
        "messageId": f"id-{n}",
        "source": f"Shop {n} <user{n}@{domain}>",
        "destination": [f"kim{n}@example.com"],
        "headers": [{"name": "X-Filler", "value": "x" * size}],
        "tags": {"ses:caller-identity": [caller], "ses:from-domain": [domain]},
    }
    return json.dumps({"eventType": "Send", "mail": mail, "send": {}})


async def size(world: World) -> int:
    return await world.owner.fetchval(
        "select coalesce(sum(octet_length(document) + octet_length(samples::text)), 0) from quarantine"
    )


async def counters(world: World, why: str) -> tuple[int, int, int, int]:
    row = await world.owner.fetchrow(
        "select entries, bytes, documents, not_kept from quarantine_kind where why = $1", why
    )
    assert row is not None
    return tuple(row)


async def exact(world: World, why: str) -> None:
    """The counters say what there is."""
    entries, bytes, documents, not_kept = await counters(world, why)
    row = await world.owner.fetchrow(
        "select count(*) as entries, coalesce(sum(bytes), 0) as bytes, coalesce(sum(copies), 0) as copies,"
        " coalesce(sum(octet_length(document) + (select coalesce(sum(octet_length(s)), 0) from unnest(samples) s)), 0) as real"
        " from quarantine where why = $1",
        why,
    )
    assert row is not None
    assert (entries, bytes, documents - not_kept) == (row["entries"], row["bytes"], row["copies"])
    assert row["bytes"] == row["real"]


# Aggregation ----------------------------------------------------------------------------------------------------------------


async def test_ungoverned_mail_is_one_entry_for_each_identity_caller_and_day(world: World) -> None:
    await world.tell(*[ungoverned(n, size=115_000) for n in range(150)])
    await world.tell(*[ungoverned(n, size=115_000) for n in range(150, 200)])
    await world.tell(ungoverned(200, domain="blog.example"), ungoverned(201, caller="AROAOTHER"))
    rows = await world.owner.fetch(
        "select detail, copies, cardinality(samples) + 1 as documents from quarantine order by id"
    )
    assert [(row["copies"], row["documents"]) for row in rows] == [(200, 3), (1, 1), (1, 1)]
    assert rows[0]["detail"].startswith("Mail of shop.example was sent by AIDAEXAMPLE without our tags")
    assert await size(world) < 4 * quarantine.LONGEST_SAMPLE, "200 of them were 23 MB"
    await exact(world, "ungoverned")


async def test_another_day_is_another_entry(world: World) -> None:
    rows = [row(sender=("a", "b")), row(sender=("a", "b"))]
    first, second = (quarantine.entries(rows, day) for day in (TODAY, date(2026, 11, 2)))
    assert [entry.copies for entry in first + second] == [2, 2]
    assert first[0].digest != second[0].digest


async def test_samples_are_the_first_that_differ(world: World) -> None:
    await world.tell(ungoverned(1), ungoverned(1))
    await world.tell(ungoverned(1), ungoverned(2))
    await world.tell(ungoverned(3), ungoverned(4), ungoverned(5))
    [kept] = await world.owner.fetch("select document, samples, copies from quarantine")
    ids = [json.loads(one)["mail"]["messageId"] for one in (kept["document"], *kept["samples"])]
    assert (ids, kept["copies"]) == (["id-1", "id-2", "id-3"], 7)
    await exact(world, "ungoverned")


async def test_names_without_bound_or_with_odd_signs_make_entries_of_a_bounded_size(world: World) -> None:
    odd = ungoverned(1, domain="x\u202e\n" * 5000, caller="\x00" * 9000)
    await world.tell(odd, odd.replace("ses:from-domain", "other"))
    details = [row["detail"] for row in await world.owner.fetch("select detail from quarantine")]
    assert details
    assert all(len(detail) < 1000 and detail.isprintable() for detail in details)


# Copies ---------------------------------------------------------------------------------------------------------------------


async def test_every_copy_counts_within_a_batch_and_across_batches(world: World) -> None:
    report = await world.tell("{", "{", "{", "[")
    assert report.quarantined["malformed"] == 4
    await world.tell("{", "{")
    rows = await world.owner.fetch("select document, copies from quarantine order by document")
    assert [tuple(row) for row in rows] == [("[", 1), ("{", 5)]
    assert await counters(world, "malformed") == (2, 2, 6, 0)


# Caps -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", ["most_entries = 3", "most_bytes = 45"])
async def test_a_kind_without_room_counts_the_newest_and_says_so(world: World, bound: str) -> None:
    await world.owner.execute(f"update quarantine_kind set {bound} where why = 'malformed'")
    documents = [f"{{ no event {n:03}" for n in range(20)]  # of 14 bytes
    await world.tell(*documents[:2])
    report = await world.tell(*documents[2:], documents[0], documents[19])
    assert report.quarantined["malformed"] == 20
    assert report.not_kept == {"malformed": 18}
    kept = [row["document"] for row in await world.owner.fetch("select document from quarantine order by id")]
    assert kept[:2] == documents[:2], "the oldest stay"
    assert len(kept) == 3
    assert await counters(world, "malformed") == (3, 42, 22, 18)
    await exact(world, "malformed")
    await world.tell(ungoverned(1))
    assert (await counters(world, "ungoverned"))[0] == 1, "another kind has its own room"
    for facts in (await status_reader.read(world.owner),):
        [problem] = [one for one in status.judge(facts).problems if one.check == "quarantine"]
        assert problem.code == "quarantine-full"
        assert "18 documents so far" in problem.sentence
        later = replace(facts, now=facts.now + status_events.QUARANTINE_NEWS_MS + 1)
        assert "quarantine-full" not in {one.code for one in status.judge(later).problems}


async def test_a_flood_of_senders_ends_at_the_bound(world: World) -> None:
    await world.owner.execute("update quarantine_kind set most_entries = 10 where why = 'ungoverned'")
    report = await world.tell(*[ungoverned(n, domain=f"d{n}.example", size=50_000) for n in range(40)])
    assert report.not_kept == {"ungoverned": 30}
    assert await size(world) < 10 * (quarantine.LONGEST_SAMPLE + 100)
    report = await world.tell(*[ungoverned(n, domain=f"d{n}.example") for n in range(40)])
    assert report.not_kept == {"ungoverned": 30}, "those that have an entry are counted there"
    await exact(world, "ungoverned")


async def test_a_kind_that_no_migration_knows_is_bounded_too(world: World) -> None:
    await world.store.run(lambda tx: tx.quarantine([row(why="new-kind"), row(why="malformed")]))
    assert await counters(world, "new-kind") == (1, 1, 1, 0)


async def test_an_event_of_ours_counts_whatever_quarantine_has_room_for(world: World) -> None:
    await world.owner.execute("update quarantine_kind set most_entries = 0")
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    report = await world.tell("{", sent.bounce(), ungoverned(1))
    assert report.not_kept == {"malformed": 1, "ungoverned": 1}
    assert await world.metrics("hard_bounced") == [(1,)]


async def test_notices_and_names_of_other_installations_end_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MOST_NOTICES", 3)
    monkeypatch.setattr(quarantine, "MOST_INSTALLATIONS", 3)

    def notice(n: int) -> str:
        data = {
            "detail-type": f"Notice {n}",
            "source": "aws.ses",
            "resources": [],
            "detail": {"filler": "x" * 99_000},
        }
        return json.dumps(data)

    await world.tell(notice(1), notice(1), notice(2))
    report = await world.tell(*[notice(n) for n in range(2, 8)], notice(1))
    assert report.not_kept == {"notice": 4}
    rows = await world.owner.fetch(
        "select what, copies, length(document) as size from ses_notice order by what"
    )
    assert [row["copies"] for row in rows] == [3, 2, 1]
    assert max(row["size"] for row in rows) == quarantine.LONGEST_NOTICE
    assert (await counters(world, "notice"))[0::3] == (3, 4)
    for names in (["a", "b"], ["b", "c", "d", "e"], ["a", "f"]):
        await world.store.run(
            lambda tx, names=names: tx.count_elsewhere({(name, Kind.SEND): 2 for name in names})
        )
    assert await world.rows(
        'select installation, documents from elsewhere order by installation collate "C"'
    ) == [("*", 6), ("a", 4), ("b", 4), ("c", 2)]


async def purge(database: Any) -> None:
    async with await engine.create_pool(database.dsn("control")) as control:
        await Upkeep(UpkeepStore(control), None, None, cell="default").purge_old_rows()  # type: ignore[arg-type]


# Age ------------------------------------------------------------------------------------------------------------------------


async def test_each_kind_has_its_age_and_gives_its_room_back(world: World, database: Any) -> None:
    await world.tell("{", "[", ungoverned(1), ungoverned(2, domain="b.example"))
    aged = "update quarantine set last_received_at = now() - make_interval(days => $1) where document = $2"
    await world.owner.execute(aged, 91, "{")
    await world.owner.execute(aged, 60, "[")
    await world.owner.execute(aged, 31, ungoverned(1))
    await world.owner.execute(aged, 29, ungoverned(2, domain="b.example"))
    await purge(database)
    rows = await world.owner.fetch("select document from quarantine order by length(document)")
    left = [row["document"] for row in rows]
    assert left == ["[", ungoverned(2, domain="b.example")]
    for why in ("malformed", "ungoverned"):
        entries, bytes, _, _ = await counters(world, why)
        assert (entries, bytes) == (1, len(left[why == "ungoverned"]))


async def test_what_a_replay_settled_goes_after_a_day(world: World, database: Any) -> None:
    fresh, old, came_again, unsettled = [
        await world.sent("acme", "newsletter", f"kim{n}@example.com") for n in range(4)
    ]
    recipients = "update message set recipients = $1"
    await world.owner.execute(recipients, [])
    await world.tell(*[one.bounce() for one in (fresh, old, came_again, unsettled)])
    await world.owner.execute(
        recipients + " where id <> $2", ["kim@example.com"], ids.message_of(unsettled.delivery)
    )
    replay = view.Replay(world.store, reader=Reader(Proof(set())), ingest=world.ingest)
    for (id,) in await world.rows("select id from quarantine"):
        await replay.run(id, "ann")
    age = (
        "update quarantine set last_received_at = last_received_at - $1::interval, resolved_at = resolved_at - $2::interval"
        " where document like '%' || $3 || '%'"
    )
    day, none = timedelta(hours=25), timedelta()
    for one, received, resolved in ((old, day, day), (came_again, none, day), (unsettled, day, day)):
        await world.owner.execute(age, received, resolved, one.ses_id)
    await purge(database)
    left = [
        json.loads(row[0])["mail"]["messageId"] for row in await world.rows("select document from quarantine")
    ]
    assert sorted(left) == sorted(one.ses_id for one in (fresh, came_again, unsettled))
    assert (await counters(world, "disagreement"))[0] == 3, "its room is given back"


async def test_a_replay_that_cannot_be_decided_yet_says_so_and_changes_nothing(world: World) -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:outcome"
    signed = documents.sns_envelope("{}", topic, "https://sns.us-east-1.amazonaws.com", 0.0, "m", None)
    certificate.sign(signed)
    quarantined = row(why="unverified", document=json.dumps(signed))
    await world.store.run(lambda tx: tx.quarantine([quarantined]))
    denied = LocalSource("http://local", download=lambda url: (403, b""))
    reader = Reader(Proof({topic}, Certificates(denied)))
    [(id,)] = await world.rows("select id from quarantine")
    with pytest.raises(Unavailable, match="HTTP 403"):
        await view.Replay(world.store, reader=reader, ingest=world.ingest).run(id, "ann", because="tried")
    assert await world.rows("select replayed_at, resolution from quarantine") == [(None, None)]


async def test_an_entry_about_many_mails_is_not_settled_by_its_first(world: World) -> None:
    await world.tell(ungoverned(1), ungoverned(2))
    [(id,)] = await world.rows("select id from quarantine")
    await world.store.run(lambda tx: tx.resolve(id, "counted: x", "ann", because="counted", settled=True))
    assert await world.rows("select resolved_at from quarantine") == [(None,)]


# The pure plan --------------------------------------------------------------------------------------------------------------


def row(*, why: str = "malformed", sender: tuple[str, str] | None = None, document: str = "x") -> Quarantined:
    return Quarantined(
        why=why, detail="", document=document, digest=why.encode(), source="q", tenant=None, sender=sender
    )


def entry(digest: bytes, *documents: str, copies: int = 1) -> Entry:
    return Entry(
        digest=digest, why="ungoverned", detail="", source="", tenant=None, documents=documents, copies=copies
    )


def test_a_sample_that_does_not_fit_is_left_out_and_its_copies_count() -> None:
    kept = {b"a": Kept(id=7, documents=("one",), takes=2)}
    room = {"ungoverned": Room(entries=5, bytes=4)}
    made = quarantine.plan([entry(b"a", "one", "two2", "three", copies=9)], kept, room)
    assert [(one.id, one.copies, one.samples) for one in made.again] == [(7, 9, ())]
    assert not made.not_kept


def test_a_document_is_cut_at_a_whole_character() -> None:
    [one] = quarantine.entries([row(sender=("a", ""), document="ü" * quarantine.LONGEST_SAMPLE)], TODAY)
    assert one.documents == ("ü" * (quarantine.LONGEST_SAMPLE // 2),)


async def test_the_kinds_of_the_code_and_of_the_database_are_the_same(world: World) -> None:
    known: Sequence[Any] = await world.owner.fetch("select why from quarantine_kind")
    assert {row["why"] for row in known} == set(kinds.KINDS)
    named = {name for file in SOURCES for name in re.findall(r'Quarantine\("([a-z-]+)"', file.read_text())}
    assert named == set(kinds.KINDS)
