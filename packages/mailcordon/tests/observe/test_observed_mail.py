"""Mail that did not pass through us counts for the tenant that a rule names, as our own mail does (docs/observe-only.md)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailcordon.adapters.db import cohort_rebuild
from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.event import Kind
from mailcordon.observe.ingest import Ingest, Report

from .conftest import INSTALLATION, World, iso

DAY = 24 * 3600 * 1000


@dataclass(frozen=True)
class Mail:
    """A mail of a set-up that is not ours, and what SES reports of it."""

    ses_id: str
    at: int
    to: Sequence[str] = ("kim@example.com",)
    tags: dict[str, str] = field(default_factory=dict[str, str])
    source: str = "hello@mail.acme.example"
    set: str = "shared"
    identity: str = "mail.acme.example"

    def document(self, type: str, *, after: int = 1000, **member: Any) -> str:
        tags = {name: [value] for name, value in self.tags.items()}
        return json.dumps(
            {
                "eventType": type,
                "mail": {
                    "timestamp": iso(self.at),
                    "messageId": self.ses_id,
                    "source": self.source,
                    "sourceArn": f"arn:aws:ses:us-east-1:123456789012:identity/{self.identity}",
                    "destination": list(self.to),
                    "tags": {
                        **tags,
                        "ses:configuration-set": [self.set],
                        "ses:caller-identity": ["app"],
                    },
                },
                type.lower(): {"timestamp": iso(self.at + after), **member},
            }
        )

    def send(self) -> str:
        return self.document("Send")

    def delivery(self, *to: str) -> str:
        return self.document("Delivery", recipients=list(to or self.to), smtpResponse="250 ok")

    def bounce(self, *to: str) -> str:
        return self.document(
            "Bounce",
            bounceType="Permanent",
            bounceSubType="General",
            bouncedRecipients=[{"emailAddress": one} for one in to or self.to],
            feedbackId=f"f-{self.ses_id}-{to}",
        )

    def complaint(self, *to: str) -> str:
        return self.document(
            "Complaint",
            complainedRecipients=[{"emailAddress": one} for one in to or self.to],
            complaintFeedbackType="abuse",
            feedbackId=f"c-{self.ses_id}",
        )


async def rule(
    world: World, by: str, value: str, slug: str, type: str | None = "newsletter", **more: Any
) -> None:
    if slug not in world.tenants:
        world.tenants[slug] = await world.owner.fetchval(
            "insert into tenant (key, slug, observed) values ($1, $2, true) returning id",
            world.key(slug),
            slug,
        )
    await world.owner.execute(
        "insert into observed_rule (by, name, value, tenant, type, type_tag, created_by)"
        " values ($1, $2, $3, $4, (select id from message_type where name = $5), $6, 'test')",
        by,
        more.get("name"),
        value,
        world.tenants[slug],
        type,
        more.get("type_tag"),
    )
    await world.owner.execute("update epoch set value = value + 1 where name = 'control'")


def mail(world: World, n: int = 1, **more: Any) -> Mail:
    return Mail(**{"ses_id": f"0100-{n:06}", "at": world.now, **more})


async def counts(world: World) -> list[tuple[Any, ...]]:
    """By tenant, type and path."""
    await world.cohorts.fold()
    return await world.rows(
        "select e.slug, t.name, s.path, sum(c.sent)::int, coalesce(sum(c.send_events), 0)::int,"
        " coalesce(sum(c.delivered), 0)::int, coalesce(sum(c.hard_bounced), 0)::int, coalesce(sum(c.complained), 0)::int"
        " from cohort_minute c join slice s on s.id = c.slice join lane l on l.id = s.lane"
        " join tenant e on e.id = l.tenant join message_type t on t.id = l.type group by 1, 2, 3 order by 1, 2, 3"
    )


@pytest.fixture
async def alone(world: World) -> World:
    """An installation that only observes."""
    world.ingest = Ingest(INSTALLATION, observe_only=True)
    return world


async def test_mapped_mail_counts_for_its_tenant_and_suppresses_its_address(alone: World) -> None:
    await rule(alone, "tag", "7", "shop", name="customer")
    first = mail(alone, tags={"customer": "7"})
    report = await alone.tell(first.send(), first.bounce())
    assert (report.observed, report.unmapped, report.quarantined) == (2, 0, {})
    assert await counts(alone) == [("shop", "newsletter", "observed", 1, 1, 0, 1, 0)]
    assert await alone.rows("select tenant, address, cause from suppression") == [
        (alone.tenants["shop"], "kim@example.com", "hard-bounce")
    ]
    [(delivery, state)] = await alone.rows("select id, state from outcome")
    assert (ids.ms_of(delivery), state) == (first.at, State.BOUNCED)


async def test_events_count_once_in_any_order_and_batch(alone: World) -> None:
    await rule(alone, "from", "acme.example", "shop")
    first = mail(alone)
    for document in (first.delivery(), first.send(), first.delivery(), first.complaint(), first.send()):
        await alone.tell(document)
    assert await counts(alone) == [("shop", "newsletter", "observed", 1, 1, 1, 0, 1)]
    assert await alone.rows("select count(*)::int from ledger") == [(1,)]


async def test_each_recipient_is_a_delivery(alone: World) -> None:
    await rule(alone, "from", "acme.example", "shop")
    to = ("a@example.com", "b@example.com", "c@example.com")
    first = mail(alone, to=to)
    await alone.tell(first.send(), first.bounce("B@example.com"), first.delivery("a@example.com"))
    assert await counts(alone) == [("shop", "newsletter", "observed", 3, 3, 1, 1, 0)]
    assert await alone.rows("select address from suppression") == [("b@example.com",)]


async def test_one_complaint_counts_once_and_closes_every_address_that_it_may_be_from(alone: World) -> None:
    await rule(alone, "from", "acme.example", "shop")
    first = mail(alone, to=("a@example.com", "b@example.com", "c@else.example"))
    await alone.tell(first.send(), first.complaint("a@example.com", "b@example.com"))
    assert await counts(alone) == [("shop", "newsletter", "observed", 3, 3, 0, 0, 1)]
    assert await alone.rows("select address from suppression order by 1") == [
        ("a@example.com",),
        ("b@example.com",),
    ]


async def test_an_open_of_a_mail_to_several_counts_for_nobody(alone: World) -> None:
    await rule(alone, "from", "acme.example", "shop")
    first = mail(alone, to=("a@example.com", "b@example.com"))
    report = await alone.tell(first.send(), first.document("Open"))
    assert (report.odd, report.quarantined) == (1, {})


async def test_the_first_rule_that_fits_decides(alone: World) -> None:
    """Tag, configuration set, sender's address, its domain, those above it, identity."""
    tagged = mail(alone, 1, tags={"customer": "7"})
    plain = mail(alone, 2)
    for by, value, slug, more, expected in (
        ("identity", "mail.acme.example", "lowest", {}, "lowest"),
        ("from", "acme.example", "above", {}, "above"),
        ("from", "mail.acme.example", "domain", {}, "domain"),
        ("from", "hello@mail.acme.example", "address", {}, "address"),
        ("set", "shared", "set", {}, "set"),
    ):
        await rule(alone, by, value, slug, **more)
        own = mail(alone, 10 + len(alone.tenants), tags=plain.tags)
        report = await alone.tell(own.send())
        assert [one.lane.tenant for one in report.new] == [alone.tenants[expected]]
    await rule(alone, "tag", "7", "tag", name="customer")
    report = await alone.tell(tagged.send())
    assert [one.lane.tenant for one in report.new] == [alone.tenants["tag"]]


