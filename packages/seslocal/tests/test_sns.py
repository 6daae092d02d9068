"""SNS: topics and subscriptions through real boto3, and what queues and endpoints receive. Signatures are verified as the
SNS Developer Guide says, with the served certificate."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from seslocal_fixtures.receiver import Receiver
from seslocal_fixtures.world import SESSION

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

TOPIC = "arn:aws:sns:us-east-1:123456789012:news"


@pytest.fixture
def sns(world: World) -> Iterator[Any]:
    client = SESSION.client(
        "sns", endpoint_url=world.local.url, config=Config(retries={"total_max_attempts": 1})
    )
    yield client
    client.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def verify(world: World, message: dict[str, Any]) -> None:
    """Verifies as a consumer does; only the host of the certificate's URL is replaced."""
    url = urlsplit(message["SigningCertURL"])
    assert (url.scheme, url.netloc) == ("https", "sns.us-east-1.amazonaws.com")
    assert url.path.startswith("/SimpleNotificationService-")
    assert url.path.endswith(".pem")
    status, pem = world.http("GET", url.path)
    assert status == 200
    key = x509.load_pem_x509_certificate(pem).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if message["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    algorithm = {"1": hashes.SHA1(), "2": hashes.SHA256()}[message["SignatureVersion"]]
    key.verify(base64.b64decode(message["Signature"]), text.encode(), padding.PKCS1v15(), algorithm)


def subscribed(world: World, sns: Any, receiver: Receiver, **more: Any) -> tuple[str, str]:
    """Makes a topic with a confirmed endpoint. Returns its ARN and the subscription's."""
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url + "/hook", **more)
    token = json.loads(receiver.wait(1)[0].body)["Token"]
    arn = sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"]
    receiver.got.clear()
    return topic, arn


def publishing(world: World) -> None:
    world.domain()
    world.ses.create_configuration_set(ConfigurationSetName="acme-reset")
    world.destination("acme-reset", {"SnsDestination": {"TopicArn": TOPIC}}, ["SEND", "BOUNCE"])


@pytest.mark.parametrize("version", ["1", "2"])
def test_an_endpoint_gets_signed_messages_after_confirming(
    world: World, sns: Any, receiver: Receiver, version: str
) -> None:
    topic = sns.create_topic(Name="news", Attributes={"SignatureVersion": version})["TopicArn"]
    publishing(world)
    answer = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url + "/hook")
    assert answer["SubscriptionArn"] == "pending confirmation"
    [asked] = receiver.wait(1)
    confirmation = json.loads(asked.body)
    assert asked.headers["x-amz-sns-message-type"] == confirmation["Type"] == "SubscriptionConfirmation"
    verify(world, confirmation)
    world.send("kim@example.com", tenant=None)  # not delivered: not confirmed yet
    world.wait_for(lambda: world.admin("GET", "/clock")["due"] == 0)
    url = urlsplit(confirmation["SubscribeURL"])
    status, page = world.http("GET", f"{url.path}?{url.query}")
    assert status == 200
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert subscription["SubscriptionArn"].encode() in page
    world.send("bounce@simulator.amazonses.com", tenant=None)
    got = receiver.wait(3)[1:]
    for posted in got:
        message = json.loads(posted.body)
        verify(world, message)
        assert message["SignatureVersion"] == version
        assert message["Subject"] == "Amazon SES Email Event Notification"
        assert set(message) == {
            "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
            "SigningCertURL", "UnsubscribeURL",
        }  # fmt: skip
        assert posted.headers["content-type"] == "text/plain; charset=UTF-8"
        assert posted.headers["x-amz-sns-message-type"] == "Notification"
        assert posted.headers["x-amz-sns-message-id"] == message["MessageId"]
        assert posted.headers["x-amz-sns-topic-arn"] == topic
        assert posted.headers["x-amz-sns-subscription-arn"] == subscription["SubscriptionArn"]
    kinds = sorted(json.loads(json.loads(posted.body)["Message"])["eventType"] for posted in got)
    assert kinds == ["Bounce", "Send"]


