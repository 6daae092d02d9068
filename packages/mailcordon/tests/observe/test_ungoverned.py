"""Mail that did not pass through us, as its events show it: one row for each identity and caller."""

import json
from typing import Any

from mailcordon.adapters.db import ungoverned_rows
from mailcordon.adapters.ses.feedback import decode
from mailcordon.core import ungoverned
from mailcordon.core.ungoverned import Fact

from .conftest import World, iso


def event(
    world: World,
    n: int,
    type: str = "Send",
    *,
    identity: str = "mail.acme.example",
    caller: str = "shop",
    subject: str = "Kim, your invoice 4711 is ready",
    to: tuple[str, ...] = ("kim@example.com",),
    at: int | None = None,
    **member: Any,
) -> str:
    tags = {
        "ses:operation": ["SendEmail"],
        "ses:source-ip": ["10.0.3.7"],
        "ses:from-domain": [identity.rpartition("@")[2]],
        "ses:caller-identity": [caller],
        "ses:configuration-set": ["ungoverned"],
    }
    mail = {
        "timestamp": iso(world.now + n if at is None else at),
        "messageId": f"foreign-{n}",
        "source": f"shop@{identity}",
        "sourceArn": f"arn:aws:ses:eu-west-1:123456789012:identity/{identity}",
        "sendingAccountId": "123456789012",
        "destination": list(to),
        "headers": [{"name": "X-Mailer", "value": "OldShop 1.2"}],
        "commonHeaders": {"subject": subject},
        "tags": {name: value for name, value in tags.items() if value != [""]},
    }
    return json.dumps({"eventType": type, "mail": mail, type.lower(): member})


async def senders(world: World) -> list[tuple[Any, ...]]:
    return await world.rows(
        "select identity, caller, mails, recipients, bounces, complaints from ungoverned order by 1, 2"
    )


async def test_mail_of_one_identity_and_caller_is_one_row_with_what_it_has_in_common(world: World) -> None:
    await world.tell(*[event(world, n, to=("a@x.example", "b@x.example")) for n in range(3)])
    await world.tell(event(world, 3, caller="other"), event(world, 4, identity="kim@acme.example"))
    assert await senders(world) == [
        ("kim@acme.example", "shop", 1, 1, 0, 0),
        ("mail.acme.example", "other", 1, 1, 0, 0),
        ("mail.acme.example", "shop", 3, 6, 0, 0),
    ]
    [(text,)] = await world.rows("select facts from ungoverned where caller = 'shop' and mails = 3")
    facts = json.loads(text)
    assert facts.pop("examples") == {f"foreign-{n}": 1 for n in range(3)}
    assert facts == {
        "nets": {"events": 3},
        "source_ips": {"10.0.3.7": 3},
        "subjects": {"… your invoice # is ready": 3},
        "services": {"SES API (SendEmail) by OldShop 1.2": 3},
        "operations": {"SendEmail": 3},
        "configuration_sets": {"ungoverned": 3},
        "accounts": {"123456789012": 3},
    }


async def test_all_events_of_a_mail_count_it_once_however_often_they_come(world: World) -> None:
    bounce = event(
        world, 1, "Bounce", bounceType="Permanent", bouncedRecipients=[{"emailAddress": "kim@example.com"}]
    )
    await world.tell(bounce)
    await world.tell(event(world, 1), event(world, 1), event(world, 1, "Delivery"))
    await world.tell(event(world, 1))
    assert await senders(world) == [("mail.acme.example", "shop", 1, 1, 1, 0)]
    assert await world.rows("select sum(mails)::int from ungoverned_hour") == [(1,)]
    assert await world.whys() == ["ungoverned"]  # one sample entry, as before


async def test_a_bounce_and_a_complaint_count_once_however_often_their_events_come(world: World) -> None:
    """Queues repeat, and a file can be replayed twice."""
    bounce = event(world, 1, "Bounce", bounceType="Permanent", bouncedRecipients=[])
    complaint = event(world, 1, "Complaint", complainedRecipients=[])
    await world.tell(event(world, 1))
    for _ in range(3):
        await world.tell(bounce, bounce, complaint)
    await world.tell(event(world, 2, "Bounce", bounceType="Permanent", bouncedRecipients=[]))
    assert await senders(world) == [("mail.acme.example", "shop", 2, 2, 2, 1)]


async def test_a_complaint_about_old_mail_is_no_new_mail(world: World) -> None:
    old = world.now - 3 * 86_400_000
    await world.tell(event(world, 1, "Complaint", at=old, complainedRecipients=[]))
    assert await senders(world) == [("mail.acme.example", "shop", 0, 0, 0, 1)]
    assert await world.rows("select seen_at from ungoverned") == [(0,)]


