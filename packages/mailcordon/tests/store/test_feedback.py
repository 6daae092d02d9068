"""Lost and late feedback on a real database, with the parts of its way broken at the local SES as a person would break them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import boto3
import pytest

from mailcordon.adapters.db import engine, feedback_marks, row_level_security, status_reader
from mailcordon.adapters.db.feedback_reader import FeedbackReader
from mailcordon.adapters.db.feedback_store import FeedbackStore
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.adapters.ses.administer import Administer
from mailcordon.adapters.ses.event_road import EventRoad
from mailcordon.adapters.ses.feedback_look import FeedbackLook
from mailcordon.control import desired, status
from mailcordon.control.upkeep import Upkeep
from mailcordon.control.views import Viewer
from mailcordon.control.work import Work
from mailcordon.core.feedback import Cause
from mailcordon.observe.feedback_loop import LOOK_AGAIN_MS, Watch
from mailcordon.observe.feedback_watch import DUE_MS, MINUTE
from mailcordon_fixtures.cohorts import Cohorts
from mailcordon_fixtures.queue_world import World
from seslocal import server
from seslocal.state.settings import Settings

QUEUE = "mailcordon-outcome"
TOPIC = f"arn:aws:sns:us-east-1:123456789012:{QUEUE}"
QUEUE_ARN = f"arn:aws:sqs:us-east-1:123456789012:{QUEUE}"
NEWS, URGENT = "mc-marketing", "mc-urgent"
DUE = MINUTE + DUE_MS  #: when mail of this minute is due


class Feedback:
    """A newsletter and a password-reset lane, with their sets at the local SES, and a watch that has seen nothing yet."""

    def __init__(self, world: World, local: server.Local, control: engine.Pool, reader: engine.Pool) -> None:
        self.world, self.local, self.control = world, local, control
        self.db = world.connection
        self.cohorts = Cohorts(world.connection)
        self.reader = FeedbackReader(control, reader)
        self.reader_pool = reader
        self.administer = Administer(
            region="us-east-1", endpoint=local.url, access_key="test", secret_key="test"
        )
        self.minute = 0
        self.lanes: dict[str, int] = {}
        self.watch = self.new_watch()
        self.kept: Any = None  #: a connection of a process that hangs

    def new_watch(self) -> Watch:
        road = EventRoad(
            topic=TOPIC,
            queue_url=f"{self.local.url}/123456789012/{QUEUE}",
            region="us-east-1",
            sns_endpoint=self.local.url,
            sqs_endpoint=self.local.url,
            credentials=("test", "test"),
            local=True,
        )
        look = FeedbackLook(self.administer, road, topic=TOPIC, queue=QUEUE)
        return Watch(FeedbackStore(self.control, topic=TOPIC), look, queue=QUEUE)

    async def start(self) -> None:
        self.lanes = {
            NEWS: await self.world.lane("acme", "newsletter"),
            URGENT: await self.world.lane("zen", "password-reset"),
        }
        self.minute = await self.db.fetchval("select now_ms() / 60000")
        for name in self.lanes:
            await self.administer.create_configuration_set(name, reasons=None, max_delivery_seconds=None)
            await self.destination(name)
        # SES tells each new topic that it has checked it.
        await self.call("sqs", "purge_queue", QueueUrl=f"{self.local.url}/123456789012/{QUEUE}")
        await self.observer()

    async def destination(self, name: str, **changed: Any) -> None:
        def put() -> None:
            with self.client("sesv2") as ses:
                given = {"ConfigurationSetName": name, "EventDestinationName": "outcome"}
                members = {
                    "Enabled": True,
                    "MatchingEventTypes": list(desired.OUTCOME_EVENTS),
                    "SnsDestination": {"TopicArn": TOPIC},
                }
                there = ses.get_configuration_set_event_destinations(ConfigurationSetName=name)
                change = (
                    ses.update_configuration_set_event_destination
                    if there["EventDestinations"]
                    else ses.create_configuration_set_event_destination
                )
                change(**given, EventDestination={**members, **changed})

        await asyncio.to_thread(put)

    def client(self, service: Any) -> Any:
        client: Any = boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.local.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        return _Closing(client)

    async def call(self, service: str, operation: str, **members: Any) -> Any:
        def made() -> Any:
            with self.client(service) as client:
                return getattr(client, operation)(**members)

        return await asyncio.to_thread(made)

    async def observer(self, **queue: Any) -> None:
        """An observer that reports now, well unless told otherwise."""
        facts = {"queues": [{"name": QUEUE, "live": True, "problem": None, "last_event": None, **queue}]}
        await self.db.execute(
            "insert into role_health (role, instance, host, pid, started, beat, facts)"
            " values ('observe', 'x', 'web-1', 4242, now_ms(), now_ms(), $1) on conflict (role, instance)"
            " do update set beat = now_ms(), facts = excluded.facts",
            json.dumps(facts),
        )

    async def sent(self, name: str, minute: int = 0, /, **counts: Any) -> None:
        """Mail of a set, so many minutes after the first."""
        await self.cohorts.add(self.lanes[name], minute=self.minute + minute, **counts)

    async def look(self, ahead_ms: int = DUE + 1_000) -> list[Any]:
        """One round, as if the first minute's mail were so old at least; returns all losses, the oldest first."""
        await self.cohorts.fold()
        now = await self.db.fetchval("select folded_at from cohort_fold")
        await self.watch.advance(ahead_ms=max(0, self.minute * MINUTE + ahead_ms - now))
        return await self.losses()

    async def losses(self) -> list[Any]:
        return await self.db.fetch("select * from feedback_loss order by id")


