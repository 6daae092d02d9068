"""What tenants are told of their own holds: real database, real HTTP. The receiver counts."""

import json
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.contact_store import MOST_AN_HOUR
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.secrets import Vault
from mailcordon.control.governor import Governor
from mailcordon.core.hold import NewHold
from mailcordon.core.target import Target
from mailcordon_fixtures.alerting import AlertWorld
from mailcordon_fixtures.receiver import Receiver

HOUR = 3_600_000


class Tenants:
    """Two tenants with a lane each; acme has a contact."""

    def __init__(self, told: AlertWorld, governor: Governor, ids: dict[str, int], secret: str) -> None:
        self.told, self.governor, self.ids, self.secret = told, governor, ids, secret

    async def hold(self, slug: str = "acme", because: str = "bounces", **more: Any) -> int:
        target = Target(tenant=self.ids[slug], campaign=more.pop("campaign", None))
        new = NewHold(target=target, owner="person", because=because, **more)
        return (await self.governor.place(new, actor="ann (key ann, k7pq2m9d)")).id

    async def lift(self, hold: int) -> None:
        await self.governor.lift([hold], tenant=self.ids["acme"], actor="ann", because="ok")

    async def stop(self, cause: str = "tenant-paused") -> int:
        return await self.told.owner.fetchval(
            "insert into stop (scope, name, tenant, cause, because, said, urgent, since, last_seen, probe_at)"
            " values ('tenant', 'mc-acme', $1, $2, 'SES has paused this tenant', 'secret words of SES', false,"
            " now_ms(), now_ms(), now_ms()) returning id",
            self.ids["acme"],
            cause,
        )


@pytest.fixture
async def tenants(told: AlertWorld, database: Any, receiver: Receiver) -> Any:
    pool = await engine.create_pool(database.dsn("governor"))
    ids: dict[str, int] = {}
    for slug in ("acme", "zen-shop"):
        ids[slug] = await told.owner.fetchval(
            "insert into tenant (key, slug) values ($1, $2) returning id",
            f"mc-{slug.replace('-', '')}00000",
            slug,
        )
    await told.owner.execute(
        "insert into identity (tenant, domain) values ($1, 'mail.zen.example')", ids["zen-shop"]
    )
    secret = await told.channels.set_contact(
        ids["acme"],
        "acme",
        email=None,
        url=f"{receiver.url}/tenant",
        channel=None,
        tell=["holds"],
        actor="ann",
        because=None,
    )
    yield Tenants(told, Governor(GovernorStore(pool)), ids, secret or "")
    await pool.close()


def items(receiver: Receiver) -> list[tuple[str, int, str]]:
    return [
        (item["kind"], item["number"], item["state"])
        for got in receiver.take()
        for item in got.json["data"]["items"]
    ]


