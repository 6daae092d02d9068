"""Injected faults: each does what its name says, for its tenant, set or operation, as often as requested."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from seslocal_fixtures import signing

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

SEND, ACCOUNT = "/v2/email/outbound-emails", "/v2/email/account"


def signed(world: World, method: str, path: str, body: object = None) -> tuple[bytes, dict[str, str]]:
    data = b"" if body is None else json.dumps(body).encode()
    return data, signing.signed(method, path, data, host=world.host)


def test_an_accepted_mail_with_a_lost_response_is_in_the_ledger_and_has_events(world: World) -> None:
    world.ready()
    world.fault("accept_lose_answer", count=1)
    with pytest.raises(ConnectionClosedError):
        world.send("kim@example.com")
    [line] = world.sent(recipient="kim@example.com")
    assert [e["mail"]["messageId"] for e in world.events(2)] == [line["message_id"]] * 2
    assert world.send("kim@example.com")  # used up


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("error_500", 500, "InternalServiceErrorException"), ("error_503", 503, "ServiceUnavailable")],
)
@pytest.mark.parametrize("accepted", [False, True])
def test_a_5xx_hides_whether_the_mail_was_accepted(
    world: World, kind: str, status: int, code: str, accepted: bool
) -> None:
    world.ready()
    world.fault(kind, count=1, accepted=accepted)
    assert world.refused(lambda: world.send("kim@example.com"))[:2] == (status, code)
    assert len(world.sent()) == (1 if accepted else 0)
    assert world.send("kim@example.com")


def test_a_throttle_returns_the_error_of_the_send_rate(world: World) -> None:
    world.ready()
    world.fault("throttle", count=2)
    for _ in range(2):
        assert world.refused(lambda: world.send("kim@example.com")) == (
            429,
            "TooManyRequestsException",
            "Maximum sending rate exceeded.",
        )
    assert world.send("kim@example.com")


def test_a_refusal_is_in_the_words_that_were_given(world: World) -> None:
    world.ready()
    paused = "Sending paused for this account."
    world.fault("refuse", count=1, code="MessageRejected", message=paused)
    assert world.refused(lambda: world.send("kim@example.com")) == (400, "MessageRejected", paused)
    world.fault("refuse", count=1, status=403, code="NewerException", message="x")
    assert world.refused(lambda: world.send("kim@example.com")) == (403, "NewerException", "x")
    assert world.sent() == []
    assert world.send("kim@example.com")


def test_slow_accepts_at_once_and_responds_later(world: World) -> None:
    world.ready()
    world.fault("slow", count=1, seconds=0.4)
    start = time.monotonic()
    assert world.send("kim@example.com")
    assert time.monotonic() - start >= 0.4
    world.fault("slow", count=1, seconds=60)
    connection = http.client.HTTPConnection(world.local.host, world.local.port, timeout=0.3)
    body = {
        "FromEmailAddress": "a@mail.acme.example",
        "Destination": {"ToAddresses": ["lee@example.com"]},
        "Content": {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
    }
    connection.request("POST", SEND, *signed(world, "POST", SEND, body))
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    assert len(world.sent(recipient="lee@example.com")) == 1


def test_idle_connections_are_closed_now_and_after_each_response(world: World) -> None:
    connection = http.client.HTTPConnection(world.local.host, world.local.port, timeout=60)
    connection.request("GET", ACCOUNT, *signed(world, "GET", ACCOUNT))
    connection.getresponse().read()
    fault = world.fault("close_idle")
    assert connection.sock is not None
    assert connection.sock.recv(1) == b""  # closed while idle
    connection.close()
    connection.request("GET", ACCOUNT, *signed(world, "GET", ACCOUNT))
    answer = connection.getresponse()
    answer.read()
    assert answer.getheader("Connection") is None  # no `Connection: close`
    assert connection.sock.recv(1) == b""
    connection.close()
    world.admin("DELETE", f"/faults/{fault}")
    connection.request("GET", ACCOUNT, *signed(world, "GET", ACCOUNT))
    connection.getresponse().read()
    connection.request("GET", ACCOUNT, *signed(world, "GET", ACCOUNT))
    assert connection.getresponse().read()
    connection.close()


def test_dropped_events_never_arrive(world: World) -> None:
    world.ready()
    world.fault("drop_events", events=["Bounce"])
    world.mailbox("kim@example.com", "bounces")
    world.send("kim@example.com")
    assert world.kinds(1) == ["Send"]
    assert world.silent()
    # The bounce happened: only the event was lost.
    assert world.ses.get_suppressed_destination(EmailAddress="kim@example.com", TenantName="acme")


def test_doubled_events_arrive_twice_with_the_same_content(world: World) -> None:
    world.ready()
    world.fault("double_events")
    world.send("kim@example.com")
    envelopes = [json.loads(body) for body in world.bodies(4)]
    assert sorted(json.loads(e["Message"])["eventType"] for e in envelopes) == [
        "Delivery",
        "Delivery",
        "Send",
        "Send",
    ]
    assert len({e["Message"] for e in envelopes}) == 2
    assert len({e["MessageId"] for e in envelopes}) == 4


def test_untagged_events_have_the_tags_of_ses_alone(world: World) -> None:
    world.ready()
    world.fault("untagged_events", events=["Send"])
    world.send("kim@example.com", EmailTags=[{"Name": "stream", "Value": "news"}])
    tags = {event["eventType"]: event["mail"]["tags"] for event in world.events(2)}
    assert tags["Delivery"]["stream"] == ["news"]
    assert "stream" not in tags["Send"]
    assert tags["Send"].items() < tags["Delivery"].items()


def test_reordered_events_arrive_last_first(world: World) -> None:
    world.ready()
    world.fault("reorder_events", seconds=0.3)
    world.mailbox("lee@example.com", "complains")
    world.send("lee@example.com")
    assert world.kinds(3) == ["Complaint", "Delivery", "Send"]


def test_delayed_events_arrive_later(world: World) -> None:
    world.ready()
    world.fault("delay_events", events=["Send"], seconds=0.5)
    world.send("kim@example.com")
    assert world.kinds(2) == ["Delivery", "Send"]


def test_a_queue_outage_is_a_503_and_loses_nothing(world: World) -> None:
    world.ready()
    url = world.queue()
    fault = world.fault("queue_outage")
    world.send("kim@example.com")
    for call in (world.sqs.receive_message, world.sqs.get_queue_attributes):
        assert world.refused(call, QueueUrl=url)[0] == 503
    world.admin("DELETE", f"/faults/{fault}")
    assert world.kinds(2) == ["Send", "Delivery"]


def test_a_fault_applies_only_to_its_tenant_and_set(world: World) -> None:
    world.ready()
    world.tenant("other", world.arn("identity/mail.acme.example"), world.arn("configuration-set/acme-reset"))
    fault = world.fault("throttle", tenant="other")
    assert world.send("kim@example.com")
    assert world.refused(lambda: world.send("kim@example.com", tenant="other"))[0] == 429
    world.admin("DELETE", f"/faults/{fault}")
    world.fault("error_500", configuration_set="another")
    world.fault("drop_events", tenant="other")
    assert world.send("kim@example.com")
    assert world.kinds(4) == ["Send", "Delivery", "Send", "Delivery"]


def test_a_fault_can_apply_to_any_operation(world: World) -> None:
    world.fault("error_503", operation="GetAccount", count=1)
    assert world.ses.list_tenants()["Tenants"] == []
    assert world.refused(world.ses.get_account)[0] == 503
    world.fault("error_500", operation="*", count=1)
    assert world.refused(world.ses.list_tenants)[0] == 500


def test_only_the_fault_that_applies_is_used_up(world: World) -> None:
    world.ready()
    for kind in ("accept_lose_answer", "error_503", "throttle"):
        world.fault(kind, count=1)
    assert world.refused(lambda: world.send("kim@example.com"))[0] == 429
    assert world.refused(lambda: world.send("kim@example.com"))[0] == 503
    with pytest.raises(ConnectionClosedError):
        world.send("kim@example.com")
    assert world.admin("GET", "/faults") == {"faults": []}
    assert world.kinds(2) == ["Send", "Delivery"]
    world.fault("double_events", count=1)
    world.fault("drop_events", count=1)
    world.send("lee@example.com")
    assert world.kinds(2) == [
        "Delivery",
        "Delivery",
    ]  # the Send was dropped; the doubling applied to the Delivery


def test_a_fault_with_a_share_applies_about_that_often(world: World) -> None:
    world.ready()
    world.fault("throttle", share=0.5)
    refused = 0
    for _ in range(100):
        try:
            world.send("kim@example.com")
        except ClientError:
            refused += 1
    assert 20 < refused < 80


def test_faults_are_listed_with_their_remaining_count_and_removed_together(world: World) -> None:
    world.ready()
    fault = world.fault("throttle", count=3)
    world.refused(lambda: world.send("kim@example.com"))
    [shown] = world.admin("GET", "/faults")["faults"]
    assert (shown["id"], shown["fault"], shown["count"], shown["struck"]) == (fault, "throttle", 2, 1)
    world.admin("DELETE", "/faults")
    assert world.admin("GET", "/faults") == {"faults": []}
    assert "no active fault" in world.admin("DELETE", f"/faults/{fault}", expect=404)["error"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "fault is missing"),
        ({"fault": "explode"}, "explode"),
        ({"fault": "slow", "seconds": -1}, "seconds"),
        ({"fault": "slow", "seconds": "3"}, "seconds"),
        ({"fault": "throttle", "share": 2}, "share"),
        ({"fault": "throttle", "count": 0}, "count"),
        ({"fault": "throttle", "count": 1.5}, "count"),
        ({"fault": "drop_events", "events": "Bounce"}, "events"),
        ({"fault": "drop_events", "events": ["Bouncy"]}, "Bouncy"),
        ({"fault": "throttle", "tenants": "x"}, "tenants"),
        ({"fault": "throttle", "operation": "SendFax"}, "SendFax"),
        ([], "object"),
    ],
)
def test_an_invalid_fault_is_refused_with_a_sentence(world: World, body: object, word: str) -> None:
    assert word in world.admin("POST", "/faults", body, expect=400)["error"]


def test_a_read_timeout_can_hide_an_accepted_mail(world: World) -> None:
    import boto3
    from botocore.config import Config

    world.ready()
    world.fault("slow", count=1, seconds=30)
    impatient = boto3.Session("test", "test", region_name="us-east-1").client(
        "sesv2",
        endpoint_url=world.local.url,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=0.3),
    )
    with pytest.raises(ReadTimeoutError):
        impatient.send_email(
            FromEmailAddress="a@mail.acme.example",
            Destination={"ToAddresses": ["kim@example.com"]},
            Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
        )
    impatient.close()
    assert len(world.sent(recipient="kim@example.com")) == 1


@pytest.mark.parametrize("accepted", [False, True])
def test_a_time_out_never_responds(world: World, accepted: bool) -> None:
    world.ready()
    world.fault("time_out", count=1, accepted=accepted)
    connection = http.client.HTTPConnection(world.local.host, world.local.port, timeout=0.3)
    body = {
        "FromEmailAddress": "a@mail.acme.example",
        "Destination": {"ToAddresses": ["lee@example.com"]},
        "Content": {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
    }
    connection.request("POST", SEND, *signed(world, "POST", SEND, body))
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    assert len(world.sent(recipient="lee@example.com")) == (1 if accepted else 0)


def test_a_time_out_closes_without_a_response_after_its_seconds(world: World) -> None:
    world.ready()
    world.fault("time_out", count=1, seconds=0.2)
    with pytest.raises(ConnectionClosedError):
        world.send("kim@example.com")


def test_a_throttle_storm_refuses_every_operation_and_ends(world: World) -> None:
    world.ready()
    world.admin("PUT", "/clock", {"frozen": True})
    world.fault("throttle_storm")
    assert world.refused(lambda: world.send("kim@example.com"))[2] == "Maximum sending rate exceeded."
    assert world.refused(world.ses.list_tenants)[:2] == (429, "TooManyRequestsException")
    world.admin("PUT", "/clock", {"advance": 59})
    assert world.refused(world.ses.get_account)[0] == 429
    world.admin("PUT", "/clock", {"advance": 1})
    assert world.ses.get_account()
    assert world.admin("GET", "/faults") == {"faults": []}


def test_any_fault_can_have_a_duration(world: World) -> None:
    world.ready()
    world.admin("PUT", "/clock", {"frozen": True})
    world.fault("error_500", lasts=10)
    assert world.refused(lambda: world.send("kim@example.com"))[0] == 500
    world.admin("PUT", "/clock", {"advance": 10})
    assert world.send("kim@example.com")


def test_events_are_dropped_by_share(world: World) -> None:
    world.ready(events=["SEND"])
    fault = world.fault("drop_events", share=0.5)
    for number in range(100):
        world.send(f"k{number}@example.com")
    world.wait_for(lambda: world.admin("GET", "/clock")["due"] == 0)
    [shown] = world.admin("GET", "/faults")["faults"]
    assert shown["id"] == fault
    assert 20 < shown["struck"] < 80
    world.admin("DELETE", "/faults")
    world.bodies(100 - shown["struck"])
    assert world.silent()


def test_events_can_be_hours_late(world: World) -> None:
    world.ready(events=["SEND"])
    world.admin("PUT", "/clock", {"frozen": True})
    world.fault("delay_events", seconds=5 * 3600)
    world.send("kim@example.com")
    world.admin("PUT", "/clock", {"advance": 5 * 3600 - 1})
    queue = world.sqs.receive_message(QueueUrl=world.queue(), MaxNumberOfMessages=10)["Messages"]
    assert len(queue) == 1  # the topic's plain-text message
    world.admin("PUT", "/clock", {"advance": 2})
    assert world.kinds(1) == ["Send"]


def test_a_used_up_quota_is_refused_and_shown(world: World) -> None:
    world.ready()
    fault = world.fault("quota_gone")
    status, code, message = world.refused(lambda: world.send("kim@example.com"))
    assert (status, code, message) == (400, "LimitExceededException", "Daily message quota exceeded.")
    shown = world.ses.get_account()["SendQuota"]
    assert shown["SentLast24Hours"] == shown["Max24HourSend"]
    world.admin("DELETE", f"/faults/{fault}")
    assert world.send("kim@example.com")
    assert world.ses.get_account()["SendQuota"]["SentLast24Hours"] == 1


def test_a_tenant_paused_by_fault_is_reinstated_when_it_ends(world: World) -> None:
    arn = world.ready()
    world.admin("PUT", "/account", {"event_bus_queue": "bus"})
    fault = world.fault("tenant_paused", tenant="acme")
    assert world.refused(lambda: world.send("kim@example.com"))[1:] == (
        "MessageRejected",
        f"Sending disabled for {arn}.",
    )
    assert world.ses.get_tenant(TenantName="acme")["Tenant"]["SendingStatus"] == "DISABLED"
    world.admin("DELETE", f"/faults/{fault}")
    assert world.send("kim@example.com")
    bodies = [json.loads(body) for body in world.bodies(2, "bus")]
    kinds = [(body["detail-type"], body["detail"]["data"]["origin"]) for body in bodies]
    assert kinds == [("Sending Status Disabled", "AWS_MANAGED"), ("Sending Status Enabled", "AWS_MANAGED")]
    assert "needs tenant" in world.admin("POST", "/faults", {"fault": "tenant_paused"}, expect=400)["error"]
    assert world.admin("POST", "/faults", {"fault": "tenant_paused", "tenant": "x"}, expect=404)["error"]


def test_a_pause_with_another_cause_outlives_the_fault(world: World) -> None:
    world.ready()
    world.fault("tenant_paused", tenant="acme")
    world.admin("PUT", "/tenants/acme", {"aws_status": "DISABLED", "cause": "Bounces."})
    world.admin("DELETE", "/faults")
    assert world.ses.get_tenant(TenantName="acme")["Tenant"]["SendingStatus"] == "DISABLED"


def test_an_account_under_review_still_sends(world: World) -> None:
    world.ready()
    fault = world.fault("account_under_review")
    assert world.ses.get_account()["EnforcementStatus"] == "PROBATION"
    assert world.send("kim@example.com")
    world.admin("DELETE", f"/faults/{fault}")
    assert world.ses.get_account()["EnforcementStatus"] == "HEALTHY"


def test_a_skewed_clock_shows_in_returned_times(world: World) -> None:
    world.ready(events=["SEND"])
    world.admin("PUT", "/clock", {"at": "2026-01-01T00:00:00Z", "frozen": True})
    world.fault("clock_skew", seconds=-240)
    world.send("kim@example.com")
    world.admin("PUT", "/clock", {"advance": 1})
    [body] = world.bodies(1)
    envelope = json.loads(body)
    assert envelope["Timestamp"] == "2025-12-31T23:56:00.001Z"
    assert json.loads(envelope["Message"])["mail"]["timestamp"] == "2025-12-31T23:56:00.000Z"
    assert "clock_skew" in world.admin("POST", "/faults", {"fault": "clock_skew"}, expect=400)["error"]