class _Closing:
    def __init__(self, client: Any) -> None:
        self._client = client

    def __enter__(self) -> Any:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()


@pytest.fixture
async def mail(world: World) -> AsyncIterator[Feedback]:
    control = await engine.create_pool(world.database.dsn("control"))
    reader = await engine.create_pool(world.database.dsn("reader"))
    local = server.Local(Settings(), server.Clock())
    await local.listen("127.0.0.1", 0)
    local.account.queues.ensure(QUEUE)
    made = Feedback(world, local, control, reader)
    try:
        await made.start()
        yield made
    finally:
        made.administer.close()
        await local.close()
        await control.close()
        await reader.close()


# The parts of the way -------------------------------------------------------------------------------------------------------


async def disabled(mail: Feedback) -> None:
    await mail.destination(NEWS, Enabled=False)


async def deleted(mail: Feedback) -> None:
    await mail.call(
        "sesv2",
        "delete_configuration_set_event_destination",
        ConfigurationSetName=NEWS,
        EventDestinationName="outcome",
    )


async def without_send(mail: Feedback) -> None:
    kinds = [kind for kind in desired.OUTCOME_EVENTS if kind != "SEND"]
    await mail.destination(NEWS, MatchingEventTypes=kinds)


async def elsewhere(mail: Feedback) -> None:
    await mail.destination(NEWS, SnsDestination={"TopicArn": TOPIC + "-other"})


async def topic_denies(mail: Feedback) -> None:
    await mail.call("sns", "create_topic", Name=QUEUE)
    await mail.call("sns", "subscribe", TopicArn=TOPIC, Protocol="sqs", Endpoint=QUEUE_ARN)
    source = {"aws:SourceArn": f"arn:aws:ses:us-east-1:123456789012:configuration-set/{NEWS}"}
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": TOPIC}
    denied = {**allowed, "Effect": "Deny", "Condition": {"ArnEquals": source}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed, denied]})
    await mail.call(
        "sns", "set_topic_attributes", TopicArn=TOPIC, AttributeName="Policy", AttributeValue=policy
    )


async def no_subscription(mail: Feedback) -> None:
    await mail.call("sns", "create_topic", Name=QUEUE)


async def queue_denies(mail: Feedback) -> None:
    other = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE_ARN,
        "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC + "-other"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [other]})
    url = f"{mail.local.url}/123456789012/{QUEUE}"
    await mail.call("sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": policy})


async def absent(mail: Feedback) -> None:
    await mail.db.execute("delete from role_health")


async def hanging(mail: Feedback) -> None:
    """Silent, with its connection open, as after SIGSTOP."""
    await mail.db.execute("update role_health set beat = beat - 60000")
    mail.kept = await engine.connect(mail.world.database.dsn("observe"))


async def refused(mail: Feedback) -> None:
    """The database lets nobody in as observe: the observer can neither store nor report."""
    await mail.db.execute("update role_health set beat = beat - 60000")
    await mail.db.execute(f"alter role {_role(mail)} connection limit 0")


