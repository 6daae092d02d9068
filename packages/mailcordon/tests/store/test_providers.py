"""Learning who receives the mail of domains: on a real database, with the local SES's name server for the DNS."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.provider_store import ProviderFeed, ProviderStore
from mailcordon.adapters.db.status_reader import StatusReader
from mailcordon.adapters.dns.reply import Server
from mailcordon.adapters.dns.resolver import Resolver
from mailcordon.control.governor import Governor
from mailcordon.control.provider_learning import ProviderLearning
from mailcordon.control.providers import Providers
from mailcordon.core.hold import NewHold
from mailcordon.core.mailbox_hosts import Found
from mailcordon.core.provider import Provider
from mailcordon.core.reason import Reason
from mailcordon.core.target import Target
from mailcordon.send.holds import Holds
from mailcordon.send.moves import Why
from mailcordon.send.provider_table import ProviderTable
from mailcordon_fixtures.calls import Caller
from seslocal import server
from seslocal.state.name_faults import NameFault
from seslocal.state.settings import Settings
from seslocal.state.zone import Record

MINUTE = 29_000_000
FOR_EVER = 10**12  #: ms


@dataclass
class Learning:
    owner: Any
    pool: engine.Pool
    local: server.Local
    store: ProviderStore
    learning: ProviderLearning
    feed: ProviderFeed
    table: ProviderTable

    def mx(self, domain: str, *hosts: str) -> None:
        self.local.account.zone.put([Record(domain, "MX", f"10 {host}.") for host in hosts])

    def break_dns(self, domain: str, rcode: str | None = "SERVFAIL") -> None:
        self.local.account.faults.names.put(NameFault(name=domain, rcode=rcode))

    async def want(self, *domains: str) -> None:
        await self.feed.want(dict.fromkeys(domains, "acme"))

    async def learn(self, *domains: str) -> None:
        await self.want(*domains)
        await self.learning.advance()

    async def expire(self) -> None:
        await self.owner.execute("update domain_provider set expires_at = now_ms() - 1")

    async def counted(self, domain: str, minute: int = MINUTE, *, sent: int = 1) -> None:
        """So much mail of unknown provider was handed to SES."""
        lane = await self.owner.fetchrow("select id, tenant from lane limit 1")
        await self.owner.execute(
            "insert into cohort_change (tenant, lane, minute, path, provider, domain, counts)"
            " values ($1, $2, $3, 'isolated', -1, $4, $5)",
            lane["tenant"],
            lane["id"],
            minute,
            domain,
            [sent, sent],
        )
        await self.fold()

    async def fold(self) -> None:
        while await self.owner.fetchval("select fold_cohorts(1000)"):
            pass

    async def sent(self) -> dict[tuple[int, int], int]:
        """By minute and provider."""
        await self.fold()
        rows = await self.owner.fetch(
            "select minute, provider, sum(sent)::int as sent, sum(send_events)::int as events from cohort_minute group by 1, 2"
        )
        assert all(row["sent"] == row["events"] for row in rows)
        return {(row["minute"], row["provider"]): row["sent"] for row in rows if row["sent"]}


@pytest.fixture
async def learn(world: Any) -> AsyncIterator[Learning]:
    await world.lane("acme", "newsletter")
    local = server.Local(Settings(strict=True, dns_port=0), server.Clock())
    await local.listen("127.0.0.1", 0)
    pool = await engine.create_pool(world.database.dsn("control"), max_size=2)
    feed = ProviderFeed(world.database.dsn("send"))
    store = ProviderStore(pool)
    assert local.names is not None
    resolver = Resolver([Server("127.0.0.1", local.names.port)], seconds=2.0)

    def look(seconds: float, questions: int) -> Any:
        return resolver.check(authoritative=False, seconds=seconds, questions=questions)

    learning = ProviderLearning(store, look, local=True)
    yield Learning(world.connection, pool, local, store, learning, feed, ProviderTable(feed))
    await feed.close()
    await pool.close()
    await local.close()


async def test_a_domain_is_learnt_after_the_first_mail_and_known_everywhere(learn: Learning) -> None:
    learn.mx("acme.test", "aspmx.l.google.com", "alt1.aspmx.l.google.com")
    assert learn.table.of("acme.test") == Provider.UNKNOWN
    await learn.table.read()
    assert await learn.learning.advance() == 1
    await learn.table.read()
    assert learn.table.of("acme.test") == Provider.GMAIL
    another = ProviderTable(learn.feed)
    await another.read()
    assert another.of("acme.test") == Provider.GMAIL
    assert await learn.owner.fetchval("select count(*) from domain_wanted") == 0
    assert await learn.learning.advance() == 0


async def test_many_domains_are_learnt_in_one_pass(learn: Learning) -> None:
    names = [f"d{number}.test" for number in range(60)]
    for number, name in enumerate(names):
        learn.mx(name, "mx1.ppe-hosted.com" if number % 2 else "mx.yandex.net")
    await learn.learn(*names, "nothing.test")
    known = await learn.store.known([*names, "nothing.test"])
    assert [known[name].provider for name in names[:2]] == [Provider.YANDEX, Provider.PROOFPOINT]
    assert (known["nothing.test"].provider, known["nothing.test"].found) == (Provider.OTHER, Found.NO_NAME)


async def test_a_failed_look_up_is_never_no_mx_and_is_tried_again(learn: Learning) -> None:
    learn.break_dns("acme.test")
    await learn.learn("acme.test")
    known = (await learn.store.known(["acme.test"]))["acme.test"]
    assert (known.provider, known.found, known.detail) == (Provider.UNKNOWN, Found.FAILED, "SERVFAIL")
    assert await learn.owner.fetchval("select count(*) from domain_provider_change") == 0
    await learn.table.read()
    assert learn.table.of("acme.test") == Provider.UNKNOWN
    learn.local.account.faults.names.delete("acme.test")
    learn.mx("acme.test", "aspmx.l.google.com")
    await learn.expire()
    await learn.learn("acme.test")
    assert (await learn.store.known(["acme.test"]))["acme.test"].provider is Provider.GMAIL


async def test_a_known_domain_stays_known_while_its_dns_fails(learn: Learning) -> None:
    learn.mx("acme.test", "aspmx.l.google.com")
    await learn.learn("acme.test")
    before = (await learn.store.known(["acme.test"]))["acme.test"]
    learn.break_dns("acme.test")
    await learn.expire()
    await learn.learn("acme.test")
    after = (await learn.store.known(["acme.test"]))["acme.test"]
    assert (after.provider, after.found, after.learnt_at) == (Provider.GMAIL, Found.RECORDS, before.learnt_at)
    assert (after.failures, after.detail) == (1, "SERVFAIL")


async def test_a_fresh_answer_is_not_asked_again_and_is_told_again(learn: Learning) -> None:
    learn.mx("acme.test", "aspmx.l.google.com")
    await learn.learn("acme.test")
    learn.mx("acme.test", "mx.yandex.net")
    await learn.owner.execute("update domain_provider set asked_at = asked_at - 3600000")
    await learn.learn("acme.test")
    assert (await learn.store.known(["acme.test"]))["acme.test"].provider is Provider.GMAIL
    assert await learn.owner.fetchval("select now_ms() - asked_at < 60000 from domain_provider")
    assert await learn.owner.fetchval("select count(*) from domain_wanted") == 0


async def test_a_domain_that_moves_leaves_earlier_mail_where_it_was(learn: Learning) -> None:
    learn.mx("acme.test", "aspmx.l.google.com")
    await learn.learn("acme.test")
    minute = await learn.owner.fetchval("select minute from domain_provider_change")
    await learn.owner.execute("update domain_provider_change set minute = minute - 100")
    await learn.expire()
    learn.mx("acme.test", "mx.yandex.net")
    await learn.learn("acme.test")
    asked = "select provider_at('acme.test', $1)"
    assert await learn.owner.fetchval(asked, minute - 1_000) == Provider.GMAIL
    learnt = await learn.owner.fetchval("select (learnt_at / 60000)::int from domain_provider")
    assert await learn.owner.fetchval(asked, learnt) == Provider.GMAIL, "this minute is counted already"
    assert await learn.owner.fetchval(asked, learnt + 2) == Provider.YANDEX
    assert await learn.owner.fetchval("select provider_at('other.test', $1)", minute) == Provider.UNKNOWN


async def test_counts_of_unknown_mail_move_when_its_domain_is_learnt(learn: Learning) -> None:
    learn.mx("acme.test", "aspmx.l.google.com")
    await learn.counted("acme.test", sent=3)
    await learn.counted("acme.test", sent=1)
    await learn.counted("acme.test", MINUTE + 1, sent=2)
    await learn.counted("later.test", sent=7)
    assert await learn.sent() == {(MINUTE, Provider.UNKNOWN): 11, (MINUTE + 1, Provider.UNKNOWN): 2}
    await learn.learn("acme.test")
    assert await learn.sent() == {
        (MINUTE, Provider.GMAIL): 4,
        (MINUTE, Provider.UNKNOWN): 7,
        (MINUTE + 1, Provider.GMAIL): 2,
    }
    assert await learn.owner.fetchval("select array_agg(domain) from cohort_unknown") == ["later.test"]


async def test_mail_that_is_counted_after_its_domain_was_learnt_needs_no_move(learn: Learning) -> None:
    learn.mx("acme.test", "aspmx.l.google.com")
    await learn.learn("acme.test")
    await learn.counted("acme.test", sent=4)
    assert await learn.sent() == {(MINUTE, Provider.GMAIL): 4}
    assert await learn.owner.fetchval("select count(*) from cohort_unknown") == 0


async def test_a_failed_look_up_moves_nothing(learn: Learning) -> None:
    await learn.counted("acme.test")
    learn.break_dns("acme.test")
    await learn.learn("acme.test")
    await learn.learning.settle_counts(FOR_EVER)
    assert await learn.sent() == {(MINUTE, Provider.UNKNOWN): 1}
    assert await learn.owner.fetchval("select count(*) from cohort_unknown") == 1


async def test_counts_that_were_folded_while_their_domain_was_learnt_move_later(learn: Learning) -> None:
    await learn.counted("acme.test", sent=4)
    await learn.owner.execute("insert into domain_provider_change values ('acme.test', $1, 1)", MINUTE)
    await learn.learning.settle_counts(FOR_EVER)
    assert await learn.sent() == {(MINUTE, Provider.GMAIL): 4}


async def test_domains_whose_look_ups_fail_stand_before_no_others(learn: Learning) -> None:
    for domain in ("a.test", "b.test", "m.test"):
        await learn.counted(domain)
    for domain in ("a.test", "b.test"):
        learn.break_dns(domain)
    await learn.learn("a.test", "b.test")
    await learn.owner.execute("insert into domain_provider_change values ('m.test', $1, 1)", MINUTE)
    assert await learn.store.unsettled(FOR_EVER, 1) == (["m.test"], ["m.test"])


async def test_a_domain_that_nobody_could_ask_for_is_asked_for_by_its_counts(learn: Learning) -> None:
    learn.mx("acme.test", "aspmx.l.google.com")
    await learn.counted("acme.test", sent=4)
    await learn.learning.settle_counts(FOR_EVER)
    await learn.learning.advance()
    assert await learn.sent() == {(MINUTE, Provider.GMAIL): 4}


async def test_two_movers_move_each_count_once(learn: Learning) -> None:
    for minute in range(20):
        await learn.counted("acme.test", MINUTE + minute)
    await learn.owner.execute("insert into domain_provider_change values ('acme.test', $1, 1)", MINUTE)
    async with learn.owner.transaction():
        first = await learn.owner.fetchval("select move_unknown('{acme.test}', 10)")
        assert await learn.store.move_unknown(["acme.test"], 100) == 10
    assert first == 10
    assert await learn.sent() == {(MINUTE + minute, Provider.GMAIL): 1 for minute in range(20)}


async def test_what_is_too_old_is_forgotten(learn: Learning) -> None:
    learn.mx("acme.test", "aspmx.l.google.com")
    await learn.learn("acme.test", "other.test")
    await learn.counted("old.test", 1)
    await learn.counted("new.test", await learn.owner.fetchval("select (now_ms() / 60000)::int"))
    await learn.owner.execute("update domain_provider set expires_at = 1 where domain = 'acme.test'")
    await learn.learning.purge()
    assert await learn.owner.fetchval("select array_agg(domain) from domain_provider") == ["other.test"]
    assert await learn.owner.fetchval("select array_agg(domain) from domain_provider_change") == [
        "other.test"
    ]
    assert await learn.owner.fetchval("select array_agg(domain) from cohort_unknown") == ["new.test"]


async def test_wishes_for_made_up_domains_are_bounded(learn: Learning) -> None:
    await learn.owner.execute(
        "insert into domain_wanted (domain) select 'd' || n || '.test' from generate_series(1, 50000) n"
    )
    await learn.want("acme.test")
    assert await learn.owner.fetchval("select count(*) from domain_wanted") == 50_000


async def test_a_tenant_with_many_new_domains_leaves_room_and_turns_to_others(learn: Learning) -> None:
    for first, last in ((0, 8_000), (8_000, 10_500)):
        await learn.feed.want({f"d{number}.test": "flood" for number in range(first, last)})
    await learn.feed.want({"one.test": "acme", "two.test": "acme", "three.test": ""})
    counts = await learn.owner.fetch("select asked_by, count(*) from domain_wanted group by 1 order by 1")
    assert [tuple(row) for row in counts] == [("", 1), ("acme", 2), ("flood", 10_000)]
    taken, _ = await learn.store.claim(6, lease_ms=60_000)
    assert {"one.test", "two.test", "three.test"} < set(taken)
    assert len(taken) == 6


async def test_a_domain_whose_learner_died_is_learnt_by_the_next(learn: Learning) -> None:
    await learn.want("acme.test")
    taken, _ = await learn.store.claim(10, lease_ms=60_000)
    assert taken == ["acme.test"]
    assert await learn.store.claim(10, lease_ms=60_000) == ([], 0)
    await learn.owner.execute("update domain_wanted set due_at = now_ms() - 1")
    assert (await learn.store.claim(10, lease_ms=60_000))[0] == ["acme.test"]


@pytest.mark.parametrize("login", ["send", "observe", "governor", "reader"])
async def test_only_the_control_role_may_say_whose_a_domain_is(world: Any, login: str) -> None:
    connection = await engine.connect(world.database.dsn(login))
    try:
        for statement in (
            "insert into domain_provider_change values ('acme.test', 1, 1)",
            "delete from domain_provider",
            "insert into domain_wanted (domain) values ('acme.test')",
        ):
            with pytest.raises(Exception, match="permission denied"):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_what_is_known_of_a_domain_is_said_with_its_source(learn: Learning) -> None:
    providers = Providers(learn.store)
    learn.mx("acme.test", "mx1.ppe-hosted.com")
    learn.local.account.zone.put(
        [Record("acme.test", "TXT", '"v=spf1 include:spf.protection.outlook.com -all"')]
    )
    assert (await providers.show("acme.test")).source == "unknown"
    await learn.learning.advance()
    found = await providers.show("ACME.test")
    assert (found.provider, found.kind, found.behind, found.source, found.hosts) == (
        Provider.PROOFPOINT,
        "gateway",
        Provider.MICROSOFT,
        "mx",
        ("mx1.ppe-hosted.com",),
    )
    assert found.sentence == (
        "Mail to acme.test is received by the gateway of proofpoint (mx1.ppe-hosted.com); its mailboxes are at microsoft"
    )
    assert (await providers.show("gmail.com")).source == "name"
    learn.break_dns("acme.test")
    await learn.expire()
    await learn.learn("acme.test")
    failing = await providers.show("acme.test")
    assert failing.provider is Provider.PROOFPOINT
    assert failing.problem == "Looking it up again failed once (SERVFAIL); the last answer is kept"


async def test_the_status_tells_of_look_ups_that_wait_and_fail(learn: Learning) -> None:
    learn.break_dns("acme.test")
    await learn.learn("acme.test", "other.test")
    await learn.want("more.test")
    found = (await StatusReader(learn.pool).facts()).recipients
    assert found is not None
    assert (found.waiting, found.failed, found.answered, found.detail) == (1, 1, 1, "SERVFAIL")


# HOLDS -------------------------------------------------------------------------------------------------------------------------


@dataclass
class Held:
    caller: Caller
    answers: dict[str, Provider]

    async def send(self, to: str, *, attempt: int = 1) -> None:
        [claim] = await self.caller.claim(1, to, attempt)
        await self.caller.deliver(claim._replace(provider=Provider.UNKNOWN))

    async def send_known(self, whose: Provider) -> None:
        [claim] = await self.caller.claim(1, "kim@acme.test")
        await self.caller.deliver(claim._replace(provider=whose))


@pytest.fixture
async def held(caller: Caller, world: Any) -> AsyncIterator[Held]:
    """A hold on Gmail, and a dispatcher that knows some domains."""
    answers: dict[str, Provider] = {}
    caller.calling.holds = Holds(
        caller.queue, lambda: caller.now, provider_of=lambda domain: answers.get(domain, Provider.UNKNOWN)
    )
    pool = await engine.create_pool(world.database.dsn("governor"), max_size=1)
    tenant = await world.connection.fetchval("select tenant from lane")
    target = Target(tenant=tenant, lane=await caller.lane(), provider=Provider.GMAIL)
    await Governor(GovernorStore(pool)).place(
        NewHold(target=target, owner="person", because="blocks"), actor="kim"
    )
    await caller.calling.holds.read()
    yield Held(caller, answers)
    await pool.close()


async def test_a_hold_on_a_provider_catches_mail_that_was_accepted_before_its_domain_was_learnt(
    held: Held,
) -> None:
    held.answers["acme.test"] = Provider.GMAIL
    await held.send("kim@acme.test")
    assert (held.caller.ses.calls, await held.caller.waiting()) == (0, [(Why.HELD, "held")])


async def test_a_hold_on_a_provider_lets_mail_of_others_pass(held: Held) -> None:
    held.answers["acme.test"] = Provider.MICROSOFT
    await held.send("kim@acme.test")
    await held.send_known(Provider.OTHER)
    assert (held.caller.ses.calls, await held.caller.waiting()) == (2, [])


async def test_mail_that_may_be_held_waits_for_the_look_up_of_its_domain_but_not_for_ever(held: Held) -> None:
    await held.send("kim@acme.test")
    assert (held.caller.ses.calls, await held.caller.waiting()) == (0, [(Why.RETRY, Reason.HELD)])
    row = await held.caller.world.connection.fetchrow("select reason, until - called_at as wait from waiting")
    assert row["reason"] == (
        "A hold on gmail may be about this mail: the mailbox provider of acme.test is being looked up"
    )
    await held.send("kim@acme.test", attempt=11)
    assert held.caller.ses.calls == 1
