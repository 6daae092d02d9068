"""The rows that a batch of events makes, whoever sent it and in whatever order."""

import json
from dataclasses import replace
from typing import Any

import pytest

from mailcordon.core import ids, tags, text
from mailcordon.core.delivery import State
from mailcordon.core.event import Kind
from mailcordon.observe.ingest import Ingest

from .conftest import IDENTITY_TOPIC, INSTALLATION, World, enveloped, iso

DAY = 24 * 3600 * 1000


async def state(world: World, delivery: int) -> State:
    return State(await world.owner.fetchval("select state from outcome where id = $1", delivery))


async def suppressed(world: World) -> list[tuple[Any, ...]]:
    return await world.rows(
        "select tenant, address, scope, target, cause, until from suppression order by 1, 3, 4"
    )


async def test_a_hard_bounce_suppresses_the_address_for_its_tenant_only(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.send(), sent.bounce())
    assert await state(world, sent.delivery) is State.BOUNCED
    assert await suppressed(world) == [(world.tenants["acme"], "kim@example.com", 0, 0, "hard-bounce", None)]


async def test_what_a_dropped_key_proved_is_not_believed_any_more(world: World) -> None:
    """Two keys are accepted while the MAC key is rotated. Then the old one is dropped, in processes that run."""
    ours = replace(INSTALLATION, mac_key=b"n" * 32, other_mac_key=INSTALLATION.mac_key)
    world.ingest = Ingest(ours)
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    assert (await world.tell(sent.send())).counted == {Kind.SEND: 1}
    ours.other_mac_key = None
    report = await world.tell(sent.bounce())
    assert (report.counted, report.quarantined) == ({}, {"disagreement": 1})
    assert await suppressed(world) == []


async def test_a_complaint_suppresses_the_address_for_its_class_only(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "lee@example.com")
    await world.tell(sent.send(), sent.delivery_event(), sent.complaint(after=5000))
    assert await state(world, sent.delivery) is State.COMPLAINED
    assert await suppressed(world) == [(world.tenants["acme"], "lee@example.com", 1, 2, "complaint", None)]


async def test_a_mail_that_a_list_of_ses_dropped_is_suppressed_at_ses(world: World) -> None:
    for sub_type in ("OnTenantSuppressionList", "OnAccountSuppressionList", "EmailValidationSuppressed"):
        sent = await world.sent("acme", "newsletter", "kim@example.com")
        await world.tell(sent.send(), sent.bounce(sub_type=sub_type))
        assert await state(world, sent.delivery) is State.SUPPRESSED_AT_SES
    invalid = await world.sent("acme", "newsletter", "lee@example.com")
    await world.tell(invalid.send(), invalid.bounce(sub_type="EmailValidationSuppressed"))
    assert [row[1] for row in await suppressed(world)] == ["kim@example.com"]
    assert await world.metrics("hard_bounced", "complained", "suppressed_at_ses") == [(0, 0, 4)]


async def test_ses_global_list_suppresses_for_14_days_and_a_real_bounce_for_good(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.bounce(sub_type="Suppressed", after=1000))
    at = sent.attempt.called_at + 1000
    acme = world.tenants["acme"]
    assert await suppressed(world) == [(acme, "kim@example.com", 0, 0, "ses-global-list", at + 14 * DAY)]
    later = await world.sent("acme", "receipt", "kim@example.com")
    await world.tell(later.bounce())
    assert await suppressed(world) == [(acme, "kim@example.com", 0, 0, "hard-bounce", None)]


async def test_mail_is_counted_under_its_provider_in_the_minute_it_left(world: World) -> None:
    first = await world.sent("acme", "newsletter", "a@gmail.com")
    second = await world.sent("acme", "newsletter", "b@gmail.com", at=world.now + 60_000)
    await world.tell(first.send(), second.send(), first.delivery_event(after=3 * 3600_000))
    minute = world.now // 60_000
    assert await world.metrics("lane", "provider", "minute", "tenant", "sent", "delivered") == [
        (world.lanes["acme", "newsletter"], 1, minute, world.tenants["acme"], 1, 1),
        (world.lanes["acme", "newsletter"], 1, minute + 1, world.tenants["acme"], 1, 0),
    ]