async def database_away(mail: Feedback) -> None:
    await mail.observer(live=False, problem="the database does not answer")


async def behind(mail: Feedback) -> None:
    await mail.observer(last_event=(await mail.db.fetchval("select now_ms()")) + DUE)
    await _put_messages(mail)


async def stores_nothing(mail: Feedback) -> None:
    await mail.observer(last_event=(await mail.db.fetchval("select now_ms()")) - 300_000)
    await _put_messages(mail)


async def nothing_found(mail: Feedback) -> None:
    """As if SES were late."""


async def _put_messages(mail: Feedback) -> None:
    url = f"{mail.local.url}/123456789012/{QUEUE}"
    for _ in range(2):
        entries = [{"Id": str(n), "MessageBody": "{}"} for n in range(10)]
        await mail.call("sqs", "send_message_batch", QueueUrl=url, Entries=entries)


def _role(mail: Feedback) -> str:
    return mail.world.database.dsn("observe").partition("//")[2].partition(":")[0]


CASES = {
    disabled: (Cause.DESTINATION_DISABLED, f"destination `outcome` of set {NEWS} is disabled at SES"),
    deleted: (Cause.DESTINATION_MISSING, f"the configuration set {NEWS} has no destination `outcome`"),
    without_send: (Cause.DESTINATION_EVENTS, f"destination `outcome` of set {NEWS} does not publish SEND"),
    elsewhere: (
        Cause.DESTINATION_ELSEWHERE,
        f"destination `outcome` of set {NEWS} publishes to {TOPIC}-other",
    ),
    topic_denies: (Cause.TOPIC_POLICY, f"the policy of topic {TOPIC} does not let ses.amazonaws.com publish"),
    no_subscription: (Cause.SUBSCRIPTION, f"the topic {TOPIC} has no subscription of the queue {QUEUE_ARN}"),
    queue_denies: (Cause.QUEUE_POLICY, f"the policy of queue {QUEUE_ARN} does not let the topic"),
    absent: (Cause.OBSERVER_ABSENT, "no observer is running: nothing reads the event queues"),
    hanging: (Cause.OBSERVER_STOPPED, "the observer (process 4242 on web-1) does not report and keeps its"),
    refused: (Cause.OBSERVER_REFUSED, "the database does not let the observer's login in"),
    database_away: (
        Cause.OBSERVER_STUCK,
        f"the observer does not receive from the queue {QUEUE}: the database",
    ),
    behind: (Cause.BACKLOG, f"20 messages wait in the queue {QUEUE}, and the observer is reading them"),
    stores_nothing: (
        Cause.OBSERVER_STUCK,
        f"20 messages wait in the queue {QUEUE}, and the observer has stored none",
    ),
    nothing_found: (Cause.UNKNOWN, "SES took the mail, and nothing on their way is wrong"),
}
#: What all sets have in common, whichever mail shows it.
COMMON = {no_subscription, queue_denies, absent, hanging, refused, database_away, behind, stores_nothing}
LATE = {absent, hanging, refused, database_away, behind, stores_nothing}


@pytest.mark.parametrize("broken", CASES, ids=lambda broken: broken.__name__)
async def test_each_part_of_the_way_that_is_dead_is_told_from_the_others(mail: Feedback, broken: Any) -> None:
    try:
        await broken(mail)
        await mail.sent(NEWS, sent=20, delivered=19 if broken is without_send else 0)
        await mail.sent(URGENT, sent=20, send_events=20)
        [loss] = await mail.look()
        cause, says = CASES[broken]
        assert (loss["signal"], loss["cause"], loss["until"]) == ("send", cause, None)
        assert loss["because"].startswith(says)
        assert loss["configuration_set"] == (None if broken in COMMON else NEWS)
        assert loss["late"] == (broken in LATE)
        assert (loss["since"], loss["missing"]) == (mail.minute * MINUTE, 20)
        found = json.loads(loss["evidence"])
        assert (found["sent"], found["seen"], found["others"]) == (20, 0, 19 if broken is without_send else 0)
        assert [one["id"] for one in await mail.look()] == [loss["id"]]
        problems = [one for one in (await judged(mail)).problems if one.code.startswith("feedback-l")]
        assert [one.code for one in problems] == ["feedback-late" if broken in LATE else "feedback-lost"]
        assert says in problems[0].sentence
    finally:
        if broken is refused:
            await mail.db.execute(f"alter role {_role(mail)} connection limit -1")
        if broken is hanging:
            await mail.kept.close()