async def test_a_hold_is_told_within_a_minute_with_what_why_and_how_to_resume_and_that_it_is_over(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    hold = await tenants.hold(campaign="spring-sale")
    await told.notices()
    await told.notices()
    (got,) = receiver.take()
    assert got.path == "/hook/tenant"
    assert got.headers["webhook-signature"].startswith("v1,")
    (item,) = got.json["data"]["items"]
    assert item["mail"] == "all mail of acme, campaign spring-sale"
    assert item["why"] == "bounces"
    assert f"lift hold {hold}" in item["resume"]
    await tenants.lift(hold)
    await told.notices()
    await told.notices()
    assert items(receiver) == [("hold", hold, "released")]


async def test_a_notice_names_no_other_tenant_no_secret_and_not_who_placed_the_hold(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    await tenants.hold(
        because="as with zen-shop (mail.zen.example): key mck_abcdefgh_" + "x" * 43 + " leaked, Zen-Shop too"
    )
    await told.notices()
    (got,) = receiver.take()
    text = got.body.decode()
    for hidden in ("zen-shop", "Zen-Shop", "mail.zen.example", "x" * 43, "ann", tenants.secret):
        assert hidden not in text
    assert "another tenant" in text


async def test_a_tenant_is_told_of_its_own_holds_only_and_one_without_a_contact_of_none(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    await tenants.hold("zen-shop")
    await told.notices()
    assert receiver.take() == []


async def test_what_changes_together_is_one_notice(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    holds = [await tenants.hold(campaign=f"c{n}") for n in range(5)]
    await told.notices()
    got = receiver.take()
    assert len(got) == 1
    assert [item["number"] for item in got[0].json["data"]["items"]] == holds


async def test_a_hold_that_only_slows_is_not_told(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    await tenants.hold(stops=False, rate=5.0)
    await told.notices()
    assert receiver.take() == []


async def test_a_stop_by_ses_is_told_in_the_tenants_words_once_it_has_lasted(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    stop = await tenants.stop()
    await told.notices(after_ms=10_000)
    assert receiver.take() == []
    await told.notices(after_ms=15_000)
    (got,) = receiver.take()
    assert [(one["kind"], one["number"]) for one in got.json["data"]["items"]] == [("stop", stop)]
    assert "SES has paused this tenant" in got.body.decode()
    await told.owner.execute(
        "update stop set ended_at = now_ms(), ended_by = 'x', ended_because = 'x' where id = $1", stop
    )
    await told.notices()
    assert items(receiver) == [("stop", stop, "released")]


async def test_holds_that_come_and_go_are_a_bounded_number_of_notices_and_none_is_lost(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    holds: list[int] = []
    for n in range(MOST_AN_HOUR + 8):
        holds.append(await tenants.hold(campaign=f"c{n}"))
        await told.notices()
    assert len(receiver.take()) == MOST_AN_HOUR
    await told.notices(after_ms=HOUR)
    (got,) = receiver.take()
    assert [item["number"] for item in got.json["data"]["items"]] == holds[MOST_AN_HOUR:]


async def test_a_notice_that_fails_is_sent_again_with_its_id(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    await tenants.hold()
    receiver.answer(500)
    await told.notices()
    (shown,) = await told.contacts.contacts(tenants.ids["acme"], as_tenant=False)
    assert (shown.failing_since is not None, shown.problem) == (True, "the answer was 500")
    await told.notices()
    first, second = receiver.take()
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    (shown,) = await told.contacts.contacts(tenants.ids["acme"], as_tenant=False)
    assert shown.problem is None


async def test_a_contact_that_is_told_nothing_or_removed_gets_nothing(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    hold = await tenants.hold()
    await told.contacts.plan()
    acme = tenants.ids["acme"]
    assert await told.contacts.remove(acme, "acme", "webhook", actor="ann", because="left")
    await told.notices()
    assert receiver.take() == []
    await told.channels.set_contact(
        acme, "acme", email=None, url=receiver.url, channel=None, tell=[], actor="ann", because=None
    )
    await tenants.lift(hold)
    await tenants.hold(campaign="more")
    await told.notices()
    assert receiver.take() == []


async def test_the_contact_of_a_retired_tenant_is_forgotten_and_erasure_takes_it_out_of_the_audit(
    told: AlertWorld, tenants: Tenants
) -> None:
    acme = tenants.ids["acme"]
    await told.owner.execute("update tenant set retiring_at = now(), retired_at = now() where id = $1", acme)
    await told.contacts.forget_retired()
    assert await told.owner.fetchval("select count(*) from tenant_contact") == 0
    rows = await told.owner.fetch("select * from audit where action = 'contact.set'")
    assert len(rows) == 1
    assert "127.0.0.1" not in json.dumps([rows[0]["object"], rows[0]["because"]])


async def test_a_notice_waits_while_the_lane_that_would_carry_it_cannot(
    told: AlertWorld, tenants: Tenants
) -> None:
    """Its channel's lane was retired: the mail would be refused, or wait without end."""
    acme = tenants.ids["acme"]
    lane = await told.owner.fetchval(
        "with turn as (insert into turn (tenant, class) values ($1, 1) returning id)"
        " insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend)"
        " select $1, y.id, 1, turn.id, 1000, 1000, true from turn cross join message_type y where y.name = 'invoice'"
        " returning id",
        tenants.ids["zen-shop"],
    )
    secret = Vault([told.secret_key]).encrypt(b'{"to": "ops@platform.example", "key": "mck_"}')
    channel = await told.owner.fetchval(
        "insert into alert_channel (name, form, target, secret, tenant, lane, sender, least, made_at, made_by)"
        " values ('mail', 'email', 'ops@platform.example', $1, $2, $3, 'a@mail.zen.example', 'low', 0, 'ann') returning id",
        secret,
        tenants.ids["zen-shop"],
        lane,
    )
    assert channel
    await told.channels.set_contact(
        acme,
        "acme",
        email="ops@acme.example",
        url=None,
        channel="mail",
        tell=["holds"],
        actor="ann",
        because=None,
    )
    await tenants.hold()
    await told.notices()
    notices = await told.contacts.notices(acme, as_tenant=False, before=None, limit=10)
    (waiting,) = [one for one in notices if one.form == "email"]
    assert waiting.sent_at is None
    assert waiting.due_at is not None
    assert "is held or stopped itself" in (waiting.problem or "")
    assert "is held or stopped itself" in (await told.channels.try_out("mail") or "")
    (shown,) = [
        one
        for one in await told.contacts.notices(acme, as_tenant=True, before=None, limit=9)
        if one.form == "email"
    ]
    contacts = await told.contacts.contacts(acme, as_tenant=True)
    for problem in (shown.problem, next(one.problem for one in contacts if one.form == "email")):
        assert problem
        assert "lane" not in problem  # it is another tenant's, and has its name


async def test_what_is_over_by_the_time_a_notice_arrives_is_not_told_as_held(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    hold = await tenants.hold()
    receiver.answer(503)
    await told.notices()
    receiver.take()
    await tenants.lift(hold)
    await told.notices()
    await told.notices(after_ms=HOUR // 2)
    assert items(receiver) == [("hold", hold, "released")]


async def test_a_part_of_a_name_hides_all_of_it_and_the_tenants_own_names_stay(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    await told.owner.execute("insert into tenant (key, slug) values ('mc-mail00000', 'mail')")
    await told.owner.execute(
        "insert into identity (tenant, domain) values ($1, 'mail.acme.example')", tenants.ids["acme"]
    )
    await tenants.hold(
        because="eu.mail.zen.example and mc-zenshop00000-urgent hurt mail.acme.example of acme"
    )
    await told.notices()
    (item,) = receiver.take()[0].json["data"]["items"]
    assert item["why"] == "another tenant and another tenant hurt mail.acme.example of acme"


async def test_a_tenant_with_thousands_of_holds_delays_no_other(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    await told.owner.execute(
        "insert into hold (tenant, campaign, owner, because, by, since, stops)"
        " select $1, 'c' || n, 'person', 'x', 'ann', now_ms() - 10000, true from generate_series(1, 2100) n",
        tenants.ids["acme"],
    )
    await told.channels.set_contact(
        tenants.ids["zen-shop"],
        "zen-shop",
        email=None,
        url=f"{receiver.url}/zen",
        channel=None,
        tell=["holds"],
        actor="ann",
        because=None,
    )
    await tenants.hold("zen-shop")
    await told.notices()
    assert "/hook/zen" in [got.path for got in receiver.take()]


async def test_a_notice_that_cannot_be_written_keeps_no_other_from_being_told(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    await told.channels.set_contact(
        tenants.ids["zen-shop"],
        "zen-shop",
        email=None,
        url=f"{receiver.url}/zen",
        channel=None,
        tell=["holds"],
        actor="ann",
        because=None,
    )
    broken = Vault([told.secret_key]).encrypt(b"{}")
    await told.owner.execute(
        "update tenant_contact set secret = $1 where tenant = $2", broken, tenants.ids["acme"]
    )
    await tenants.hold()
    await tenants.hold("zen-shop")
    await told.notices()
    assert [got.path for got in receiver.take()] == ["/hook/zen"]


async def test_what_was_told_and_is_over_is_not_kept(
    told: AlertWorld, tenants: Tenants, receiver: Receiver
) -> None:
    hold = await tenants.hold()
    await told.notices()
    await tenants.lift(hold)
    await told.notices()
    await told.contacts.forget_retired()
    assert await told.owner.fetchval("select count(*) from tenant_told") == 0
    receiver.take()
    await told.notices()
    assert receiver.take() == []


async def test_a_tenant_is_told_that_its_webhook_is_paused_and_once_that_it_is_resumed(
    tenants: Tenants, receiver: Receiver
) -> None:
    told = tenants.told
    await told.owner.execute(
        "insert into webhook_endpoint (name, tenant, form, target, events, made_at, made_by, paused_at, paused_by,"
        " paused_because) select name, $1, 'standard', 'hooks.acme.example', '{lane.held}', 1, 'ann', now_ms(), by,"
        " 'nothing arrived for a day'"
        " from (values ('app', 'mailcordon'), ('by-hand', 'ann')) x (name, by)",
        tenants.ids["acme"],
    )
    assert await told.notices() == 1
    assert await told.notices() == 0
    await told.owner.execute(
        "update webhook_endpoint set paused_at = null, paused_by = null, paused_because = null"
    )
    assert await told.notices() == 1
    paused, resumed = (got.json["data"] for got in receiver.take())
    assert [(one["kind"], one["state"]) for one in (*paused["items"], *resumed["items"])] == [
        ("webhook", "held"),
        ("webhook", "released"),
    ]
    for part in ("Paused: webhook app (hooks.acme.example)", "nothing arrived for a day", "resume app"):
        assert part in paused["text"]
    assert "Resumed: webhook app" in resumed["text"]
