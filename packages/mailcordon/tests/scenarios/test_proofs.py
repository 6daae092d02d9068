"""`mailcordon prove` on a running system: it leaves no trace in what is counted, and names the part of the way that is dead."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import boto3
import pytest

from mailcordon_fixtures import systems
from mailcordon_fixtures.traffic import Traffic

Prove = Callable[..., Awaitable[tuple[int, str, str]]]
TYPES = ("newsletter", "password-reset")
SHORT = ("--timeout", "2s")

#: Everything that counts, limits or keeps mail, with how to read a tenant's part of it.
OF_TENANT = (
    "lane", "hold", "suppression", "message", "recipient", "ready", "waiting", "ledger", "note", "event", "outcome",
    "slice", "cohort_day", "lane_count",
)  # fmt: skip
OF_LANE = ("lane_intake", "lane_finished")
#: What all tenants share, with what is read of it: a tenant's own rows, and whatever names an address of the simulator. The rest
#: changes with other mail of the shared system.
OF_ALL = {
    "platform_suppression": "address like '%simulator%'",
    "quarantine": "tenant = $1 or document like '%simulator%'",
    "stop": "tenant = $1 or name in (select name from ses_resource where tenant = $1)",
    "reserve_use": "tenant = $1",
    "idempotency": "tenant = $1",
}
#: A turn, without the time of its next look at the queue: a dispatcher looks once after an onboarding, and changes it.
TURNS = "select id, tenant, class from turn where tenant = $1 order by id"


@pytest.fixture(scope="module")
def ses(system: systems.System) -> Iterator[Any]:
    client: Any = client_of(system, "sesv2")
    yield client
    client.close()


@pytest.fixture
def prove(run: Any) -> Prove:
    """`mailcordon prove`, which has an event loop of its own."""

    async def command(*words: str) -> tuple[int, str, str]:
        return await asyncio.to_thread(run, "prove", *words)

    return command


def client_of(system: systems.System, service: Any) -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=system.ses_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


async def everything(mail: Traffic, slug: str) -> dict[str, list[Any]]:
    tenant = await mail.db.fetchval("select id from tenant where slug = $1", slug)
    found: dict[str, list[Any]] = {"turn": await mail.db.fetch(TURNS, tenant)}
    for name in OF_TENANT:
        found[name] = await mail.db.fetch(f"select * from {name} where tenant = $1 order by 1", tenant)
    for name in OF_LANE:
        where = "lane in (select id from lane where tenant = $1)"
        found[name] = await mail.db.fetch(f"select * from {name} where {where} order by 1", tenant)
    for name, where in OF_ALL.items():
        rows = f"select x::text from {name} x where $1::int is not null and ({where}) order by 1"
        found[name] = await mail.db.fetch(rows, tenant)
    return {name: [tuple(row) for row in rows] for name, rows in found.items()}


def proof_of(done: tuple[int, str, str]) -> dict[str, Any]:
    [item] = json.loads(done[1])["items"]
    return item


async def test_every_lane_is_proved_and_nothing_that_counts_has_changed(
    mail: Traffic, prove: Prove, ses: Any
) -> None:
    await mail.onboard({"prv-a": TYPES})
    key = (await mail.call("GET", "/v1/tenants/prv-a"))[1]["key"]
    quota = "select sent_24h + taken from account_rate"
    for _ in range(5):  # other mail, and reading SES's account, change the day's quota too
        before, left = await everything(mail, "prv-a"), await mail.db.fetchval(quota)
        code, out, err = await prove("prv-a", "--json")
        assert code == 0, out + err
        after = await everything(mail, "prv-a")
        assert {name for name in before if before[name] != after[name]} == set()
        if await mail.db.fetchval(quota) == left:
            break
    else:
        pytest.fail("every proof took of the day's quota")
    assert ses.list_suppressed_destinations(TenantName=key)["SuppressedDestinationSummaries"] == []
    items = json.loads(out)["items"]
    assert {item["type"] for item in items} == set(TYPES)
    for item in items:
        assert (item["state"], item["faults"]) == ("proved", [])
        assert item["scope"]["tenant_scope"] == "TENANT"
        for one in item["mails"]:
            assert {event["kind"] for event in one["events"]} == set(one["expected"])
            assert {(event["tenant"], event["type"]) for event in one["events"]} == {("prv-a", item["type"])}
            assert {event["queue"] for event in one["events"]} == {"mailcordon-outcome"}
    lanes = json.loads((await prove("prv-a", "--list", "--json"))[1])["items"]
    assert {lane["state"] for lane in lanes} == {"fresh"}


async def test_a_rejected_mail_is_part_of_a_proof_on_request(mail: Traffic, prove: Prove) -> None:
    await mail.onboard({"prv-b": TYPES[:1]})
    item = proof_of(await prove("prv-b", "--reject", "--json"))
    assert item["state"] == "proved"
    assert [event["kind"] for one in item["mails"] if one["what"] == "reject" for event in one["events"]] == [
        "send",
        "reject",
    ]


async def test_a_held_lane_is_not_used_and_the_proof_says_what_holds_it(mail: Traffic, prove: Prove) -> None:
    await mail.onboard({"prv-c": TYPES[:1]})
    await mail.hold("prv-c", type="newsletter")
    done = await prove("prv-c", "--json")
    assert done[0] == 1
    item = proof_of(done)
    assert "a test" in item["because"]
    assert {one["state"] for one in item["mails"]} == {"asked"}
    simulated = await mail.ses("GET", "/sent?limit=1000")
    key = (await mail.call("GET", "/v1/tenants/prv-c"))[1]["key"]
    assert [each for each in simulated["sent"] if key in each["tags"].get("mc-tenant", [])] == []


@contextlib.asynccontextmanager
async def kept_as_found(mail: Traffic) -> AsyncIterator[None]:
    """Differences of destinations are proposed, not repaired, meanwhile."""
    path = "/v1/drift/policies/destination-disabled"
    status, said = await mail.call("PUT", path, {"act": "propose", "because": "a test"})
    assert status == 200, said
    try:
        yield
    finally:
        await mail.call("PUT", path, {"act": "apply", "because": "as before"})


async def own_set(mail: Traffic, slug: str) -> str:
    """A tenant with a configuration set of its own; its name."""
    body = {"slug": slug, "types": {"newsletter": f"news.{slug}.example"}, "dedicated": True}
    status, said = await mail.call("POST", "/v1/tenants", body)
    assert status in (200, 201), said

    async def ready() -> bool:
        return (await mail.call("GET", f"/v1/tenants/{slug}"))[1]["provisioning"]["done"]

    await mail.until(ready, f"{slug} is provisioned")
    await mail.set_lanes([slug], released_at=None)
    return (await mail.call("GET", f"/v1/tenants/{slug}/lanes/newsletter"))[1]["route"]["configuration_set"]


async def test_with_its_destination_disabled_a_lane_is_not_proved_and_the_destination_is_named(
    mail: Traffic, prove: Prove, ses: Any
) -> None:
    name = await own_set(mail, "prv-d")
    async with kept_as_found(mail):
        [was] = [
            one
            for one in ses.get_configuration_set_event_destinations(ConfigurationSetName=name)[
                "EventDestinations"
            ]
            if one["Name"] == "outcome"
        ]
        target = {key: was[key] for key in ("MatchingEventTypes", "SnsDestination")}

        def enable(enabled: bool) -> None:
            ses.update_configuration_set_event_destination(
                ConfigurationSetName=name,
                EventDestinationName="outcome",
                EventDestination={**target, "Enabled": enabled},
            )

        enable(False)
        done = await prove("prv-d", *SHORT, "--json")
        assert done[0] == 1
        item = proof_of(done)
        assert item["state"] == "failed"
        assert item["because"] == f"destination `outcome` of set {name} is disabled at SES"
        [lane] = json.loads((await prove("prv-d", "--list", "--json"))[1])["items"]
        assert lane["state"] == "failed"
        enable(True)
        assert proof_of(await prove("prv-d", "--json"))["state"] == "proved"


async def test_with_the_topics_policy_wrong_the_policy_is_named_and_with_the_queues_policy_that_one(
    mail: Traffic, prove: Prove, system: systems.System
) -> None:
    name = await own_set(mail, "prv-e")
    sns, sqs = client_of(system, "sns"), client_of(system, "sqs")
    topic: str = sns.create_topic(Name="mailcordon-outcome")["TopicArn"]
    url: str = sqs.get_queue_url(QueueName="mailcordon-outcome")["QueueUrl"]
    queue = "arn:aws:sqs:us-east-1:123456789012:mailcordon-outcome"
    try:
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        ours = {
            "ArnEquals": {"aws:SourceArn": f"arn:aws:ses:us-east-1:123456789012:configuration-set/{name}"}
        }
        policy = [
            {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": topic},
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sns:Publish",
                "Resource": topic,
                "Condition": ours,
            },
        ]  # other lanes' events still arrive
        text = json.dumps({"Version": "2012-10-17", "Statement": policy})
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=text)
        item = proof_of(await prove("prv-e", *SHORT, "--json"))
        assert item["because"].startswith(
            f"the policy of topic {topic} does not let ses.amazonaws.com publish"
        )

        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue="")
        other = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic + "-other"}},
        }
        text = json.dumps({"Version": "2012-10-17", "Statement": [other]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": text})
        item = proof_of(await prove("prv-e", *SHORT, "--json"))
        assert item["because"].startswith(f"the policy of queue {queue} does not let the topic")
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
        sns.delete_topic(TopicArn=topic)
    assert proof_of(await prove("prv-e", "--json"))["state"] == "proved"


async def test_an_event_that_comes_after_the_time_limit_is_kept_as_late(mail: Traffic, prove: Prove) -> None:
    await mail.onboard({"prv-f": TYPES[:1]})
    async with mail.fault("delay_events", seconds=4, events=["Complaint"], configuration_set="mc-marketing"):
        item = proof_of(await prove("prv-f", *SHORT, "--json"))
    assert item["because"] == "of the complaint mail SES reported no complaint within 2 s"

    async def late() -> bool:
        shown = json.loads((await prove("--show", str(item["id"]), "--json"))[1])
        return any(event["late"] for one in shown["mails"] for event in one["events"])

    await mail.until(late, "the late event is stored")
    assert json.loads((await prove("--show", str(item["id"]), "--json"))[1])["state"] == "failed"


async def test_a_lane_shows_whether_it_is_proved(mail: Traffic, prove: Prove) -> None:
    """The lane of the test before, whose proof failed: it is proved again, and `status` has no notice of it."""
    assert (await prove("prv-f", "--json"))[0] == 0
    _, lane = await mail.call("GET", "/v1/tenants/prv-f/lanes/newsletter")
    assert lane["proof"]["state"] == "fresh"
    notices = (await mail.call("GET", "/v1/status"))[1]["notices"]
    assert "attribution-unproved" not in {notice["code"] for notice in notices}


async def test_who_asks_second_is_told_of_the_first(mail: Traffic) -> None:
    await mail.onboard({"prv-g": TYPES[:1]})
    _, first = await mail.call("POST", "/v1/tenants/prv-g/proofs", {})
    status, second = await mail.call("POST", "/v1/tenants/prv-g/proofs", {})
    assert status == 202
    [one], [other] = first["items"], second["items"]
    assert (one["is_new"], other["is_new"]) == (True, False)
    assert other["proof"]["id"] == one["proof"]["id"]
    assert f"proof {one['proof']['id']} runs already" in other["says"]