async def judged(mail: Feedback) -> status.Status:
    async with mail.control.acquire() as connection:
        return status.judge(await status_reader.read(connection))


# Time -----------------------------------------------------------------------------------------------------------------------


async def test_the_first_mail_that_is_missed_raises_a_loss_within_two_minutes(mail: Feedback) -> None:
    await disabled(mail)
    await mail.sent(NEWS, sent=1)
    assert await mail.look(DUE - 1_000) == []
    assert len(await mail.look(DUE)) == 1
    assert DUE < 2 * MINUTE


async def test_send_events_that_are_stored_and_not_counted_yet_are_not_missed(mail: Feedback) -> None:
    await mail.sent(NEWS, -3, sent=20)
    await mail.sent(NEWS, -3, send_events=20, fold=False)
    await mail.sent(NEWS, -2, sent=20, fold=False)
    stopped = (mail.minute - 3) * MINUTE + 50_000
    await mail.db.execute("update cohort_fold set folded_at = $1", stopped)
    await mail.watch.advance()
    assert await mail.losses() == []
    # A fold that leaves something may have counted mail without its events.
    assert await mail.db.fetchval("select fold_cohorts(1)") == 1
    assert await mail.db.fetchval("select folded_at from cohort_fold") == stopped
    [loss] = await mail.look()
    assert (loss["since"], loss["missing"]) == ((mail.minute - 2) * MINUTE, 20)


async def test_ses_is_asked_once_for_a_gap_and_not_again_for_ten_minutes(mail: Feedback) -> None:
    await mail.sent(NEWS, sent=2)
    made = mail.administer.budget.turns.total
    for n in range(5):
        assert await mail.look(DUE + 1_000 * n) == []
    assert made[Work.URGENT] == 1
    assert len(await mail.look(DUE + LOOK_AGAIN_MS + 2_000)) == 1  # it is old enough now
    assert made[Work.URGENT] == 2
    await mail.sent(NEWS, 20, sent=40, send_events=40)
    [loss] = await mail.look(DUE + 3 * LOOK_AGAIN_MS)
    assert loss["until"] is not None
    assert made[Work.URGENT] == 2


async def test_a_loss_ends_by_itself_and_its_minutes_stay_marked(mail: Feedback) -> None:
    await disabled(mail)
    await mail.sent(NEWS, sent=200)
    await mail.look()
    await mail.destination(NEWS)
    await mail.sent(NEWS, 2, sent=10, send_events=10)
    [loss] = await mail.look(2 * MINUTE + DUE)
    assert (loss["until"], loss["missing"]) == ((mail.minute + 1) * MINUTE, 200)
    assert loss["ended_at"] is not None
    lane, start = mail.lanes[NEWS], mail.minute * MINUTE
    async with mail.control.acquire() as connection:
        [mark] = await feedback_marks.marks(connection, None, start, start + MINUTE)
        assert (mark.lane, mark.loss, mark.signal, mark.late) == (lane, loss["id"], "send", False)
        assert await feedback_marks.marks(connection, [mail.lanes[URGENT]], start, start + MINUTE) == []
        assert await feedback_marks.marks(connection, [lane], start + MINUTE, start + 9 * MINUTE) == []
    assert [
        one for one in (await judged(mail)).problems if one.check == "feedback" and "lost" in one.code
    ] == []


async def test_late_events_leave_no_mark(mail: Feedback) -> None:
    await absent(mail)
    await mail.sent(NEWS, sent=50)
    [loss] = await mail.look()
    assert loss["late"]
    await mail.observer()
    await mail.sent(NEWS, send_events=50)
    [loss] = await mail.look(DUE + 2_000)
    assert loss["until"] is not None
    [loss] = await mail.look(DUE + 2 * MINUTE)
    assert loss["missing"] == 0
    async with mail.control.acquire() as connection:
        assert (
            await feedback_marks.marks(connection, None, mail.minute * MINUTE, (mail.minute + 1) * MINUTE)
            == []
        )