async def test_a_delivery_stays_with_its_tenant_when_the_rules_change(alone: World) -> None:
    await rule(alone, "from", "acme.example", "shop")
    first = mail(alone)
    await alone.tell(first.send())
    await rule(alone, "set", "shared", "other")
    await alone.tell(first.bounce())
    assert await counts(alone) == [("shop", "newsletter", "observed", 1, 1, 0, 1, 0)]


async def test_the_type_is_read_from_a_tag_where_a_rule_says_so(alone: World) -> None:
    await rule(alone, "from", "acme.example", "shop", None, type_tag="kind")
    invoice, unknown = mail(alone, 1, tags={"kind": "invoice"}), mail(alone, 2, tags={"kind": "no-such"})
    report = await alone.tell(invoice.send(), unknown.send())
    assert [one.lane.type for one in report.new] == ["invoice"]
    assert report.unmapped == 1
    assert await alone.rows("select why from observed_unmapped") == [("no-type",)]


async def test_unmapped_mail_is_counted_by_origin_and_not_quarantined(alone: World) -> None:
    for n in range(3):
        one = mail(alone, n, tags={"customer": "9"})
        await alone.tell(one.send(), one.delivery())
    assert await alone.whys() == []
    assert await alone.rows(
        "select identity, from_domain, configuration_set, events, mails, why, tags from observed_unmapped"
    ) == [("mail.acme.example", "mail.acme.example", "shared", 6, 3, "no-rule", ["customer=9"])]


