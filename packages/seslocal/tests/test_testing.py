"""What a test sees of a local SES: consequences without waiting, the barrier, waiting for the tester's own process."""

from __future__ import annotations

import email
import email.policy
import json
import logging
import sys
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import seslocal
from seslocal.clock import Clock
from seslocal.testing import Server, SesLocal, serving

TOPIC = "arn:aws:sns:us-east-1:123456789012:events"
ONCE = Config(retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with serving(seslocal.Settings(other_regions=("eu-west-1",))) as server:
        yield server


@pytest.fixture
def local(server: Server) -> Generator[SesLocal]:
    server.reset()
    local = server.seslocal
    yield local
    local.close()


def send(local: SesLocal, to: str = "kim@example.com", **more: Any) -> str:
    ses = local.client("sesv2", config=ONCE)
    if not ses.list_email_identities()["EmailIdentities"]:
        ses.create_email_identity(EmailIdentity="acme.example")
    content = {"Simple": {"Subject": {"Data": "Grüße"}, "Body": {"Text": {"Data": "Hello"}}}}
    return ses.send_email(
        FromEmailAddress="a@acme.example", Destination={"ToAddresses": [to]}, Content=content, **more
    )["MessageId"]


def publish_to(local: SesLocal, topic: str) -> None:
    ses = local.client("sesv2", config=ONCE)
    ses.create_configuration_set(ConfigurationSetName="set")
    ses.create_configuration_set_event_destination(
        ConfigurationSetName="set",
        EventDestinationName="events",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": ["BOUNCE"],
            "SnsDestination": {"TopicArn": topic},
        },
    )


