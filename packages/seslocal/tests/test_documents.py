"""The shapes of events that ordinary mail does not cause, built by calling the documents' functions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seslocal import Clock, Settings
from seslocal.events.documents import sns_envelope
from seslocal.events.publishing import preferences_changed, publish_recommendation, rendering_failed
from seslocal.events.texts import sns_text
from seslocal.state.accepted_mail import Mail
from seslocal.state.account import Account
from seslocal.state.configuration_sets import ConfigurationSet, EventDestination
from seslocal.state.contacts import Preferences

ARN = "arn:aws:ses:us-east-1:123456789012:"
KINDS = frozenset({"RENDERING_FAILURE", "SUBSCRIPTION"})


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    account = Account(Settings(seed=1), Clock(1_767_225_600.0, 0))
    account.events.bus_queue = "bus"
    account.queues.ensure("bus")
    yield account
    await account.events.outbox.close()


def a_set() -> ConfigurationSet:
    destination = EventDestination("bus", True, KINDS, {}, None, True)
    return ConfigurationSet("s", ARN + "configuration-set/s", {}, {}, {"bus": destination})


def a_mail() -> Mail:
    return Mail(
        message_id="m-1",
        accepted_at=1_767_225_599.0,
        source="a@acme.example",
        source_arn=ARN + "identity/acme.example",
        account_id="123456789012",
        destination=("kim@example.com",),
        headers=[{"name": "From", "value": "a@acme.example"}],
        common={"from": ["a@acme.example"], "subject": "Hi", "messageId": "m-1"},
        tags={"ses:configuration-set": ["s"]},
        tenant="acme",
        max_delivery_seconds=None,
    )


def envelope(account: Account) -> dict[str, object]:
    [message] = account.queues.ensure("bus").take(10, None)
    return json.loads(message.body)


async def test_a_rendering_failure_event_has_no_headers(account: Account) -> None:
    sentence = "Attribute 'name' is not present in the rendering data."
    rendering_failed(account, a_set(), a_mail(), "Welcome", sentence)
    document = envelope(account)
    assert document["detail-type"] == "Email Rendering Failed"
    assert document["resources"] == [ARN + "identity/acme.example"]
    assert document["detail"] == {
        "eventType": "Rendering Failure",
        "mail": {
            "timestamp": "2025-12-31T23:59:59.000Z",
            "source": "a@acme.example",
            "sourceArn": ARN + "identity/acme.example",
            "sendingAccountId": "123456789012",
            "messageId": "m-1",
            "destination": ["kim@example.com"],
            "headersTruncated": False,
            "tags": {"ses:configuration-set": ["s"]},
        },
        "failure": {"errorMessage": sentence, "templateName": "Welcome"},
    }


async def test_a_subscription_event_has_old_and_new_preferences(account: Account) -> None:
    old = Preferences(False, {"news": "OptIn"}, {"news": "OptOut"})
    new = Preferences(True, {"news": "OptOut"})
    preferences_changed(account, a_set(), a_mail(), "list", "UnsubscribeHeader", old, new)
    document = envelope(account)
    assert document["detail-type"] == "Email Subscribed"
    detail = document["detail"]
    assert isinstance(detail, dict)
    assert detail["eventType"] == "Subscription"
    assert "commonHeaders" in detail["mail"]
    assert detail["subscription"] == {
        "contactList": "list",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "source": "UnsubscribeHeader",
        "newTopicPreferences": {
            "unsubscribeAll": True,
            "topicSubscriptionStatus": [{"topicName": "news", "subscriptionStatus": "OptOut"}],
        },
        "oldTopicPreferences": {
            "unsubscribeAll": False,
            "topicSubscriptionStatus": [{"topicName": "news", "subscriptionStatus": "OptIn"}],
            "topicDefaultSubscriptionStatus": [{"topicName": "news", "subscriptionStatus": "OptOut"}],
        },
    }


@pytest.mark.parametrize(("is_open", "word"), [(True, "Open"), (False, "Resolved")])
async def test_a_finding_is_published_on_the_bus(account: Account, is_open: bool, word: str) -> None:
    tenant = ARN + "tenant/acme/tn-1"
    publish_recommendation(
        account, tenant, "The bounce rate exceeded 15.0%.", "HIGH", "BOUNCE", is_open=is_open
    )
    document = envelope(account)
    assert document["detail-type"] == f"Advisor Recommendation Status {word}"
    assert (document["source"], document["version"], document["resources"]) == ("aws.ses", "0", [tenant])
    assert document["detail"] == {
        "version": "1.0.0",
        "data": "The bounce rate exceeded 15.0%.",
        "metadata": {"impact": "HIGH", "type": "BOUNCE"},
    }
    assert document["time"] == "2026-01-01T00:00:00Z"


async def test_a_finding_about_an_identity_has_no_metadata(account: Account) -> None:
    publish_recommendation(account, ARN + "identity/acme.example", "SPF record was not found.")
    assert envelope(account)["detail"] == {"version": "1.0.0", "data": "SPF record was not found."}


@given(
    message=st.text(),
    subject=st.one_of(st.none(), st.text()),
    topic=st.text(),
    subscription=st.one_of(st.none(), st.text(min_size=1)),
    at=st.floats(0, 4e9),
)
def test_the_text_of_an_envelope_is_that_of_its_document(
    message: str, subject: str | None, topic: str, subscription: str | None, at: float
):
    values = (message, topic, "https://sns.example", at, "0-1", subject)
    envelope = sns_envelope(*values, subscription=subscription, version="2")
    text = sns_text(*values, subscription=subscription, version="2")
    assert text == msgspec.json.encode(envelope).decode()
