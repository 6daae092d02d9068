"""Stops on a real PostgreSQL: which lanes one covers, what its end releases, who tests it and when."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import structlog

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.audit_store import AuditReader
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.metrics_reader import PostgresMetricsReader
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.control.audit import AuditSearch
from mailcordon.control.governor import Governor
from mailcordon.core.hold import NewHold
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.core.route import Route
from mailcordon.core.stop import NewStop, Stop, StopScope, because_of
from mailcordon.core.target import Target
from mailcordon.observe import windows
from mailcordon.observe.metrics_view import MetricQuery, MetricScope
from mailcordon.send.calling import Calling, Loop
from mailcordon.send.canary import Canaries, Identity
from mailcordon.send.claiming import Claiming, Gather
from mailcordon.send.decide import RowFacts
from mailcordon.send.holds import Holds
from mailcordon.send.moves import Claimed
from mailcordon.send.refusals import Answer, Sender, Verdict, decide
from mailcordon.send.rest import Rest
from mailcordon.send.results import Results, Slots
from mailcordon.send.room import Room
from mailcordon.send.route_cache import RouteCache
from mailcordon.send.stops import Stops
from mailcordon.send.tokens import Tokens
from mailcordon.send.window import Window

ACME_KEY = "select key from tenant where slug = 'acme'"


class StopWorld:
    """Two tenants, each with an urgent lane on the shared set mc-urgent; acme has a newsletter too."""

    def __init__(self, world: Any, governor: Governor) -> None:
        self.world = world
        self.owner = world.connection
        self.governor = governor
        self.stops = governor.stops

    async def stopped(self) -> list[str]:
        rows = await self.owner.fetch(
            "select t.slug || ' ' || y.name as lane from lane l join tenant t on t.id = l.tenant"
            " join message_type y on y.id = l.type where l.stopped order by 1"
        )
        return [row["lane"] for row in rows]

    async def place(
        self, scope: StopScope, name: str, cause: Reason = Reason.SET_PAUSED, **over: Any
    ) -> Stop:
        new = NewStop(scope=scope, name=name, cause=cause, **{"because": "refused", **over})
        return await self.stops.place(new, actor="dispatch")

    async def enqueue(self, lane: int) -> None:
        await self.owner.execute(
            "insert into ready (lane, id, tenant, hash)"
            " select id, ((now_ms() - 1767225600000) << 22) + 1, tenant, '\\x00' from lane where id = $1",
            lane,
        )

    async def turn_due(self, lane: int) -> bool:
        return await self.owner.fetchval(
            "select t.next_at is not null from turn t join lane l on l.turn = t.id where l.id = $1", lane
        )


@pytest.fixture
async def stops(world: Any) -> AsyncIterator[StopWorld]:
    for slug, type in (("acme", "password-reset"), ("acme", "newsletter"), ("zen", "password-reset")):
        await world.lane(slug, type)
    pool = await engine.create_pool(world.database.dsn("governor"), max_size=4)
    yield StopWorld(world, Governor(GovernorStore(pool)))
    await pool.close()


async def lane_of(stops: StopWorld, slug: str, type: str) -> int:
    return await stops.owner.fetchval(
        "select l.id from lane l join tenant t on t.id = l.tenant join message_type y on y.id = l.type"
        " where t.slug = $1 and y.name = $2",
        slug,
        type,
    )


async def test_a_stop_of_a_shared_set_covers_the_lanes_of_all_tenants_that_use_it(stops: StopWorld) -> None:
    await stops.place(StopScope.SET, "mc-urgent")
    assert await stops.stopped() == ["acme password-reset", "zen password-reset"]


@pytest.mark.parametrize(
    ("scope", "name", "covered"),
    [
        (StopScope.IDENTITY, "newsletter.acme.example", ["acme newsletter"]),
        (StopScope.TENANT, ACME_KEY, ["acme newsletter", "acme password-reset"]),
        (StopScope.SET, "no-such-set", []),
        (StopScope.CELL, "default", []),
        (StopScope.WORKER, "7", []),
    ],
)
async def test_a_stop_covers_what_it_names_and_nothing_else(
    stops: StopWorld, scope: StopScope, name: str, covered: list[str]
) -> None:
    await stops.place(scope, await stops.owner.fetchval(name) if name == ACME_KEY else name)
    assert await stops.stopped() == covered


async def test_its_end_wakes_the_turns_and_starts_the_ramp_where_mail_has_gathered(stops: StopWorld) -> None:
    lane = await lane_of(stops, "zen", "password-reset")
    stop = await stops.place(StopScope.SET, "mc-urgent")
    await stops.enqueue(lane)
    [ended] = await stops.stops.end([stop.id], actor="ann", because="SES accepted a test mail")
    assert (ended.ended_by, ended.ended_because) == ("ann", "SES accepted a test mail")
    assert await stops.stopped() == []
    assert await stops.turn_due(lane)
    ramps = "select id from lane where released_at is not null"
    assert [row["id"] for row in await stops.owner.fetch(ramps)] == [lane]


async def test_a_lane_under_two_stops_opens_when_both_have_ended(stops: StopWorld) -> None:
    one = await stops.place(StopScope.SET, "mc-urgent")
    other = await stops.place(StopScope.IDENTITY, "password-reset.zen.example", Reason.IDENTITY)
    await stops.stops.end([one.id], actor="ann", because="x")
    assert await stops.stopped() == ["zen password-reset"]
    await stops.stops.end([other.id], actor="ann", because="x")
    assert await stops.stopped() == []


async def test_holds_and_stops_of_a_lane_do_not_change_each_other(stops: StopWorld) -> None:
    lane = await lane_of(stops, "zen", "password-reset")
    tenant = await stops.owner.fetchval("select tenant from lane where id = $1", lane)
    stop = await stops.place(StopScope.SET, "mc-urgent")
    new = NewHold(target=Target(tenant=tenant), owner="person", because="unpaid")
    hold = await stops.governor.place(new, actor="ann")
    both = "select held, stopped from lane where id = $1"
    assert tuple(await stops.owner.fetchrow(both, lane)) == (True, True)
    await stops.stops.end([stop.id], actor="ann", because="x")
    assert tuple(await stops.owner.fetchrow(both, lane)) == (True, False)
    await stops.place(StopScope.SET, "mc-urgent")
    await stops.governor.lift([hold.id], tenant=tenant, actor="ann", because="paid")
    assert tuple(await stops.owner.fetchrow(both, lane)) == (False, True)


async def test_a_new_lane_inherits_the_stop_of_its_set(stops: StopWorld) -> None:
    await stops.place(StopScope.SET, "mc-urgent")
    await stops.world.lane("new", "password-reset")
    assert "new password-reset" not in await stops.stopped()
    await stops.governor.align_all()
    assert "new password-reset" in await stops.stopped()


async def test_many_refusals_at_once_are_one_stop_and_counted(stops: StopWorld) -> None:
    placed = await asyncio.gather(
        *(stops.place(StopScope.SET, "mc-urgent", said=f"word {n}") for n in range(5))
    )
    assert len({stop.id for stop in placed}) == 1
    assert max(stop.hits for stop in placed) == 5


async def test_the_audit_trail_names_a_lane_by_its_type_and_tenant(stops: StopWorld) -> None:
    lane = await lane_of(stops, "zen", "password-reset")
    tenant = await stops.owner.fetchval("select tenant from lane where id = $1", lane)
    stop = await stops.place(StopScope.LANE, str(lane), Reason.ACCESS_DENIED, lane=lane, tenant=tenant)
    await stops.stops.end([stop.id], actor="ann", because="x")
    rows = await stops.owner.fetch("select object from audit order by id")
    assert [row["object"] for row in rows] == [f"stop {stop.id} of lane password-reset of zen"] * 2


async def test_placing_and_ending_are_audited(stops: StopWorld) -> None:
    stop = await stops.place(StopScope.SET, "mc-urgent")
    await stops.place(StopScope.SET, "mc-urgent")
    await stops.stops.end([stop.id], actor="ann", because="it works again")
    rows = await stops.owner.fetch("select actor, action, object, because from audit order by id")
    assert [tuple(row) for row in rows] == [
        ("dispatch", "stop.place", f"stop {stop.id} of set mc-urgent", "refused"),
        ("ann", "stop.end", f"stop {stop.id} of set mc-urgent", "it works again"),
    ]


async def test_words_of_ses_are_personal_in_the_audit_trail_and_shown_while_they_are_there(
    stops: StopWorld,
) -> None:
    words = "Email address is not verified: kim@example.com"
    stop = await stops.place(StopScope.SET, "mc-urgent", because=f"SES refused: {words}", said=words)
    assert "kim@" not in repr(await stops.owner.fetch("select object, before, after, because from audit"))
    control, reader = [
        await engine.create_pool(stops.world.database.dsn(login)) for login in ("control", "reader")
    ]
    [row] = await AuditReader(control, reader).page(AuditSearch(), before=None, limit=9)
    assert (row.because, row.after["said"]) == (f"SES refused: {words}", words)
    assert stop.said == words
    await control.close()
    await reader.close()


async def due(stops: StopWorld, stop: Stop) -> None:
    await stops.owner.execute("update stop set probe_at = now_ms() where id = $1", stop.id)


async def test_one_dispatcher_tests_a_stop_and_the_pauses_double_to_half_a_minute_for_urgent_mail(
    stops: StopWorld,
) -> None:
    stop = await stops.place(StopScope.SET, "mc-urgent")
    assert 1_000 <= stop.probe_at - stop.since < 2_000  # the clock is read twice
    assert await stops.stops.take_probes(1, 1_000) == []
    for pause in (2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000):
        await due(stops, stop)
        before = await stops.owner.fetchval("select now_ms()")
        taken = await asyncio.gather(*(stops.stops.take_probes(worker, 1_000) for worker in (1, 2, 3)))
        assert sorted(map(len, taken)) == [0, 0, 1]
        after = await stops.owner.fetchval("select now_ms()")
        [[row]] = [one for one in taken if one]
        assert before + pause <= row.probe_at <= after + pause


async def test_a_stop_without_urgent_mail_is_tested_every_minute_at_last(stops: StopWorld) -> None:
    stop = await stops.place(StopScope.SET, "mc-marketing")
    await stops.owner.execute("update stop set probes = 20, probe_at = now_ms() where id = $1", stop.id)
    before = await stops.owner.fetchval("select now_ms()")
    [row] = await stops.stops.take_probes(1, 1_000)
    assert row.probe_at >= before + 60_000


async def test_a_stop_that_comes_back_at_once_continues_its_pauses(stops: StopWorld) -> None:
    stop = await stops.place(StopScope.SET, "mc-urgent")
    await stops.owner.execute("update stop set probes = 3 where id = $1", stop.id)
    await stops.stops.end([stop.id], actor="ann", because="x")
    again = await stops.place(StopScope.SET, "mc-urgent")
    assert again.id != stop.id
    assert 8_000 <= again.probe_at - again.since < 9_000  # the clock is read twice


async def test_a_dispatcher_does_not_test_the_stop_of_another(stops: StopWorld) -> None:
    await due(stops, await stops.place(StopScope.WORKER, "7", Reason.SES_UNREACHABLE))
    assert await stops.stops.take_probes(8, 1_000) == []
    assert len(await stops.stops.take_probes(7, 1_000)) == 1


async def test_a_test_uses_no_lane_that_a_hold_closes(stops: StopWorld) -> None:
    stop = await stops.place(StopScope.SET, "mc-urgent")
    acme, zen = [await lane_of(stops, slug, "password-reset") for slug in ("acme", "zen")]
    await stops.owner.execute("update lane set held = true where id = $1", acme)
    assert await stops.stops.probe_lane(stop) == zen
    await stops.owner.execute("update lane set held = true where id = $1", zen)
    assert await stops.stops.probe_lane(stop) is None


async def test_a_test_prefers_a_lane_without_another_stop_and_takes_one_if_there_is_no_better(
    stops: StopWorld,
) -> None:
    stop = await stops.place(StopScope.SET, "mc-urgent")
    acme, zen = [await lane_of(stops, slug, "password-reset") for slug in ("acme", "zen")]
    await stops.place(StopScope.IDENTITY, "password-reset.acme.example", Reason.IDENTITY)
    assert await stops.stops.probe_lane(stop) == zen
    await stops.place(StopScope.IDENTITY, "password-reset.zen.example", Reason.IDENTITY)
    assert await stops.stops.probe_lane(stop) in (acme, zen)


async def test_the_stops_of_a_dead_dispatcher_end(stops: StopWorld) -> None:
    worker = "insert into worker (heartbeat, host, pid) values (0, 'h', 1) returning id"
    live, dead = await stops.owner.fetchval(worker), await stops.owner.fetchval(worker)
    for id in (live, dead):
        await stops.place(StopScope.WORKER, str(id), Reason.OUTAGE)
    assert await stops.stops.end_of_gone_workers() == 0
    await stops.owner.execute("update worker set ended_at = now_ms() where id = $1", dead)
    assert await stops.stops.end_of_gone_workers() == 1
    assert [stop.name for stop in await stops.stops.open()] == [str(live)]


async def test_a_stop_of_what_no_lane_uses_any_more_ends_except_one_that_ses_itself_ends(
    stops: StopWorld,
) -> None:
    """Its lanes moved or are retired, so no test mail can end it."""
    acme = await stops.owner.fetchval(ACME_KEY)
    names = (StopScope.SET, "mc-marketing"), (StopScope.SET, "mc-urgent"), (StopScope.TENANT, acme)
    for scope, name in names:
        await stops.place(
            scope, name, Reason.TENANT_PAUSED if scope is StopScope.TENANT else Reason.SET_PAUSED
        )
    await stops.place(StopScope.CELL, "default", Reason.DAILY_QUOTA)
    assert await stops.stops.end_of_no_lane() == 0
    await stops.owner.execute(
        "update lane set retiring_at = now(), retire_mail = 'drain', retired_with = 'lane', retired_at = now()"
        " where tenant = (select id from tenant where slug = 'acme')"
    )
    assert await stops.stops.end_of_no_lane() == 1
    assert {stop.name for stop in await stops.stops.open()} == {"mc-urgent", acme, "default"}


async def test_a_stop_of_the_account_ends_only_if_the_account_agrees(stops: StopWorld) -> None:
    quota = await stops.place(StopScope.CELL, "default", Reason.DAILY_QUOTA)
    paused = await stops.place(StopScope.CELL, "default", Reason.ACCOUNT_PAUSED)
    unknown = await stops.place(StopScope.CELL, "default", Reason.RATE_UNKNOWN)

    async def agreed() -> list[bool]:
        return [await stops.stops.account_agrees(stop, "default") for stop in (quota, paused, unknown)]

    assert await agreed() == [False, False, False]
    await stops.world.account()
    assert await agreed() == [True, True, True]
    await stops.owner.execute("update account_rate set max_24h = 100, sent_24h = 90, taken = 10")
    assert await agreed() == [False, True, True]
    await stops.owner.execute("update account_rate set max_24h = -1, sending_enabled = false")
    assert await agreed() == [True, False, True]


# Of one dispatcher ------------------------------------------------------------------------------------------------------


async def simulator(body: bytes, permitted: Any = None) -> Answer:
    return Answer(200, ses_id="0100019ff189d429-e4511161-000000")


IDENTITY = Identity(installation="test", mac_key=b"k" * 32)


def dispatchers(stops: StopWorld, queue: QueueStore, call: Any = simulator, **over: Any) -> Stops:
    return Stops(
        store=queue,
        governor=stops.stops,
        canaries=Canaries(IDENTITY, call, may_use=lambda route: True, now_ms=lambda: 1_795_000_000_000),
        cell="default",
        first_probe_ms=1_000,
        **over,
    )


async def round_of(mine: Stops, queue: QueueStore) -> None:
    await mine.once(queue.worker)
    await mine.probed()


async def route_of(stops: StopWorld, queue: QueueStore, slug: str) -> Route:
    lane = await lane_of(stops, slug, "password-reset")
    return (await queue.lane_routes([lane]))[lane]


PAUSED = Answer(400, code="SendingPausedException", text="Sending paused for configuration set mc-urgent.")


def refused(route: Route, answer: Answer = PAUSED) -> Verdict:
    return decide(answer, 1, Sender(route.domain, route.configuration_set))


async def test_a_refusal_stops_its_scope_at_once_and_the_row_is_written_later(
    stops: StopWorld, queue: QueueStore
) -> None:
    mine = dispatchers(stops, queue)
    acme, zen = [await route_of(stops, queue, slug) for slug in ("acme", "zen")]
    for _ in range(3):
        mine.refused(refused(acme), acme)
    assert mine.stops_route(zen), "the set is shared"
    assert not mine.stopped
    assert await stops.stops.open() == []
    await round_of(mine, queue)
    [stop] = await stops.stops.open()
    assert (stop.name, stop.hits) == ("mc-urgent", 3)
    mine.read(await queue.stops())
    assert mine.stops_route(zen)
    await stops.stops.end([stop.id], actor="ann", because="x")
    mine.read(await queue.stops())
    assert not mine.stops_route(zen)


async def test_what_could_not_be_written_is_written_later(stops: StopWorld, queue: QueueStore) -> None:
    mine = dispatchers(stops, queue)
    route = await route_of(stops, queue, "acme")
    mine.refused(refused(route), route)
    await stops.owner.execute("alter table stop rename to elsewhere_now")
    await round_of(mine, queue)
    await stops.owner.execute("alter table elsewhere_now rename to stop")
    assert mine.stops_route(route)
    await round_of(mine, queue)
    assert [stop.name for stop in await stops.stops.open()] == ["mc-urgent"]


@pytest.mark.parametrize(
    ("answer", "ends"), [(None, True), (PAUSED, False), (Answer(-1, text="reset"), False)]
)
async def test_a_stop_ends_if_ses_accepts_the_test_and_only_then(
    stops: StopWorld, queue: QueueStore, answer: Answer | None, ends: bool
) -> None:
    async def call(body: bytes, permitted: Any = None) -> Answer:
        return answer or await simulator(body)

    mine = dispatchers(stops, queue, call)
    stop = await stops.place(StopScope.SET, "mc-urgent")
    mine.read(await queue.stops())
    await due(stops, stop)
    await round_of(mine, queue)
    left = await stops.stops.open()
    assert (left == []) is ends
    assert [bool(one.last_probe) for one in left] == [True] * len(left)


async def test_a_stop_of_the_account_is_not_tested_by_mail_while_the_account_says_no(
    stops: StopWorld, queue: QueueStore
) -> None:
    called: list[bytes] = []

    async def call(body: bytes, permitted: Any = None) -> Answer:
        called.append(body)
        return await simulator(body)

    mine = dispatchers(stops, queue, call)
    await stops.world.account()
    await stops.owner.execute("update account_rate set sending_enabled = false")
    stop = await stops.place(StopScope.CELL, "default", Reason.ACCOUNT_PAUSED)
    mine.read(await queue.stops())
    assert mine.stopped
    await due(stops, stop)
    await round_of(mine, queue)
    assert (called, mine.stopped) == ([], True)
    await stops.owner.execute("update account_rate set sending_enabled = true")
    await due(stops, stop)
    await round_of(mine, queue)
    assert (len(called), mine.stopped) == (1, False)


async def test_the_stop_of_one_dispatcher_stops_no_other(stops: StopWorld, queue: QueueStore) -> None:
    mine, another = dispatchers(stops, queue), dispatchers(stops, queue)
    await round_of(mine, queue)
    await another.once(queue.worker + 1)
    route = await route_of(stops, queue, "acme")
    mine.refused(refused(route, Answer(0, code="NotSent", text="no connection")), route)
    await round_of(mine, queue)
    another.read(await queue.stops())
    assert (mine.stopped, another.stopped) == (True, False)


async def test_no_mail_of_a_stopped_lane_is_claimed(stops: StopWorld, queue: QueueStore) -> None:
    for slug in ("acme", "zen"):
        await stops.enqueue(await lane_of(stops, slug, "password-reset"))
    await stops.owner.execute("update turn set next_at = now_us()")
    await stops.place(StopScope.IDENTITY, "password-reset.acme.example", Reason.IDENTITY)
    claimed = (await queue.claim([Class.URGENT], 10)).claimed
    assert {claim.lane for claim in claimed} == {await lane_of(stops, "zen", "password-reset")}
    assert await queue.sweep() == 0


async def test_the_words_of_a_test_over_another_tenants_lane_are_not_shown(
    stops: StopWorld, queue: QueueStore
) -> None:
    async def call(body: bytes, permitted: Any = None) -> Answer:
        text = "Email address is not verified. The following identities failed the check in region X: a@"
        return Answer(400, code="MessageRejected", text=text + "password-reset.acme.example")

    mine = dispatchers(stops, queue, call)
    stop = await stops.place(StopScope.SET, "mc-urgent")
    zen = await lane_of(stops, "zen", "password-reset")
    await stops.owner.execute("update lane set held = true where id = $1", zen)
    mine.read(await queue.stops())
    await due(stops, stop)
    await round_of(mine, queue)
    [set_, *_] = await stops.stops.open()
    assert set_.id == stop.id
    assert set_.last_probe == "failed for another reason (identity)"


class Loops:
    """The two claiming loops of a dispatcher, with one call on the wire that is not answered."""

    def __init__(self, queue: QueueStore, mine: Stops, window: Window, call: Any = simulator) -> None:
        self.rounds = [0, 0]  #: in which the loop asked what the window allows
        calling = Calling(
            store=queue,
            ses=Simulator(call),
            identity=IDENTITY,
            holds=Holds(queue, lambda: 0.0, mine.read),
            stops=mine,
            window=window,
            results=Results(queue),
        )
        self.calling = calling

        def count(n: int) -> int:
            self.rounds[n] += 1
            return 1

        async def no_probe() -> None: ...

        self.loops = [
            Claiming(
                [class_],
                slots=8,
                gather=Gather(0, 0),
                store=queue,
                routes=RouteCache(queue),
                calling=calling,
                probe=no_probe,
                in_flight=partial(count, n),
                rest=Rest(lambda: False),
            )
            for n, class_ in enumerate((Class.URGENT, Class.MARKETING))
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.calling.holds.read()
        tasks = [asyncio.create_task(loop.run()) for loop in self.loops]
        try:
            async with asyncio.timeout(20):
                yield
        finally:
            self.calling.stopping = True
            await asyncio.gather(*tasks)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0.005)

    async def some_rounds(self, *loops: int) -> None:
        before = list(self.rounds)
        await self.until(lambda: all(self.rounds[n] >= before[n] + 5 for n in loops))


class Simulator:
    def __init__(self, call: Any) -> None:
        self.call = call

    @property
    def ready(self) -> bool:
        return False

    def start(self, *_: object) -> bool:
        return False

    async def send_email(self, body: bytes, permitted: Callable[[], bool] | None = None) -> Answer:
        return await self.call(body)


async def mail_for(stops: StopWorld, *types: str) -> None:
    for type in types:
        lane = await lane_of(stops, "acme", type)
        await stops.enqueue(lane)
        due = "update turn set next_at = now_us() where id = (select turn from lane where id = $1)"
        await stops.owner.execute(due, lane)


async def test_a_stop_of_the_quota_that_has_ended_does_not_come_back_before_the_quota_is_asked_again(
    stops: StopWorld, queue: QueueStore
) -> None:
    window = Window("default", lambda: 0.0)
    mine = dispatchers(stops, queue, released=window.restart)
    loops = Loops(queue, mine, window)
    await stops.world.account()
    await stops.owner.execute("update account_rate set max_24h = 100, sent_24h = 100")
    await mail_for(stops, "password-reset", "newsletter")
    async with loops.running():
        await loops.until(lambda: mine.stopped)
        for _ in range(2):  # the other loop may see it while it is written
            await round_of(mine, queue)
        await stops.owner.execute("update account_rate set sent_24h = 0")
        [stop] = await stops.stops.open()
        await stops.stops.end([stop.id], actor="ann", because="x")
        mine.read(await queue.stops())
        # The window allows one call and has one on the wire: neither loop visits the account's row.
        await loops.some_rounds(0, 1)
        assert not mine.stopped


async def test_an_unknown_rate_becomes_a_stop_also_if_only_one_loop_has_mail(
    stops: StopWorld, queue: QueueStore
) -> None:
    now = 0.0
    mine = dispatchers(stops, queue, clock=lambda: now)
    loops = Loops(queue, mine, Window("default", lambda: 0.0))
    await mail_for(stops, "password-reset")
    async with loops.running():
        for _ in range(4):
            await loops.some_rounds(0)
            assert not mine.stopped
            now += 1.5
        await loops.until(lambda: mine.stopped)
    assert mine.because == because_of(Reason.RATE_UNKNOWN, "default")


async def test_a_stop_with_an_unknown_cause_hides_no_other_stop(stops: StopWorld, queue: QueueStore) -> None:
    await stops.place(StopScope.SET, "mc-urgent")
    await stops.place(StopScope.SET, "mc-marketing")
    await stops.owner.execute("update stop set cause = 'of-a-newer-version' where name = 'mc-marketing'")
    assert [stop.name for stop in await queue.stops()] == ["mc-urgent"]
    await stops.owner.execute("update stop set probe_at = now_ms()")
    assert [stop.name for stop in await stops.stops.take_probes(1, 1_000)] == ["mc-urgent"]
    tenant = await stops.owner.fetchval("select id from tenant where slug = 'acme'")
    pool = await engine.create_pool(stops.world.database.dsn("control"), max_size=1)
    try:
        reader = PostgresMetricsReader(pool, pool)
        now = await reader.now()
        query = MetricQuery(by="lane", window=windows.Window(now - 60, now + 1))
        kept = (await reader.metrics(MetricScope(tenant=tenant), query)).kept
    finally:
        await pool.close()
    assert [one.id for one in kept] == [one.id for one in await queue.stops()]


async def test_the_reading_of_holds_survives_an_error_that_is_no_outage(
    stops: StopWorld, queue: QueueStore
) -> None:
    readings = 0

    def clock() -> float:
        nonlocal readings
        readings += 1
        return 0.0

    holds = Holds(queue, clock)
    await stops.owner.execute("alter table stop rename to elsewhere_now")
    task = asyncio.create_task(holds.run())
    async with asyncio.timeout(10):
        while readings < 2 and not task.done():  # the second reading begins: the first has failed
            await asyncio.sleep(0.01)
        assert not task.done()
        assert not holds.fresh
        await stops.owner.execute("alter table elsewhere_now rename to stop")
        while not holds.fresh:
            await asyncio.sleep(0.01)
    task.cancel()


async def test_the_tests_of_a_stop_take_another_lane_each_time(stops: StopWorld) -> None:
    stop = await stops.place(StopScope.SET, "mc-urgent")
    acme, zen = [await lane_of(stops, slug, "password-reset") for slug in ("acme", "zen")]
    other = await stops.place(StopScope.IDENTITY, "password-reset.zen.example", Reason.IDENTITY)
    taken = [await stops.stops.probe_lane(stop) for _ in range(4)]
    assert taken == [acme, zen, acme, zen]
    await stops.stops.end([other.id], actor="ann", because="x")
    new = await stops.world.lane("new", "password-reset")
    assert [await stops.stops.probe_lane(stop) for _ in range(4)] == [new, acme, zen, new]
    cell = await stops.place(StopScope.CELL, "default", Reason.ACCOUNT_PAUSED)
    assert len({await stops.stops.probe_lane(cell) for _ in range(2)}) == 2


async def test_a_test_that_hangs_keeps_no_other_from_its_end_and_no_refusal_from_being_written(
    stops: StopWorld, queue: QueueStore
) -> None:
    hangs = asyncio.Event()
    calls: list[bytes] = []

    async def call(body: bytes, permitted: Any = None) -> Answer:
        calls.append(body)
        if b"mc-urgent" in body:
            await hangs.wait()
        return await simulator(body)

    mine = dispatchers(stops, queue, call)
    hanging = await stops.place(StopScope.SET, "mc-urgent")
    await due(stops, await stops.place(StopScope.SET, "mc-marketing"))
    await due(stops, hanging)
    mine.read(await queue.stops())
    route = await route_of(stops, queue, "zen")
    missing = Answer(404, code="NotFoundException", text="Configuration set <mc-urgent> does not exist.")
    async with asyncio.timeout(10):
        await mine.once(queue.worker)
        mine.refused(refused(route, missing), route)
        while [stop.cause for stop in await stops.stops.open()] != [Reason.SET_PAUSED, Reason.SET_MISSING]:
            await due(stops, hanging)
            await mine.once(queue.worker)
        assert sum(b"mc-urgent" in body for body in calls) == 1, "the same stop is not tested twice at once"
        hangs.set()
        await mine.probed()
    assert [stop.cause for stop in await stops.stops.open()] == [Reason.SET_MISSING]


async def test_an_outage_is_one_stop_with_one_sentence_and_no_next_test(
    stops: StopWorld, queue: QueueStore
) -> None:
    now = 0.0
    window = Window("default", lambda: now)
    mine = dispatchers(stops, queue)

    async def five_errors() -> None:
        stopped = [window.unclear(f"error {n}") for n in range(5)]
        assert stopped[-1]
        mine.outage(window.outage)
        await round_of(mine, queue)

    await five_errors()
    [stop] = await stops.stops.open()
    assert stop.because == window.because
    assert "next test" not in stop.sentence
    window.probed()
    now += 1
    window.unclear("another error")
    mine.outage(window.outage)
    await round_of(mine, queue)
    [still] = await stops.stops.open()
    assert (still.id, still.because) == (stop.id, window.because)
    now += 60
    window.probed()
    now += 60
    assert window.outage is None
    mine.outage("another outage")  # the end of the first was not seen
    for _ in range(2):
        await round_of(mine, queue)
    assert [one.because for one in await stops.stops.open()] == ["another outage"]


def denied(resource: str) -> Answer:
    text = f"User: arn:aws:sts::1:assumed-role/mail/i is not authorized to perform: ses:SendEmail on resource: {resource}"
    return Answer(403, code="AccessDeniedException", text=text)


async def test_an_action_that_iam_denies_is_one_stop_of_the_dispatcher(
    stops: StopWorld, queue: QueueStore
) -> None:
    async def call(body: bytes, permitted: Any = None) -> Answer:
        return denied("arn:aws:ses:eu-west-1:1:identity/password-reset.zen.example")

    mine = dispatchers(stops, queue, call)
    await mine.once(queue.worker)
    for n in range(20):
        await stops.world.lane(f"tenant-{n}", "password-reset")
        route = await route_of(stops, queue, f"tenant-{n}")
        arn = f"arn:aws:ses:eu-west-1:1:identity/{route.domain}"
        mine.refused(refused(route, denied(arn)), route)
    await round_of(mine, queue)
    found = await stops.stops.open()
    assert [stop.scope for stop in found] == [StopScope.IDENTITY, StopScope.IDENTITY, StopScope.WORKER]
    assert mine.stopped
    for _ in range(4):  # the tests place no more
        await stops.owner.execute("update stop set probe_at = now_ms()")
        await round_of(mine, queue)
    assert len(await stops.stops.open()) == 3


async def test_a_resource_that_iam_denies_is_a_stop_of_its_own_while_other_calls_are_accepted(
    stops: StopWorld, queue: QueueStore
) -> None:
    mine = dispatchers(stops, queue)
    await mine.once(queue.worker)
    for n in range(5):
        await stops.world.lane(f"tenant-{n}", "password-reset")
        route = await route_of(stops, queue, f"tenant-{n}")
        mine.refused(refused(route, denied(f"arn:aws:ses:eu-west-1:1:identity/{route.domain}")), route)
        mine.accepted()
    assert not mine.stopped


async def test_a_denial_of_every_resource_stops_the_dispatcher_at_once(
    stops: StopWorld, queue: QueueStore
) -> None:
    mine = dispatchers(stops, queue)
    await mine.once(queue.worker)
    route = await route_of(stops, queue, "acme")
    mine.refused(refused(route, denied("*")), route)
    assert mine.stopped


async def test_what_is_refused_or_fails_again_and_again_is_logged_once(
    stops: StopWorld, queue: QueueStore
) -> None:
    async def call(body: bytes) -> Answer:
        return Answer(400, code="NewException", text="something new")

    mine = dispatchers(stops, queue)
    loops = Loops(queue, mine, Window("default", lambda: 0.0), call)
    await loops.calling.holds.read()
    route = await route_of(stops, queue, "acme")
    loop = Loop(Slots(3), Tokens(queue, "default", urgent=True), Room(1 << 20))
    with structlog.testing.capture_logs() as logged:
        for n in range(3):
            claim = Claimed(
                route.lane.id, n, route.lane.tenant, 1, 0, 0, None, None, "a@b.example", b"x", RowFacts(None)
            )
            loop.slots.take(claim.tenant)
            await loops.calling.deliver(claim, route, loop)
        mine.refused(refused(route), route)
        await stops.owner.execute("alter table stop rename to elsewhere_now")
        for _ in range(3):
            await round_of(mine, queue)
    words = ("SES refused a mail with an unknown error", "a stop could not be written")
    assert [sum(line["event"].startswith(start) for line in logged) for start in words] == [1, 1]
    assert loops.calling.facts.set_aside == 3