class Endpoint:
    """An HTTP endpoint of SNS, which confirms its subscription and answers when it may."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.may_answer.wait(20)
                endpoint.got.append(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/sns"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def endpoint() -> Generator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


def subscribe(local: SesLocal, endpoint: Endpoint) -> None:
    sns = local.client("sns", config=ONCE)
    topic = sns.create_topic(Name="events")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
    local.settle()
    sns.confirm_subscription(TopicArn=topic, Token=endpoint.got.pop()["Token"])
    publish_to(local, topic)


def test_the_consequences_are_there_with_the_next_call(local: SesLocal) -> None:
    publish_to(local, TOPIC)
    message_id = send(local, "bounce@simulator.amazonses.com", ConfigurationSetName="set")
    queue = f"{local.url}/123456789012/events"
    received = local.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert len(received) == 2  # SNS's validation, and the bounce
    assert json.loads(json.loads(received[1]["Body"])["Message"])["mail"]["messageId"] == message_id
    assert [event["eventType"] for event in local.events()] == ["Send", "Bounce"]


def test_events_can_be_filtered(local: SesLocal) -> None:
    local.mailbox("kim@example.com", "complains")
    first, second = send(local), send(local, "sam@example.com")
    assert [event["eventType"] for event in local.events(recipient="KIM@example.com")] == [
        "Send", "Delivery", "Complaint",
    ]  # fmt: skip
    [complaint] = local.events("Complaint")
    assert complaint["complaint"]["complainedRecipients"] == [{"emailAddress": "kim@example.com"}]
    assert complaint["mail"]["messageId"] == first
    assert [event["eventType"] for event in local.events(message_id=second)] == ["Send", "Delivery"]
    assert local.events("RENDERING_FAILURE") == local.events(tenant="acme") == []
    assert local.events(configuration_set="set") == []
    with pytest.raises(AssertionError, match="type must be one of"):
        local.events("Bounced")
    with pytest.raises(AssertionError, match="Unknown filter kind. Known filters: type, recipient"):
        local.admin("GET", "/events?kind=x")


def test_all_sent_mail_is_returned_however_many_pages(
    local: SesLocal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seslocal.testing._PAGE", 2)
    ids = [send(local, f"kim-{n}@example.com", EmailTags=[{"Name": "n", "Value": str(n)}]) for n in range(5)]
    assert [mail["message_id"] for mail in local.sent()] == ids
    assert [mail["message_id"] for mail in local.sent(tags={"n": "3"})] == [ids[3]]
    assert [mail["message_id"] for mail in local.sent(recipient="kim-2@example.com")] == [ids[2]]


def test_a_mail_can_be_read_as_a_message(local: SesLocal) -> None:
    found = email.message_from_bytes(local.eml(send(local)), policy=email.policy.default)
    assert (found["From"], found["To"], found["Subject"]) == ("a@acme.example", "kim@example.com", "Grüße")
    assert found.get_content().strip() == "Hello"
    with pytest.raises(AssertionError, match="The ledger has no source of the mail nonsense"):
        local.eml("nonsense")


def test_settling_waits_for_endpoints(local: SesLocal, endpoint: Endpoint) -> None:
    subscribe(local, endpoint)
    endpoint.may_answer.clear()
    send(local, "bounce@simulator.amazonses.com", ConfigurationSetName="set")
    with pytest.raises(
        AssertionError, match=rf"Not settled after 0.2 seconds: no answer from {endpoint.url}"
    ):
        local.settle(0.2)
    endpoint.may_answer.set()
    local.settle()
    assert any('"eventType":"Bounce"' in each["Message"] for each in endpoint.got)


def test_waiting_for_something_of_ones_own(local: SesLocal, endpoint: Endpoint) -> None:
    subscribe(local, endpoint)
    send(local, "bounce@simulator.amazonses.com", ConfigurationSetName="set")
    found = local.wait_for(lambda: [each for each in endpoint.got if "bouncedRecipients" in each["Message"]])
    assert len(found) == 1


def test_waiting_in_vain_says_what_was_seen_instead(local: SesLocal) -> None:
    publish_to(local, TOPIC)
    send(local, "bounce@simulator.amazonses.com", ConfigurationSetName="set")

    def marked_as_bounced() -> None:
        raise AssertionError("kim is active")

    with pytest.raises(AssertionError) as told:
        local.wait_for(marked_as_bounced, 0.01)
    assert str(told.value).splitlines() == [
        "Waited 0.01 s in vain: at the end marked_as_bounced said: kim is active.",
        "seslocal has seen 1 mails: bounce@simulator.amazonses.com (Grüße).",
        "Newest events: Send of bounce@simulator.amazonses.com; Bounce of bounce@simulator.amazonses.com.",
        "Queues: events 2 ready, 0 hidden.",
        "HTTP deliveries: 0 answered, 0 given up, 0 to be tried again.",
    ]


def test_the_barrier_of_a_running_clock_waits_for_the_delay() -> None:
    with serving(seslocal.Settings(event_delay=0.05), Clock()) as server:
        local = server.seslocal
        ses = local.client("sesv2")
        local.mailbox("sam@example.com", "bounces")
        send(local, "sam@example.com")
        local.settle()
        assert [event["eventType"] for event in local.events()] == ["Send", "Bounce"]
        assert ses.get_suppressed_destination(EmailAddress="sam@example.com")
        local.mailbox("kim@example.com", "defers", seconds=3600)
        send(local)
        local.settle()  # the deferral is in an hour: it is not waited for
        assert local.events(recipient="kim@example.com")[-1]["eventType"] == "DeliveryDelay"
        local.close()


def test_an_explicit_delay_on_a_frozen_clock_is_passed_by_the_barrier() -> None:
    with serving(seslocal.Settings(event_delay=30)) as server:
        local = server.seslocal
        send(local)
        assert local.events() == []
        local.settle()
        assert [event["eventType"] for event in local.events()] == ["Send", "Delivery"]
        local.close()


def test_calls_of_another_region_are_answered_if_it_was_named(local: SesLocal) -> None:
    ses = local.client("sesv2", config=ONCE)
    ses.create_email_identity(EmailIdentity="acme.example")
    import boto3

    def other(region: str) -> Any:
        return boto3.client(
            "sesv2", endpoint_url=local.url, region_name=region, config=ONCE,
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    there = other("eu-west-1")
    assert there.get_email_identity(EmailIdentity="acme.example")["VerifiedForSendingStatus"]
    publish_to(local, TOPIC.replace("us-east-1", "eu-west-1"))
    there.create_tenant(TenantName="acme")
    arn = "arn:aws:ses:eu-west-1:123456789012:identity/acme.example"
    there.create_tenant_resource_association(TenantName="acme", ResourceArn=arn)
    third = other("sa-east-1")
    with pytest.raises(ClientError, match="Credential should be scoped to a valid region"):
        third.list_email_identities()
    there.close()
    third.close()


def test_any_region(caplog: pytest.LogCaptureFixture) -> None:
    with serving(seslocal.Settings(other_regions=("any",))) as server:
        local = server.seslocal
        local.region = "ap-southeast-2"
        assert local.client("sesv2").list_email_identities()["EmailIdentities"] == []
        local.close()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("key", "secret", "region", "said"),
    [
        ("test", "test", "eu-central-1", "signed for the region eu-central-1: this server is in us-east-1. Start"),
        ("AKIAEXAMPLE", "x", "us-east-1", "the access key AKIAEXAMPLE, which is not known here. Sign with test"),
        ("test", "wrong", "us-east-1", "a wrong signature of the access key test: its secret is not test"),
    ],
)  # fmt: skip
def test_a_refused_signature_names_the_switch_on_the_log_once(
    local: SesLocal, caplog: pytest.LogCaptureFixture, key: str, secret: str, region: str, said: str
) -> None:
    import boto3

    client = boto3.client(
        "sesv2", endpoint_url=local.url, region_name=region, config=ONCE,
        aws_access_key_id=key, aws_secret_access_key=secret,
    )  # fmt: skip
    for _ in range(2):
        with pytest.raises(ClientError) as refused:
            client.list_email_identities()
        assert "--" not in str(refused.value)
    client.close()
    [record] = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert said in record.getMessage()
    assert "secret" not in record.getMessage().replace("its secret", "").replace("the secret test", "")


def test_the_environment_leads_clients_here(local: SesLocal, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    for name, value in local.environment.items():
        monkeypatch.setenv(name, value)
    client = boto3.Session().client("sesv2")
    assert client.meta.endpoint_url == local.url
    assert client.list_email_identities()["EmailIdentities"] == []
    client.close()


def test_without_boto3_the_fixture_says_what_to_install(
    local: SesLocal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "seslocal\[pytest\]"'):
        local.client("sesv2")
