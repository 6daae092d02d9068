"""Faults on demand: each does what its name says, to whom it is meant for, as often as it was asked."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

if TYPE_CHECKING:
    from tests.seslocal.conftest import World


def test_an_accepted_mail_whose_answer_is_lost_is_in_the_ledger_and_sends_events(world: World) -> None:
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


def test_a_throttle_is_the_rates_own_refusal(world: World) -> None:
    world.ready()
    world.fault("throttle", count=2)
    for _ in range(2):
        assert world.refused(lambda: world.send("kim@example.com")) == (
            429,
            "TooManyRequestsException",
            "Maximum sending rate exceeded.",
        )
    assert world.send("kim@example.com")


def test_slow_accepts_at_once_and_answers_later(world: World) -> None:
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
    connection.request("POST", "/v2/email/outbound-emails", json.dumps(body))
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    assert len(world.sent(recipient="lee@example.com")) == 1


def test_idle_connections_are_closed_now_and_after_each_answer(world: World) -> None:
    connection = http.client.HTTPConnection(world.local.host, world.local.port, timeout=5)
    connection.request("GET", "/v2/email/account")
    connection.getresponse().read()
    fault = world.fault("close_idle")
    assert connection.sock is not None
    assert connection.sock.recv(1) == b""  # closed without a word while it rested
    connection.close()
    connection.request("GET", "/v2/email/account")
    answer = connection.getresponse()
    answer.read()
    assert answer.getheader("Connection") is None  # it does not say so either
    assert connection.sock.recv(1) == b""
    connection.close()
    world.admin("DELETE", f"/faults/{fault}")
    connection.request("GET", "/v2/email/account")
    connection.getresponse().read()
    connection.request("GET", "/v2/email/account")
    assert connection.getresponse().read()
    connection.close()


def test_dropped_events_never_come(world: World) -> None:
    world.ready()
    world.fault("drop_events", events=["Bounce"])
    world.mailbox("kim@example.com", "bounces")
    world.send("kim@example.com")
    assert world.kinds(1) == ["Send"]
    assert world.silent()
    # The bounce happened all the same: only the telling was lost.
    assert world.ses.get_suppressed_destination(EmailAddress="kim@example.com", TenantName="acme")


def test_doubled_events_come_twice_with_the_same_content(world: World) -> None:
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


def test_reordered_events_come_last_first(world: World) -> None:
    world.ready()
    world.fault("reorder_events", seconds=0.3)
    world.mailbox("lee@example.com", "complains")
    world.send("lee@example.com")
    assert world.kinds(3) == ["Complaint", "Delivery", "Send"]


def test_delayed_events_come_later(world: World) -> None:
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


def test_a_fault_strikes_only_whom_it_is_meant_for(world: World) -> None:
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


def test_a_fault_can_concern_any_operation(world: World) -> None:
    world.fault("error_503", operation="GetAccount", count=1)
    assert world.ses.list_tenants()["Tenants"] == []
    assert world.refused(world.ses.get_account)[0] == 503
    world.fault("error_500", operation="*", count=1)
    assert world.refused(world.ses.list_tenants)[0] == 500


def test_only_the_fault_that_strikes_is_used_up(world: World) -> None:
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
    assert world.kinds(2) == ["Delivery", "Delivery"]  # the Send was dropped, which the doubling outlived


def test_a_share_strikes_about_that_often(world: World) -> None:
    world.ready()
    world.fault("throttle", share=0.5)
    refused = 0
    for _ in range(100):
        try:
            world.send("kim@example.com")
        except ClientError:
            refused += 1
    assert 20 < refused < 80


def test_faults_are_listed_with_what_is_left_and_removed_together(world: World) -> None:
    world.ready()
    fault = world.fault("throttle", count=3)
    world.refused(lambda: world.send("kim@example.com"))
    [shown] = world.admin("GET", "/faults")["faults"]
    assert (shown["id"], shown["fault"], shown["count"], shown["struck"]) == (fault, "throttle", 2, 1)
    world.admin("DELETE", "/faults")
    assert world.admin("GET", "/faults") == {"faults": []}
    assert "No fault" in world.admin("DELETE", f"/faults/{fault}", expect=404)["error"]


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
def test_a_fault_that_makes_no_sense_is_refused_in_a_sentence(world: World, body: object, word: str) -> None:
    assert word in world.admin("POST", "/faults", body, expect=400)["error"]


def test_a_read_time_out_may_hide_an_accepted_mail(world: World) -> None:
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