async def test_opens_count_once_a_delivery_and_move_no_state(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.document("Open", after=2000), sent.document("Open", after=3000))
    assert await state(world, sent.delivery) is State.SENT
    await world.tell(sent.delivery_event(), sent.document("Click", after=4000, link="https://x.example"))
    assert await state(world, sent.delivery) is State.DELIVERED
    assert await world.metrics("opened", "clicked", "delivered") == [(1, 1, 1)]


async def test_an_event_before_the_commit_settles_the_attempt(world: World) -> None:
    sent = await world.sent("acme", "receipt", "kim@example.com", known=False)
    await world.tell(sent.send())
    at = sent.attempt.called_at
    assert await world.rows("select * from send_event") == [(sent.delivery, 1, sent.ses_id, at + 40)]
    assert await world.rows("select configuration_set, called_at from send_seen") == [
        ("mc-transactional", at)
    ]


async def test_a_delivery_that_overtakes_its_send_event_settles_it_but_proves_no_absence(
    world: World,
) -> None:
    sent = await world.sent("acme", "receipt", "kim@example.com", known=False)
    await world.tell(sent.delivery_event())
    assert await world.rows("select ses_id from send_event") == [(sent.ses_id,)]
    assert await world.rows("select configuration_set, called_at from send_seen") == []


async def test_send_seen_only_moves_forward(world: World) -> None:
    early = await world.sent("acme", "newsletter", "a@example.com")
    late = await world.sent("zen", "newsletter", "a@example.com", at=world.now + 5000)
    await world.tell(late.send())
    await world.tell(early.send())
    assert await world.rows("select called_at from send_seen") == [(world.now + 5000,)]


async def test_a_send_event_of_no_queue_settles_its_attempt_and_proves_no_absence(world: World) -> None:
    sent = await world.sent("acme", "receipt", "kim@example.com", known=False)
    canary = await world.sent("acme", "newsletter", "success@simulator.amazonses.com", canary=True)
    report = await world.tell(sent.send(), canary.send(), proves=False)
    assert not report.quarantined
    assert await world.rows("select ses_id from send_event") == [(sent.ses_id,)]
    assert await world.rows("select configuration_set, called_at from send_seen") == []


async def test_a_canary_moves_send_seen_and_nothing_else(world: World) -> None:
    canary = await world.sent("acme", "newsletter", "success@simulator.amazonses.com", canary=True)
    report = await world.tell(canary.send(), canary.delivery_event())
    assert not report.quarantined
    picture = await world.picture()
    assert picture.pop("send_seen") == [("mc-marketing", world.now)]
    assert not any(picture.values())


# Attribution -----------------------------------------------------------------------------------------------------------------


async def test_a_delivery_id_under_another_tenants_tags_is_quarantined_and_suppresses_nobody(
    world: World,
) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    theirs = await world.sent("zen", "newsletter", "kim@example.com")
    stolen = sent.mail(tags=theirs.mail()["tags"] | {tags.DELIVERY: [ids.encode(sent.delivery)]})
    await world.tell(sent.bounce(mail=stolen))
    # Even with a valid signature, the row decides whose delivery it is.
    signed = replace(sent, attempt=replace(sent.attempt, tenant_key=world.key("zen")))
    await world.tell(signed.bounce())
    assert await world.whys() == ["disagreement", "disagreement"]
    picture = await world.picture()
    assert not any(picture[table] for table in ("event", "outcome", "suppression", "send_seen"))
    assert await world.metrics("sent", "hard_bounced") == [(1, 0), (1, 0)]