async def test_events_that_come_after_the_end_are_taken_off_what_is_missing(mail: Feedback) -> None:
    await mail.sent(NEWS, sent=50)
    await mail.sent(NEWS, 1, sent=5, send_events=5)
    [loss] = await mail.look(2 * MINUTE + DUE)
    assert (loss["missing"], loss["until"] is None) == (50, False)
    await mail.look(4 * MINUTE + DUE)
    await mail.sent(NEWS, send_events=20)
    [loss] = await mail.look(6 * MINUTE + DUE)
    assert loss["missing"] == 30


async def test_another_control_process_goes_on_where_one_was_killed(mail: Feedback) -> None:
    await disabled(mail)
    await mail.sent(NEWS, sent=7)
    await mail.look()
    mail.watch = mail.new_watch()  # it has seen nothing, and reads the last hour
    [loss] = await mail.look(DUE + 5_000)
    assert (loss["missing"], loss["until"]) == (7, None)
    await mail.sent(NEWS, 3, sent=3, send_events=3)
    mail.watch = mail.new_watch()
    [loss] = await mail.look(3 * MINUTE + DUE)
    assert loss["until"] == (mail.minute + 1) * MINUTE


async def test_a_destination_that_was_repaired_at_once_is_a_loss_of_those_minutes(mail: Feedback) -> None:
    """Reconciling repairs it in seconds: what it found then explains what is missing now."""
    await mail.sent(NEWS, sent=3)
    await mail.sent(NEWS, 1, sent=30, send_events=30)
    await finding(mail, "destination-disabled", ended=True)
    [loss] = await mail.look(2 * MINUTE + DUE)
    assert (loss["cause"], loss["missing"]) == (Cause.DESTINATION_DISABLED, 3)
    assert loss["because"].endswith("is disabled at SES; that has been repaired")
    assert loss["until"] == (mail.minute + 1) * MINUTE


async def finding(mail: Feedback, kind: str, *, ended: bool, **detail: object) -> None:
    await mail.db.execute(
        "insert into finding (kind, severity, resource_kind, resource, member, detail, row_kind, row_name, found_by, since,"
        " ended_at) values ($1, 'high', 'event-destination', $2, '', $3, 'event-destination', $2, 'scan',"
        " to_timestamp($4::bigint), case when $5 then to_timestamp($4::bigint + 30) end)",
        kind,
        f"{NEWS}/outcome",
        json.dumps({"set_name": NEWS, "destination": "outcome", **detail}),
        mail.minute * 60,
        ended,
    )


async def test_mail_belongs_to_the_set_that_its_lane_had_when_it_was_sent(mail: Feedback) -> None:
    await mail.sent(NEWS, sent=20)
    now = (mail.minute + 1) * MINUTE + 1_000
    await mail.db.execute("insert into configuration_set (name, kind, class) values ('mc-new', 'shared', 2)")
    await mail.db.execute("update route set configuration_set = 'mc-new' where lane = $1", mail.lanes[NEWS])
    await mail.db.execute("update route_before set until = $1", now)
    await mail.sent(NEWS, 2, sent=5, send_events=5)
    [loss] = await mail.look(3 * MINUTE + DUE)
    assert loss["configuration_set"] == NEWS
    async with mail.control.acquire() as connection:
        [mark] = await feedback_marks.marks(connection, None, mail.minute * MINUTE, now)
    assert mark.lane == mail.lanes[NEWS]  # which has another set now


# Bounces and complaints -----------------------------------------------------------------------------------------------------


async def past(mail: Feedback, **counts: Any) -> None:
    """Mail of two weeks ago, of both sets."""
    for lane in mail.lanes.values():
        await mail.cohorts.add(lane, minute=mail.minute - 14 * 1440, **counts)


async def test_the_road_of_bounces_alone_is_missed_by_what_the_past_lets_expect(mail: Feedback) -> None:
    """Send events and deliveries come, and bounces do not."""
    await past(mail, sent=100_000, send_events=100_000, hard_bounced=2_500)
    await mail.sent(NEWS, -9, sent=2_000, send_events=2_000, delivered=1_950)
    await mail.sent(URGENT, -9, sent=2_000, send_events=2_000, hard_bounced=40)
    kinds = [kind for kind in desired.OUTCOME_EVENTS if kind != "BOUNCE"]
    await mail.destination(NEWS, MatchingEventTypes=kinds)
    [loss] = await mail.look(DUE)
    assert (loss["signal"], loss["configuration_set"]) == ("bounce", NEWS)
    assert loss["because"] == f"destination `outcome` of set {NEWS} does not publish BOUNCE"
    assert 20 < loss["missing"] < 60