def test_a_changed_message_does_not_verify(world: World, sns: Any, receiver: Receiver) -> None:
    topic, _ = subscribed(world, sns, receiver)
    sns.publish(TopicArn=topic, Message="Hello", Subject="Hi")
    message = json.loads(receiver.wait(1)[0].body)
    verify(world, message)
    for name in ("Message", "Subject", "Timestamp"):
        with pytest.raises(InvalidSignature):
            verify(world, {**message, name: message[name] + " "})


def test_a_local_https_endpoint_may_have_a_self_signed_certificate(
    world: World, sns: Any, tmp_path: Path
) -> None:
    receiver = Receiver(tmp_path)
    try:
        topic = sns.create_topic(Name="news")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=receiver.url + "/hook")
        verify(world, json.loads(receiver.wait(1)[0].body))
    finally:
        receiver.close()


def test_raw_delivery_is_the_bare_document_without_signature(
    world: World, sns: Any, receiver: Receiver
) -> None:
    publishing(world)
    subscribed(world, sns, receiver, Attributes={"RawMessageDelivery": "true"})
    world.send("kim@example.com", tenant=None)
    [posted] = receiver.wait(1)
    assert json.loads(posted.body)["eventType"] == "Send"
    assert posted.headers["x-amz-sns-rawdelivery"] == "true"


def test_a_failed_delivery_to_an_endpoint_is_retried_three_times(
    world: World, sns: Any, receiver: Receiver
) -> None:
    topic, _ = subscribed(world, sns, receiver)
    receiver.reply = lambda posted: (503, b"", {})
    sns.publish(TopicArn=topic, Message="Hello")
    for tries in (1, 2, 3, 4):
        receiver.wait(tries)
        due = 1 if tries < 4 else 0
        world.wait_for(lambda due=due: world.admin("GET", "/clock")["due"] == due)
        world.admin("PUT", "/clock", {"advance": 20})
    assert len({json.loads(posted.body)["MessageId"] for posted in receiver.got}) == 1
    world.wait_for(lambda: world.admin("GET", "/outbox") == {"sent": 1, "dropped": 1, "waiting": 0})
    assert len(receiver.got) == 4


def test_a_4xx_response_is_not_retried(world: World, sns: Any, receiver: Receiver) -> None:
    topic, _ = subscribed(world, sns, receiver)
    receiver.reply = lambda posted: (404, b"", {})
    sns.publish(TopicArn=topic, Message="Hello")
    world.wait_for(lambda: world.admin("GET", "/outbox")["dropped"] == 1)
    assert len(receiver.got) == 1


def test_a_password_in_the_url_is_used_when_the_endpoint_asks(
    world: World, sns: Any, receiver: Receiver
) -> None:
    def reply(posted: Any) -> tuple[int, bytes, dict[str, str]]:
        if posted.headers.get("authorization") == "Basic " + base64.b64encode(b"kim:secret").decode():
            return 200, b"", {}
        return 401, b"", {"WWW-Authenticate": "Basic"}

    receiver.reply = reply
    topic = sns.create_topic(Name="news")["TopicArn"]
    url = receiver.url.replace("//", "//kim:secret@")
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
    first, second = receiver.wait(2)
    assert "authorization" not in first.headers
    assert second.body == first.body
    world.wait_for(lambda: world.admin("GET", "/outbox")["sent"] == 1)


def test_an_unsubscribed_endpoint_gets_a_confirmation_and_nothing_more(
    world: World, sns: Any, receiver: Receiver
) -> None:
    topic, arn = subscribed(world, sns, receiver)
    sns.publish(TopicArn=topic, Message="Hello")
    url = urlsplit(json.loads(receiver.wait(1)[0].body)["UnsubscribeURL"])
    assert world.http("GET", f"{url.path}?{url.query}")[0] == 200
    farewell = json.loads(receiver.wait(2)[1].body)
    assert farewell["Type"] == "UnsubscribeConfirmation"
    verify(world, farewell)
    sns.publish(TopicArn=topic, Message="Hello?")
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    assert len(receiver.got) == 2
    assert arn in url.query