async def test_a_sender_that_is_not_ours_cannot_write_lines_into_what_operators_read(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    mail = sent.mail(
        tags={"ses:configuration-set": ["ungoverned"]}, source="a@x.com\x1b[2K\r\nHeld by root\u202e"
    )
    await world.tell(sent.bounce(mail=mail))
    ((detail,),) = await world.rows("select detail from quarantine")
    assert "x.com" in detail
    assert not text.has_control(detail)
    assert not text.has_bidi_control(detail)


async def test_mail_without_our_tags_is_an_ungoverned_send_and_suppresses_nobody(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.bounce(mail=sent.mail(tags={"ses:configuration-set": ["ungoverned"]})))
    assert await world.whys() == ["ungoverned"]
    assert await suppressed(world) == []


@pytest.mark.parametrize(
    ("over", "named"),
    [
        ({"tags": {"ses:configuration-set": ["mc-urgent"]}}, "mc-urgent"),
        ({"tags": {"ses:configuration-set": ["ungoverned"]}}, "ungoverned"),
        ({"tags": {"ses:configuration-set": ["somebody-elses"]}}, "not ours"),
        ({"tags": {"ses:tenant-name": ["mc-zenxxxxx"]}}, "mc-zenxxxxx"),
        ({"tags": {tags.TYPE: ["receipt"]}}, "signature"),
    ],
)
async def test_what_ses_says_must_agree_with_our_rows(world: World, over: dict[str, Any], named: str) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.owner.execute("update message set path = 'isolated'")
    mail = sent.mail()
    mail |= over | {"tags": mail["tags"] | over.get("tags", {})}
    await world.tell(sent.bounce(mail=mail))
    assert await world.whys() == ["disagreement"]
    assert named in (await world.rows("select detail from quarantine"))[0][0]
    assert await suppressed(world) == []


async def test_names_of_the_lane_are_accepted(world: World) -> None:
    await world.owner.execute(
        "insert into configuration_set (name, kind, class, tenant) values ('mc-own-marketing', 'dedicated', 2, $1)",
        world.tenants["acme"],
    )
    sent = await world.sent("acme", "newsletter", "Kim@Example.com")
    mail = sent.mail(destination=["kim@example.com"])
    mail["tags"] |= {
        "ses:configuration-set": ["mc-own-marketing"],
        "ses:tenant-name": [world.key("acme") + "-marketing"],
    }
    await world.tell(sent.bounce(mail=mail))
    assert await world.whys() == []


async def test_a_bounce_of_the_shared_path_names_the_ses_tenant_that_tenants_share(world: World) -> None:
    """SES names its tenant in bounces and complaints only (ses.md 4)."""
    for path in ("isolated", "shared"):
        sent = await world.sent("acme", "newsletter", f"{path}@example.com")
        await world.owner.execute(
            "update message set path = $2 where id = $1", ids.message_of(sent.delivery), path
        )
        mail = sent.mail()
        mail["tags"]["ses:tenant-name"] = ["platform"]
        await world.tell(sent.bounce(mail=mail))
    assert await world.whys() == ["disagreement"]
    assert [row[1] for row in await suppressed(world)] == ["shared@example.com"]


async def test_after_forwarding_the_address_that_we_sent_to_is_suppressed(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.bounce(bouncedRecipients=[{"emailAddress": "kim@elsewhere.example"}]))
    assert [row[1] for row in await suppressed(world)] == ["kim@example.com"]


async def test_a_second_ses_id_for_one_attempt_is_a_double(world: World) -> None:
    known = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(replace(known, ses_id="other").send())
    waiting = await world.sent("acme", "newsletter", "kim@example.com", known=False)
    await world.tell(waiting.send(), replace(waiting, ses_id="other").send())
    assert await world.whys() == ["double", "double"]
    assert await world.rows("select ses_id from send_event") == [(waiting.ses_id,)]


async def test_two_attempts_may_have_two_ses_ids_and_count_once_where_the_first_left(world: World) -> None:
    first = await world.sent("acme", "receipt", "kim@example.com", known=False)
    second = first.again(ses_id="ses-second")
    await world.owner.execute("delete from ready")
    await world.answered(second, world.tenants["acme"], world.lanes["acme", "receipt"])
    await world.tell(second.send(), second.delivery_event())
    await world.tell(first.send(), first.delivery_event())
    assert await world.whys() == []
    assert await world.metrics("minute", "sent", "delivered") == [(world.now // 60_000, 1, 1)]


async def test_an_attempt_newer_than_any_recorded_is_quarantined(world: World) -> None:
    sent = await world.sent("acme", "receipt", "kim@example.com")
    await world.tell(sent.again(ses_id="ses-later").bounce())
    assert await world.whys() == ["disagreement"]
    assert "restored" in (await world.rows("select detail from quarantine"))[0][0]
    assert await suppressed(world) == []


async def test_a_delivery_we_do_not_have_is_quarantined_unless_it_is_past_retention(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.owner.execute("delete from ledger; delete from message")
    await world.tell(sent.bounce())
    assert await world.whys() == ["unknown-delivery"]
    long_ago = world.now - 91 * DAY
    old = replace(
        sent, attempt=replace(sent.attempt, delivery=ids.first_of(long_ago) + 1, called_at=long_ago)
    )
    report = await world.tell(old.bounce())
    assert report.counted == {Kind.HARD_BOUNCE: 1}
    assert [row[1] for row in await suppressed(world)] == ["kim@example.com"]
    picture = await world.picture()
    assert not any(picture[table] for table in ("event", "outcome", "send_event"))


async def test_an_event_about_erased_mail_counts_and_suppresses_the_address_that_it_names(
    world: World,
) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.owner.execute("update message set from_address = 'erased', recipients = '{erased}'")
    report = await world.tell(sent.bounce())
    assert report.counted == {Kind.HARD_BOUNCE: 1}
    assert await world.whys() == []
    assert [row[1] for row in await suppressed(world)] == ["kim@example.com"]


async def test_retention_is_as_long_as_the_setting_says(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    long_ago = world.now - 31 * DAY
    old = replace(
        sent, attempt=replace(sent.attempt, delivery=ids.first_of(long_ago) + 1, called_at=long_ago)
    )
    assert (await world.tell(old.bounce())).counted == {}
    world.ingest = Ingest(INSTALLATION, kept_days=30)
    assert (await world.tell(old.bounce())).counted == {Kind.HARD_BOUNCE: 1}
    assert [row[1] for row in await suppressed(world)] == ["kim@example.com"]


async def test_another_installations_mail_is_counted_separately(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    theirs = replace(sent, attempt=replace(sent.attempt, installation="there"))
    await world.tell(theirs.bounce(), theirs.bounce())
    assert await world.rows("select installation, kind, documents from elsewhere") == [("there", 6, 2)]
    picture = await world.picture()
    assert not any(rows for table, rows in picture.items() if not table.startswith("cohort"))
    assert await world.metrics("sent", "hard_bounced") == [(1, 0)]


async def test_an_old_notification_without_tags_is_attributed_by_its_ses_id(world: World) -> None:
    await world.owner.execute(
        "insert into identity (tenant, domain) values ($1, 'acme.example')", world.tenants["acme"]
    )
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    event = json.loads(sent.bounce(mail={**sent.mail(), "source": "hello@news.acme.example"}))
    del event["mail"]["tags"]
    event["notificationType"] = event.pop("eventType")
    await world.tell(enveloped(json.dumps(event)))
    await world.tell(sent.bounce())
    assert await world.whys() == []
    assert await world.metrics("hard_bounced") == [(1,)]
    event["mail"]["messageId"] = "unknown"
    await world.tell(enveloped(json.dumps(event)))
    assert await world.whys() == ["ungoverned"]
    # With its envelope: a replay needs the topic.
    assert IDENTITY_TOPIC in (await world.rows("select document from quarantine"))[0][0]


async def test_without_tags_and_without_an_identity_topic_an_event_proves_nothing(world: World) -> None:
    await world.owner.execute(
        "insert into identity (tenant, domain) values ($1, 'acme.example')", world.tenants["acme"]
    )
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.delivery_event())
    event = json.loads(sent.bounce(mail={**sent.mail(), "source": "hello@news.acme.example"}))
    del event["mail"]["tags"]
    document = json.dumps(event)
    other = "arn:aws:sns:us-east-1:999999999999:mailcordon-outcome"
    await world.tell(document, enveloped(document, other), enveloped(document, None))
    assert await world.whys() == ["ungoverned"]  # one document, three times
    assert await state(world, sent.delivery) is State.DELIVERED
    assert await suppressed(world) == []


# What cannot be --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "after",
    [
        251_000_000_000_000,  # nearly the year 10000
        1_200_000 + 900_000,  # half an hour ahead of the database
        -16 * 60_000,  # before the mail
        -(10**13),  # before 1970
        None,  # no time at all
    ],
)
async def test_an_event_of_an_impossible_time_counts_when_it_arrives_and_says_so(
    world: World, after: int | None
) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    before = await world.owner.fetchval("select now_ms()")
    bounce = json.loads(sent.bounce())
    bounce["bounce"]["timestamp"] = None if after is None else iso(sent.attempt.called_at + after)
    bounce["mail"]["timestamp"] = bounce["bounce"]["timestamp"]
    report = await world.tell(json.dumps(bounce))
    assert (report.odd, report.counted) == (1, {Kind.HARD_BOUNCE: 1})
    [(at, detail)] = await world.rows("select at, detail from event")
    assert before <= at <= await world.owner.fetchval("select now_ms()")
    said = None if after is None else sent.attempt.called_at + after
    assert {name: json.loads(detail)[name] for name in ("said_at", "said_mail_at")} == {
        "said_at": said,
        "said_mail_at": said,
    }
    [(since,)] = await world.rows("select since from suppression")
    assert since == at


async def test_clocks_may_differ_by_minutes(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    for after in (-14 * 60_000, 0, 600_000, 600_000 + 13 * 60_000):
        report = await world.tell(sent.document("Open", after=after))
        assert report.odd == 0


@pytest.mark.parametrize(
    "destination", [[], ["lee@example.com"], ["lee@example.com", "max@example.com"], None]
)
async def test_an_event_that_names_others_counts_for_its_delivery_and_suppresses_its_address_alone(
    world: World, destination: list[str] | None
) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    mail = sent.mail(destination=destination)
    bounced = [{"emailAddress": address} for address in destination or ()]
    report = await world.tell(sent.bounce(mail=mail, bouncedRecipients=bounced))
    assert (report.odd, await world.whys()) == (1, [])
    assert await state(world, sent.delivery) is State.BOUNCED
    assert [row[1] for row in await suppressed(world)] == ["kim@example.com"]
    [(detail,)] = await world.rows("select detail from event")
    assert json.loads(detail)["said_to"] == (destination[0] if destination else None)


# Documents -------------------------------------------------------------------------------------------------------------------


async def test_what_cannot_be_decoded_is_quarantined_once_with_its_number_of_copies(world: World) -> None:
    await world.tell("{", "{", "not json \0 at all \ud800", '{"mail": {"tags": 3}}')
    await world.tell("{")
    assert (
        await world.rows("select why, document, copies from quarantine order by digest = $1 desc, id", b"")
        != []
    )
    assert sorted(await world.whys()) == ["malformed"] * 3
    assert await world.rows("select copies from quarantine where document = '{'") == [(3,)]


async def test_notices_are_not_quarantined(world: World) -> None:
    paused = {
        "detail-type": "Sending Status Disabled",
        "source": "aws.ses",
        "resources": ["arn:aws:ses:us-east-1:1:tenant/mc-acmexxxx/tn-1"],
        "detail": {"version": "1.0.0", "data": {"origin": "AWS_MANAGED"}},
    }
    topic = "Successfully validated SNS topic for Amazon SES event publishing."
    report = await world.tell(
        json.dumps(paused), topic, json.dumps({"Type": "Notification", "Message": topic})
    )
    assert report.notices == 3
    assert await world.rows("select what, subject from ses_notice") == [
        ("Sending Status Disabled", "arn:aws:ses:us-east-1:1:tenant/mc-acmexxxx/tn-1")
    ]
    assert await world.whys() == []


async def test_a_text_with_nul_in_it_is_stored_without(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    recipients = [{"emailAddress": "kim@example.com", "diagnosticCode": "550 \0no"}]
    await world.tell(sent.bounce(bouncedRecipients=recipients, reportingMTA="a\0b"))
    assert await world.rows("select detail from outcome") == [("550 no",)]
    assert await world.rows("select detail ->> 'reporting_mta' from event") == [("ab",)]


async def test_evidence_from_before_a_removal_does_not_stop_it_and_newer_does(world: World) -> None:
    first = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(first.bounce())
    at = world.now + 60_000
    await world.owner.execute("update suppression set removing_since = $1", at)
    second = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(second.bounce(after=2000))
    assert await world.rows("select removing_since from suppression") == [(at,)]
    third = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(third.bounce(after=61_000))
    assert await world.rows("select removing_since, since from suppression") == [(None, world.now + 61_000)]


async def test_a_replayed_event_does_not_bring_back_a_suppression_that_was_removed(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.bounce())
    await world.owner.execute("delete from suppression")
    report = await world.tell(sent.bounce())
    assert (report.copies, await suppressed(world)) == (1, [])