async def test_a_destination_found_without_bounces_is_a_loss_of_a_single_mail(mail: Feedback) -> None:
    await finding(mail, "destination-events", ended=False, fewer=["BOUNCE", "COMPLAINT"], more=[])
    await mail.sent(NEWS, sent=1, send_events=1)
    losses = await mail.look(DUE)
    assert {loss["signal"] for loss in losses} == {"bounce", "complaint"}
    assert {loss["missing"] for loss in losses} == {1}


async def test_complaints_are_missed_over_days(mail: Feedback) -> None:
    await past(mail, sent=1_000_000, send_events=1_000_000, complained=1_000, hard_bounced=0)
    day = -1440
    await mail.sent(NEWS, 2 * day, sent=60_000, send_events=60_000, delivered=60_000)
    await mail.sent(URGENT, 2 * day, sent=60_000, send_events=60_000, complained=50)
    [loss] = await mail.look(DUE)
    assert (loss["signal"], loss["configuration_set"], loss["cause"]) == ("complaint", NEWS, "unknown")


# Who sees what --------------------------------------------------------------------------------------------------------------


async def test_a_tenant_sees_that_its_own_lane_is_concerned_and_no_name_of_what_is_shared(
    mail: Feedback,
) -> None:
    await disabled(mail)
    await mail.sent(NEWS, sent=20)
    await mail.look()
    tenants = {row["slug"]: row["id"] for row in await mail.db.fetch("select id, slug from tenant")}
    acme, zen = (Viewer(tenants[slug], as_tenant=True) for slug in ("acme", "zen"))
    [own] = await mail.reader.own(acme, is_open=True, limit=10)
    assert own.type == "newsletter"
    assert NEWS not in own.sentence
    assert await mail.reader.own(zen, is_open=True, limit=10) == []
    assert len(await mail.reader.of_lane(acme, "acme", "newsletter")) == 1
    assert await mail.reader.of_lane(zen, "zen", "password-reset") == []
    [shown] = await mail.reader.losses(Viewer(None), is_open=True, before=None, limit=10)
    assert NEWS in shown.sentence
    [shown] = await mail.reader.losses(Viewer(tenants["acme"]), is_open=None, before=None, limit=10)
    assert shown.types == ["newsletter"]
    assert await mail.reader.losses(Viewer(tenants["zen"]), is_open=None, before=None, limit=10) == []
    for slug, sees in (("acme", [mail.lanes[NEWS]]), ("zen", [])):
        of_tenant = row_level_security.read_transaction(
            mail.control, mail.reader_pool, tenants[slug], snapshot=False
        )
        async with of_tenant as connection:
            found = await feedback_marks.own_marks(connection, None, 0, 2**62)
        assert [mark.lane for mark in found] == sees
    async with mail.reader_pool.acquire() as connection:
        with pytest.raises(Exception, match="permission denied"):
            await connection.fetch("select * from feedback_loss")


async def test_a_loss_is_kept_as_long_as_the_counts_that_it_makes_unreliable(mail: Feedback) -> None:
    for days, ended in ((1097, True), (1095, True), (1097, False)):
        await mail.db.execute(
            "insert into feedback_loss (signal, configuration_set, since, until, raised_at, ended_at, cause, because, counted_at)"
            " select 'send', 'mc-' || $1::int || $2::boolean, x.at, case when $2 then x.at end, x.at, case when $2 then x.at end,"
            " 'unknown', 'x', x.at from (select now_ms() - $1::int * 86400000::bigint as at) x",
            days,
            ended,
        )
    house = Upkeep(UpkeepStore(mail.control), None, None, cell="default")  # type: ignore[arg-type]
    await house.purge_old_rows()
    now = await mail.db.fetchval("select now_ms()")
    left = {((now - row["since"]) // 86_400_000, row["ended_at"] is None) for row in await mail.losses()}
    assert left == {(1095, False), (1097, True)}
