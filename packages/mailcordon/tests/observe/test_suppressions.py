"""What events of SES's lists, complaints, not-spam feedback and repeated soft bounces suppress: on a real database."""

import itertools
import random

import pytest

from mailcordon.core import address
from mailcordon.core.suppression import SoftBouncePolicy

from .conftest import INSTALLATION, Sent, World

DAY = 86_400_000


async def suppressed(world: World) -> list[tuple[str, int, int, str]]:
    return [
        (row[0], row[1], row[2], row[3])
        for row in await world.rows("select address, scope, target, cause from suppression order by 1, 2, 3")
    ]


async def everything(world: World) -> list[list[tuple[object, ...]]]:
    return [
        sorted(await world.rows(f"select * from {table}"), key=repr)
        for table in ("suppression", "address_report")
    ]


async def forget(world: World) -> None:
    await world.owner.execute(
        "truncate event, outcome, send_event, send_seen, suppression, address_report, ses_entry"
    )


def not_spam(sent: Sent, *, after: int) -> str:
    return sent.complaint(complaintFeedbackType="not-spam", after=after, feedbackId=f"n-{after}")


# SES's lists -----------------------------------------------------------------------------------------------------------------


async def test_a_hit_on_the_tenants_list_suppresses_at_once_and_asks_for_ses_entry(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "Kim@example.com")
    named = [{"emailAddress": "kim@example.com"}]
    await world.tell(sent.bounce(sub_type="OnTenantSuppressionList", bouncedRecipients=named))
    assert await suppressed(world) == [("Kim@example.com", 0, 0, "ses-tenant-list")]
    wanted = await world.rows("select list, spelling, found, wanted_since is null from ses_entry order by 2")
    key = world.key("acme")
    assert sorted(wanted) == [(key, "Kim@example.com", None, False), (key, "kim@example.com", None, False)]


async def test_a_hit_because_of_a_complaint_covers_the_class_only(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.complaint(complaintSubType="OnTenantSuppressionList", complaintFeedbackType=None))
    assert await suppressed(world) == [("kim@example.com", 1, 2, "ses-tenant-complaint")]


async def test_a_hit_on_the_accounts_list_suppresses_for_the_one_tenant(world: World) -> None:
    sent = await world.sent("acme", "receipt", "kim@example.com")
    await world.tell(sent.bounce(sub_type="OnAccountSuppressionList"))
    assert await world.rows("select tenant, scope, cause from suppression") == [
        (world.tenants["acme"], 0, "ses-account-list")
    ]
    assert await world.rows("select list from ses_entry") == [("",)]


async def test_a_hit_on_the_list_of_a_classs_own_ses_tenant_covers_the_class(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    mail = sent.mail()
    mail["tags"]["ses:tenant-name"] = [world.key("acme") + "-marketing"]
    await world.tell(sent.bounce(sub_type="OnTenantSuppressionList", mail=mail))
    assert await suppressed(world) == [("kim@example.com", 1, 2, "ses-tenant-list")]


@pytest.mark.parametrize(
    ("type", "sub_type"),
    [("Transient", "OnTenantSuppressionList"), ("Permanent", "OnMoonSuppressionList"), (None, "Suppressed")],
)
async def test_a_list_that_is_not_known_suppresses_nothing(
    world: World, type: str | None, sub_type: str
) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.document("Bounce", bounceType=type, bounceSubType=sub_type))
    assert await suppressed(world) == []


async def test_ses_entry_is_read_once_for_many_hits(world: World) -> None:
    for hit in range(3):
        sent = await world.sent("acme", "newsletter", "kim@example.com")
        await world.tell(sent.bounce(sub_type="OnTenantSuppressionList"))
        if hit == 0:
            await world.owner.execute("update ses_entry set wanted_since = null, read_at = now_ms()")
    assert await world.rows("select wanted_since from ses_entry") == [(None,)]
    await world.owner.execute("update ses_entry set read_at = now_ms() - 86400001")
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.bounce(sub_type="OnTenantSuppressionList"))
    assert await world.rows("select wanted_since is null from ses_entry") == [(False,)]


# Not spam --------------------------------------------------------------------------------------------------------------------