def test_queues_need_no_confirmation_and_can_be_raw(world: World, sns: Any) -> None:
    publishing(world)
    topic = sns.create_topic(Name="news")["TopicArn"]
    for name in ("one", "two"):
        world.sqs.create_queue(QueueName=name)
        arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
        given = {"RawMessageDelivery": "true"} if name == "two" else {}
        answer = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=given)
        assert answer["SubscriptionArn"].startswith(topic + ":")
    world.send("kim@example.com", tenant=None)
    [enveloped], [raw] = world.bodies(1, "one"), world.bodies(1, "two")
    assert json.loads(json.loads(enveloped)["Message"]) == json.loads(raw)
    assert "news" not in [url.rpartition("/")[2] for url in world.sqs.list_queues().get("QueueUrls", [])] or (
        world.silent("news")
    )


def test_messages_in_queues_are_signed_when_the_switch_says_so(world: World) -> None:
    publishing(world)
    world.send("kim@example.com", tenant=None)
    assert json.loads(world.bodies(1, "news")[0])["Signature"] == "EXAMPLE"
    world.admin("PUT", "/account", {"behaviour": {"sign_in_queues": True}})
    world.send("kim@example.com", tenant=None)
    verify(world, json.loads(world.bodies(1, "news")[0]))


def test_urls_in_messages_can_name_this_server(world: World, sns: Any, receiver: Receiver) -> None:
    world.admin("PUT", "/account", {"sns_url": world.local.url})
    subscribed(world, sns, receiver)
    sns.publish(TopicArn=TOPIC, Message="Hello")
    message = json.loads(receiver.wait(1)[0].body)
    assert message["SigningCertURL"].startswith(world.local.url + "/SimpleNotificationService-")
    assert message["UnsubscribeURL"].startswith(world.local.url + "/?Action=Unsubscribe")


def test_topics_and_subscriptions_are_listed_and_changed(world: World, sns: Any, receiver: Receiver) -> None:
    topic, arn = subscribed(world, sns, receiver)
    assert sns.create_topic(Name="news")["TopicArn"] == topic  # creating it again returns it, as SNS does
    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (attributes["SignatureVersion"], attributes["SubscriptionsConfirmed"]) == ("2", "1")
    sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="true"
    )
    found = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert (found["RawMessageDelivery"], found["PendingConfirmation"]) == ("true", "false")
    assert [t["TopicArn"] for t in sns.list_topics()["Topics"]] == [topic]
    assert [s["SubscriptionArn"] for s in sns.list_subscriptions()["Subscriptions"]] == [arn]
    sns.unsubscribe(SubscriptionArn=arn)
    sns.delete_topic(TopicArn=topic)
    assert sns.list_topics()["Topics"] == []


@pytest.mark.parametrize(
    "endpoint", ["https://[::1", "http://receiver.example/", "https:///hook", "https://"]
)
def test_an_endpoint_is_a_url_of_its_protocol(world: World, sns: Any, endpoint: str) -> None:
    topic = sns.create_topic(Name="news")["TopicArn"]
    refused = world.refused(sns.subscribe, TopicArn=topic, Protocol="https", Endpoint=endpoint)
    assert refused[:2] == (400, "InvalidParameter")


def test_invalid_sns_calls_are_refused(world: World, sns: Any) -> None:
    assert world.refused(sns.get_topic_attributes, TopicArn=TOPIC)[:2] == (404, "NotFound")
    assert world.refused(sns.create_topic, Name="a b")[:2] == (400, "InvalidParameter")
    topic = sns.create_topic(Name="news")["TopicArn"]
    assert (
        world.refused(sns.subscribe, TopicArn=topic, Protocol="sms", Endpoint="+1")[1] == "InvalidParameter"
    )
    wrong = {"TopicArn": topic, "Protocol": "https", "Endpoint": "http://127.0.0.1/"}
    assert world.refused(sns.subscribe, **wrong)[1] == "InvalidParameter"
    assert world.refused(sns.confirm_subscription, TopicArn=topic, Token="x")[1] == "InvalidParameter"
    version = {"AttributeName": "SignatureVersion", "AttributeValue": "3"}
    assert world.refused(sns.set_topic_attributes, TopicArn=topic, **version)[1] == "InvalidParameter"
    assert (
        world.refused(sns.create_platform_application, Name="x", Platform="y", Attributes={})[1]
        == "InvalidAction"
    )
    status, _ = world.http("GET", "/?Action=DeleteTopic&TopicArn=" + topic)
    assert status == 403  # links can only confirm or unsubscribe
    assert sns.list_topics()["Topics"]