async def test_a_first_mail_after_a_quiet_hour_begins_anew(world: World) -> None:
    first = world.now - 5 * 3_600_000
    for n, at in enumerate((first, first + 600_000, world.now)):
        await world.tell(event(world, n, at=at))
        [(since,)] = await world.rows("select since from ungoverned")
        assert since == (world.now if at == world.now else first)
    assert await world.rows("select first_at, last_at from ungoverned") == [(first, world.now)]


async def test_a_mail_without_a_time_or_from_the_future_was_sent_now(world: World) -> None:
    await world.tell(event(world, 1, at=world.now + 86_400_000))
    [(last, now)] = await world.rows("select last_at, now_ms() from ungoverned")
    assert abs(last - now) < 60_000


async def test_mail_of_ours_leaves_no_row(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.send(), sent.bounce())
    assert await senders(world) == []


async def test_a_replay_from_quarantine_counts_no_mail_again(world: World) -> None:
    await world.tell(event(world, 1))
    await world.owner.execute("delete from ungoverned")
    [(id, document)] = await world.rows("select id, document from quarantine")
    assert id
    await world.store.run(lambda tx: world.ingest.store(tx, [decode(document)], "replay", quarantine=False))
    assert await senders(world) == []


async def test_more_senders_than_there_is_room_for_are_one_row(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(ungoverned_rows, "MOST_SENDERS", 3)
    await world.tell(event(world, 1, identity="a.example"), event(world, 2, identity="b.example"))
    await world.tell(*[event(world, 10 + n, identity=f"n{n}.example") for n in range(5)])
    await world.tell(event(world, 20, identity="a.example"), event(world, 21, identity="z.example"))
    assert await senders(world) == [
        ("(more)", "", 6, 6, 0, 0),
        ("a.example", "shop", 2, 2, 0, 0),
        ("b.example", "shop", 1, 1, 0, 0),
    ]


async def test_an_identity_with_the_name_of_that_row_is_counted_in_it(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(ungoverned_rows, "MOST_SENDERS", 1)
    await world.tell(event(world, 1))
    for start in (10, 20):
        await world.tell(
            event(world, start, identity="(more)", caller=""), event(world, start + 1, caller="x")
        )
    assert [row[:3] for row in await senders(world)] == [
        ("(more)", "", 4),
        ("mail.acme.example", "shop", 1),
    ]


async def test_hostile_text_is_stored_harmless(world: World) -> None:
    hostile = "a\0\ud800\x1b]0;owned\x07\u202e\n.example"
    made = json.loads(event(world, 1, identity=hostile, caller=hostile, subject=hostile))
    made["mail"]["headers"][0]["value"] = hostile
    made["mail"]["sendingAccountId"] = made["mail"]["messageId"] = hostile
    made["mail"]["tags"] = {name: [hostile] for name in made["mail"]["tags"]}
    await world.tell(json.dumps(made))
    [row] = await world.rows("select identity, caller, facts from ungoverned")
    assert row[0].isprintable()
    assert row[1].isprintable()
    assert "owned" in row[0]
    for values in json.loads(row[2]).values():
        assert all(value.isprintable() for value in values), values


async def test_beyond_the_ids_that_are_kept_each_send_event_counts(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(ungoverned_rows, "MOST_IDS", 2)
    await world.tell(*[event(world, n) for n in range(4)])
    await world.tell(*[event(world, n, kind) for n in range(4, 7) for kind in ("Send", "Delivery")])
    assert await senders(world) == [("mail.acme.example", "shop", 7, 7, 0, 0)]
    assert await world.rows("select count(*)::int from ungoverned_mail") == [(2,)]


async def test_an_odd_document_is_counted_with_what_can_be_read(world: World) -> None:
    odd = json.loads(event(world, 1))
    odd["mail"] |= {"sourceArn": 7, "commonHeaders": ["x"], "headers": "x", "sendingAccountId": None}
    odd["mail"]["tags"]["ses:caller-identity"] = ["sh\u202eop\0"]
    await world.tell(json.dumps(odd))
    [(identity, caller, mails, *_)] = await senders(world)
    assert (identity, mails) == ("mail.acme.example", 1)
    assert "\u202e" not in caller
    assert "\0" not in caller


def test_the_most_frequent_values_of_a_fact_are_named_first_and_the_rest_last() -> None:
    facts = {"source_ips": {"10.0.0.1": 2, ungoverned.MORE: 90, "10.0.0.2": 5}}
    assert ungoverned.by_count(facts, Fact.IP) == ["10.0.0.2", "10.0.0.1", ungoverned.MORE]