async def test_not_spam_lifts_the_complaints_before_it_in_any_order_of_arrival(world: World) -> None:
    mails = [await world.sent("acme", "newsletter", "kim@example.com") for _ in range(4)]
    documents = [
        mails[0].complaint(after=1_000),
        mails[1].complaint(after=2_000),
        not_spam(mails[1], after=3_000),
        mails[2].complaint(after=4_000),
        mails[3].complaint(after=5_000),
    ]
    pictures: list[object] = []
    # Each document once at each place, and some orders by chance: all 120 take twenty seconds.
    chance = random.Random(7)
    turned = [documents[n:] + documents[:n] for n in range(len(documents))]
    for order in [*turned, documents[::-1], *(chance.sample(documents, 5) for _ in range(10))]:
        await forget(world)
        for document in order:
            await world.tell(document)
        pictures.append(await everything(world))
    assert all(picture == pictures[0] for picture in pictures)
    assert await world.rows("select cause, since, until from suppression") == [
        ("complaint", world.now + 4_000, None)
    ]


async def test_not_spam_after_the_only_complaint_leaves_nothing_in_any_order(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    documents = [sent.complaint(after=1_000), not_spam(sent, after=1_000), not_spam(sent, after=500)]
    for order in itertools.permutations(documents):
        await forget(world)
        await world.tell(*order)
        assert await suppressed(world) == []
        await forget(world)
        for document in [*order, *order]:
            await world.tell(document)
        assert await suppressed(world) == []


async def test_not_spam_lifts_nothing_of_another_class_tenant_or_cause(world: World) -> None:
    letter = await world.sent("acme", "newsletter", "kim@example.com")
    receipt = await world.sent("acme", "receipt", "kim@example.com")
    other = await world.sent("zen", "newsletter", "kim@example.com")
    gone = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(letter.complaint(), receipt.complaint(), other.complaint(), gone.bounce())
    await world.tell(not_spam(letter, after=9_000))
    rows = await world.rows("select tenant, scope, target, cause from suppression order by 1, 2, 3")
    acme, zen = world.tenants["acme"], world.tenants["zen"]
    assert rows == [(acme, 0, 0, "hard-bounce"), (acme, 1, 1, "complaint"), (zen, 1, 2, "complaint")]


async def test_not_spam_leaves_what_a_person_added(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.complaint())
    await world.owner.execute("update suppression set cause = 'manual', by = 'Ana'")
    await world.tell(not_spam(sent, after=9_000))
    assert await suppressed(world) == [("kim@example.com", 1, 2, "manual")]


# Soft bounces ----------------------------------------------------------------------------------------------------------------


async def soft(world: World, days: list[float], to: str = "full@example.org", **more: object) -> list[str]:
    start = world.now - 40 * DAY
    documents: list[str] = []
    for day in days:
        sent = await world.sent("acme", "newsletter", to, at=start + int(day * DAY))
        documents.append(sent.bounce(*more.get("as_", ("Transient", "MailboxFull"))))  # type: ignore[misc]
    return documents


async def test_five_full_mailboxes_over_three_days_are_off_for_thirty_days_in_any_order(world: World) -> None:
    documents = await soft(world, [0, 0.1, 1, 2, 3.5, 3.6])
    pictures: list[object] = []
    chance = random.Random(7)
    orders = [documents, documents[::-1]] + [chance.sample(documents, 6) for _ in range(6)]
    for order in orders:
        await forget(world)
        for document in [*order, *order[:3]]:
            await world.tell(document)
        pictures.append(await everything(world))
    assert all(picture == pictures[0] for picture in pictures)
    last = world.now - 40 * DAY + int(3.6 * DAY) + 1_000
    assert await world.rows("select scope, cause, since, until from suppression") == [
        (0, "soft-bounces", last, last + 30 * DAY)
    ]


@pytest.mark.parametrize(
    "days",
    [[0, 1, 2, 3], [0, 0.5, 1, 2, 2.9], [0, 4, 8, 12, 16], [0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4]],
)
async def test_too_few_too_close_or_too_far_apart_suppress_nothing(world: World, days: list[float]) -> None:
    await world.tell(*await soft(world, days))
    assert await suppressed(world) == []


@pytest.mark.parametrize(
    "as_",
    [("Transient", "General"), ("Transient", "MessageTooLarge"), ("Transient", "ContentRejected")],
)
async def test_soft_bounces_that_say_nothing_of_the_mailbox_do_not_count(
    world: World, as_: tuple[str, str]
) -> None:
    await world.tell(*await soft(world, [0, 1, 2, 3, 4], as_=as_))
    assert await suppressed(world) == []


async def test_marketing_mail_pauses_for_hours_after_three_full_mailboxes_in_any_order(world: World) -> None:
    documents = await soft(world, [0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07])
    last = world.now - 40 * DAY + int(0.07 * DAY) + 1_000
    for order in (documents, documents[::-1], documents[4:] + documents[:4]):
        await forget(world)
        for document in order:
            await world.tell(document)
        assert await world.rows("select scope, target, cause, until from suppression") == [
            (1, 2, "soft-bounces", last + DAY // 4)
        ]


async def test_other_mail_neither_pauses_nor_counts_for_the_pause(world: World) -> None:
    at = world.now - 40 * DAY
    for after in (0, 60_000, 120_000):
        sent = await world.sent("acme", "password-reset", "full@example.org", at=at + after)
        await world.tell(sent.bounce("Transient", "MailboxFull"))
    assert await suppressed(world) == []


async def test_the_policy_is_a_setting(world: World) -> None:
    world.ingest._soft_bounces = SoftBouncePolicy(count=2, spread_ms=0)  # pyright: ignore[reportPrivateUsage]
    await world.tell(*await soft(world, [0, 0.00001]))
    assert [row[3] for row in await suppressed(world)] == ["soft-bounces"]
    await forget(world)
    world.ingest._soft_bounces = SoftBouncePolicy(count=0)  # pyright: ignore[reportPrivateUsage]
    await world.tell(*await soft(world, [0, 1, 2, 3, 4, 5]))
    assert await suppressed(world) == []
    await forget(world)
    world.ingest._soft_bounces = SoftBouncePolicy(pause_count=0)  # pyright: ignore[reportPrivateUsage]
    await world.tell(*await soft(world, [0, 0.01, 0.02, 0.03]))
    assert await suppressed(world) == []


async def test_only_twenty_reports_of_a_day_are_kept_whatever_came_first(world: World) -> None:
    midnight = -(world.now % DAY) / DAY  # at another hour they may be of two days, and of none twenty
    documents = await soft(world, [midnight + day / 100 for day in range(30)])
    kept: list[object] = []
    for order in (documents, documents[::-1], documents[15:] + documents[:15]):
        await forget(world)
        for start in range(0, 30, 7):
            await world.tell(*order[start : start + 7])
        kept.append(await world.rows("select at from address_report order by at"))
    assert kept[0] == kept[1] == kept[2]
    days = await world.rows("select at / 86400000, count(*) from address_report group by 1")
    assert max(count for _, count in days) == 20


# People and forms of an address ----------------------------------------------------------------------------------------------


async def test_a_removal_that_is_done_stands_against_evidence_from_before_it(world: World) -> None:
    hash = address.hash_of(INSTALLATION.hash_key, address.parse("kim@example.com"))
    await world.owner.execute(
        "insert into suppression_removal (tenant, hash, scope, target, at)"
        " values ($1, $2, 0, 0, $3), ($1, $2, 1, 2, $3)",
        world.tenants["acme"], hash, world.now + 2_000,
    )  # fmt: skip
    older = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(older.bounce(after=1_000), older.complaint(after=2_000))
    assert await suppressed(world) == []
    newer = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(newer.bounce(after=2_001), newer.complaint(after=2_001))
    assert [row[1] for row in await suppressed(world)] == [0, 1]


async def test_forms_of_one_mailbox_are_suppressed_as_one(world: World) -> None:
    forms = [
        "Kim@müller.example",
        "kim@MÜLLER.example",
        "KIM@xn--mller-kva.example",
        "kim@xn--mller-kva.EXAMPLE",
    ]
    hashes = {address.hash_of(INSTALLATION.hash_key, address.parse(form)) for form in forms}
    assert len(hashes) == 1
    sent = await world.sent("acme", "newsletter", str(address.parse(forms[0])))
    await world.tell(sent.bounce())
    assert await world.rows("select count(*) from suppression where hash = $1", hashes.pop()) == [(1,)]
