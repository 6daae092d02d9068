"""Mail whose events do not come back, on a running system: every surface says so, with the cause, and it ends by itself.

The watch of the control process sees it within two minutes. Here another one is told that they are over.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.feedback_store import FeedbackStore
from mailcordon.adapters.ses.administer import Administer
from mailcordon.adapters.ses.event_road import EventRoad
from mailcordon.adapters.ses.feedback_look import FeedbackLook
from mailcordon.core.cohort import COLUMNS
from mailcordon.observe.feedback_loop import Watch
from mailcordon.run import doctor
from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

QUEUE = "mailcordon-outcome"
TOPIC = f"arn:aws:sns:us-east-1:123456789012:{QUEUE}"
SLUG = "fbk-a"
LATER_MS = 150_000  #: all mail is due, whenever in its minute it was sent
OF_LANE = "slice in (select s.id from slice s join tenant t on t.id = s.tenant where t.slug = $1)"


@dataclass
class Feedback:
    mail: Traffic
    watch: Watch
    ses: Any
    run: Callable[..., tuple[int, str, str]]
    configuration_set: str = ""

    async def destination(self, **changed: Any) -> None:
        """Somebody changes the destination of our set by hand."""
        name = {"ConfigurationSetName": self.configuration_set}

        def put() -> None:
            found = self.ses.get_configuration_set_event_destinations(**name)["EventDestinations"]
            [was] = [one for one in found if one["Name"] == "outcome"]
            kept = {key: was[key] for key in ("Enabled", "MatchingEventTypes", "SnsDestination")}
            self.ses.update_configuration_set_event_destination(
                **name, EventDestinationName="outcome", EventDestination={**kept, **changed}
            )

        await asyncio.to_thread(put)

    async def send(self, count: int) -> None:
        """Hands in mail, until all of it is counted as sent."""
        before = await self.counted("sent")
        await self.mail.fill(SLUG, "newsletter", count)
        await self.mail.all_final(SLUG)

        async def counted() -> bool:
            return await self.counted("sent") == before + count

        await self.mail.until(counted, "it is counted")

    async def counted(self, column: str) -> int:
        return await self.mail.db.fetchval(
            f"select coalesce(sum({column}), 0)::int from cohort_minute where {OF_LANE}", SLUG
        )

    async def losses(self) -> list[Any]:
        """Of the set, else of all. Looked at ahead of time, mail of others that share the system may be missing as well."""
        await self.watch.advance(ahead_ms=LATER_MS)
        found = await self.mail.db.fetch(
            "select * from feedback_loss where configuration_set = $1 or configuration_set is null order by id",
            self.configuration_set,
        )
        return [one for one in found if one["configuration_set"] is not None] or found

    async def command(self, *words: str) -> tuple[int, str]:
        code, out, _ = await asyncio.to_thread(self.run, *words)
        return code, out

    async def until_over(self) -> None:
        async def over() -> bool:
            return all(loss["ended_at"] is not None for loss in await self.losses())

        await self.mail.until(over, "the loss is over")

    async def forget(self) -> None:
        """No mail of ours was ever sent, for the watch of the system that goes on, and none of another test lost its events."""
        await self.mail.db.execute(
            "insert into cohort_change (tenant, lane, minute, path, campaign, list, provider, counts)"
            " select s.tenant, s.lane, c.minute, s.path, s.campaign, s.list, c.provider,"
            f" array[{', '.join(f'-coalesce(c.{name}, 0)' for name in COLUMNS)}]"
            f" from cohort_minute c join slice s on s.id = c.slice where c.{OF_LANE}"
            " or c.sent > coalesce(c.send_events, 0)",
            SLUG,
        )
        await self.mail.db.execute("delete from feedback_loss")

        async def folded() -> bool:
            return not await self.mail.db.fetchval("select exists (select from pending_change)")

        await self.mail.until(folded, "it is taken back")


@pytest.fixture
async def feedback(mail: Traffic, system: systems.System, run: Any) -> AsyncIterator[Feedback]:
    async with contextlib.AsyncExitStack() as stack:
        control = await stack.enter_async_context(await engine.create_pool(system.dsn("control"), max_size=2))
        administer = Administer(
            region="us-east-1", endpoint=system.ses_url, access_key="test", secret_key="test"
        )
        stack.callback(administer.close)
        road = EventRoad(
            topic=TOPIC,
            queue_url=f"{system.ses_url}/123456789012/{QUEUE}",
            region="us-east-1",
            sns_endpoint=system.ses_url,
            sqs_endpoint=system.ses_url,
            credentials=("test", "test"),
            local=True,
        )
        look = FeedbackLook(administer, road, topic=TOPIC, queue=QUEUE)
        ses: Any = boto3.client(
            "sesv2",
            region_name="us-east-1",
            endpoint_url=system.ses_url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        stack.callback(ses.close)
        made = Feedback(mail, Watch(FeedbackStore(control, topic=TOPIC), look, queue=QUEUE), ses, run)
        await onboarded(made)
        await made.forget()
        stack.push_async_callback(made.forget)
        yield made


async def onboarded(found: Feedback) -> None:
    """A tenant with a configuration set of its own."""
    mail = found.mail
    body = {"slug": SLUG, "types": {"newsletter": f"newsletter.{SLUG}.example"}, "dedicated": True}
    status, said = await mail.call("POST", "/v1/tenants", body)
    assert status in (200, 201), said

    async def ready() -> bool:
        return (await mail.call("GET", f"/v1/tenants/{SLUG}"))[1]["provisioning"]["done"]

    await mail.until(ready, "the tenant is provisioned")
    await mail.set_lanes([SLUG], released_at=None)
    lane = (await mail.call("GET", f"/v1/tenants/{SLUG}/lanes/newsletter"))[1]
    found.configuration_set = lane["route"]["configuration_set"]


@contextlib.asynccontextmanager
async def kept_as_found(mail: Traffic, kind: str) -> AsyncIterator[None]:
    """Such differences are proposed, not repaired, meanwhile."""
    path = f"/v1/drift/policies/{kind}"
    status, said = await mail.call("PUT", path, {"act": "propose", "because": "a test"})
    assert status == 200, said
    try:
        yield
    finally:
        await mail.call("PUT", path, {"act": "apply", "because": "as before"})


async def test_mail_through_a_disabled_destination_is_counted_as_sent_and_every_surface_says_what_is_dead(
    feedback: Feedback, system: systems.System
) -> None:
    mail, name = feedback.mail, feedback.configuration_set
    dead = f"destination `outcome` of set {name} is disabled at SES"
    async with kept_as_found(mail, "destination-disabled"):
        await feedback.destination(Enabled=False)
        await feedback.send(200)
        assert await feedback.counted("send_events") == 0
        [loss] = await feedback.losses()
        assert (loss["cause"], loss["because"], loss["missing"]) == ("destination-disabled", dead, 200)

        code, out = await feedback.command("feedback", "--json")
        [item] = [one for one in json.loads(out)["items"] if one["configuration_set"] == name]
        assert (code, item["configuration_set"], item["sent"], item["seen"]) == (1, name, 200, 0)
        says = item["detail"]
        assert "of 200 mails, none has its Send event" in says
        assert says.endswith(dead)
        status = (await mail.call("GET", "/v1/status"))[1]
        assert says in [one["detail"] for one in status["problems"]]
        findings = await doctor.find(systems.environment(system.home))
        assert [one.state for one in findings if dead in one.says and "none has its Send" in one.says] == [
            "bad"
        ]
        lane = (await mail.call("GET", f"/v1/tenants/{SLUG}/lanes/newsletter"))[1]
        assert lane["feedback"]["lost"]
        assert lane["state"] == "open"  # it is no sign of bad mail
        shown = (await feedback.command("lane", "show", SLUG, "newsletter"))[1]
        assert "events of its mail sent since" in shown
        await feedback.destination(Enabled=True)
        await feedback.until_over()
    code, out = await feedback.command("feedback", "--tenant", SLUG)
    assert (code, out.strip()) == (0, "Events of all mail come back.")
    items = json.loads((await feedback.command("feedback", "--all", "--json"))[1])["items"]
    assert [one["open"] for one in items if one["missing"] == 200] == [False]


async def test_a_destination_without_send_events_leaves_the_mail_counted_and_is_named(
    feedback: Feedback,
) -> None:
    async with kept_as_found(feedback.mail, "destination-events"):
        kinds = ["REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "RENDERING_FAILURE", "DELIVERY_DELAY"]
        await feedback.destination(MatchingEventTypes=kinds)
        await feedback.send(20)

        async def delivered() -> bool:
            return await feedback.counted("delivered") == 20

        await feedback.mail.until(delivered, "its deliveries are counted")
        assert (await feedback.counted("sent"), await feedback.counted("send_events")) == (20, 0)
        [loss] = await feedback.losses()
        assert loss["because"] == (
            f"destination `outcome` of set {feedback.configuration_set} does not publish SEND"
        )
        assert json.loads(loss["evidence"])["others"] == 20
        await feedback.destination(MatchingEventTypes=["SEND", *kinds])
        await feedback.until_over()


async def test_a_stopped_observer_makes_events_late_and_nothing_is_lost(
    feedback: Feedback, system: systems.System
) -> None:
    with traffic.stopped(system, "observe"):
        # As ten seconds later: it cannot report.
        await feedback.mail.db.execute("update role_health set beat = beat - 60000 where role = 'observe'")
        await feedback.send(20)
        [loss] = await feedback.losses()
        assert (loss["cause"], loss["late"], loss["configuration_set"]) == ("observer-stopped", True, None)
        assert f"process {system.processes['observe']} on" in loss["because"]
    await feedback.until_over()
    assert await feedback.counted("send_events") == 20
    await feedback.watch.advance(ahead_ms=2 * LATER_MS)
    [loss] = await feedback.mail.db.fetch("select * from feedback_loss")
    assert loss["missing"] == 0