async def test_mapped_mail_stays_ungoverned_where_we_send_too(world: World) -> None:
    await rule(world, "from", "acme.example", "shop")
    report = await world.tell(mail(world).send())
    assert (report.observed, report.quarantined) == (1, {"ungoverned": 1})
    assert await counts(world) == [("shop", "newsletter", "observed", 1, 1, 0, 0, 0)]


async def test_two_deliveries_whose_ids_collide_are_two(
    alone: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailcordon.observe.observing.slot_of", lambda ses_id, recipient: 65_535)
    await rule(alone, "from", "acme.example", "shop")
    mails = [mail(alone, n) for n in range(4)]
    await alone.tell(*[one.send() for one in mails])
    await alone.tell(*[one.delivery() for one in reversed(mails)])
    assert await counts(alone) == [("shop", "newsletter", "observed", 4, 4, 4, 0, 0)]
    assert await alone.rows("select count(*)::int from outcome") == [(4,)]


async def test_observed_mail_settles_no_call_and_asks_nothing_of_ses(alone: World) -> None:
    await rule(alone, "from", "acme.example", "shop")
    first = mail(alone)
    hit = first.document(
        "Bounce",
        bounceType="Permanent",
        bounceSubType="OnAccountSuppressionList",
        bouncedRecipients=[{"emailAddress": "kim@example.com"}],
        feedbackId="f",
    )
    await alone.tell(first.send(), hit)
    for table in ("send_event", "send_seen", "ses_entry", "ses_unlisting", "ses_resource", "route"):
        assert await alone.rows(f"select * from {table}") == [], table


async def test_mail_past_retention_suppresses_and_is_not_counted(alone: World) -> None:
    await rule(alone, "from", "acme.example", "shop")
    await alone.tell(mail(alone, 1).send())
    old = mail(alone, 2, at=alone.now - 91 * DAY, to=("old@example.com",))
    await alone.tell(old.bounce())
    assert await counts(alone) == [("shop", "newsletter", "observed", 1, 1, 0, 0, 0)]
    assert await alone.rows("select address from suppression") == [("old@example.com",)]


async def test_mail_past_retention_suppresses_for_a_tenant_that_had_no_mail_before(alone: World) -> None:
    await rule(alone, "from", "acme.example", "shop")
    await alone.tell(mail(alone, at=alone.now - 91 * DAY, to=("old@example.com",)).bounce())
    assert await counts(alone) == []
    assert await alone.rows("select address from suppression") == [("old@example.com",)]


async def test_mail_whose_rule_was_removed_a_moment_ago_is_unmapped(alone: World) -> None:
    await rule(alone, "from", "acme.example", "shop")
    await alone.tell(mail(alone, 1).send())
    await alone.owner.execute("delete from observed_rule")  # no observer knows it yet
    report = await alone.tell(mail(alone, 2).send(), mail(alone, 3, at=alone.now - 91 * DAY).bounce())
    assert (report.observed, report.unmapped) == (0, 2)
    assert await alone.rows("select events, mails, why from observed_unmapped") == [(2, 1, "no-rule")]


async def test_counts_of_observed_mail_are_what_a_rebuild_computes(alone: World) -> None:
    await rule(alone, "from", "acme.example", "shop")
    mails = [mail(alone, n, to=(f"{n}@example.com", f"{n}@gmail.com")) for n in range(5)]
    await alone.tell(*[one.send() for one in mails], *[one.bounce(one.to[0]) for one in mails[:2]])
    await alone.tell(
        *[one.document("Subscription") for one in mails], mail(alone, 9).document("Subscription")
    )
    await alone.cohorts.fold()
    compared = await cohort_rebuild.rebuild(alone.owner, 0, check=True)
    assert (compared.differences, compared.sums) == ([], 0)


async def test_our_own_mail_does_not_ask_for_rules(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*arguments: object, **more: object) -> None:
        raise AssertionError("own mail needs no rules")

    monkeypatch.setattr("mailcordon.observe.observed_mail.attribute", never)
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    report: Report = await world.tell(sent.send())
    assert report.counted == {Kind.SEND: 1}
