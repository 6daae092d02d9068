"""django-ses with SES v1 (its default) and v2: mail, quota and its throttle, addresses, statistics, and its webhook,
which verifies all signatures."""

from __future__ import annotations

import io
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError
from django.core.mail import EmailMultiAlternatives
from django.core.management import call_command
from django.test import override_settings
from django_ses import SESBackend, cached_rate_limits, signals, utils
from local import ACCOUNT, DOMAIN, Local
from webhooks import SET, confirmed, site, subscribe

AMAZON = "https://sns.us-east-1.amazonaws.com"


@pytest.fixture(params=[False, True], ids=["v1", "v2"])
def backend(request: pytest.FixtureRequest, local: Local) -> SESBackend:
    cached_rate_limits.clear()
    return SESBackend(use_ses_v2=request.param)


def message(**more: Any) -> EmailMultiAlternatives:
    mail = EmailMultiAlternatives("Grüße", "Hallo", to=["Zoe <zoe@reader.example>"], **more)
    mail.attach_alternative("<p>Hallo</p>", "text/html")
    mail.attach("list.csv", "a,b\n", "text/csv")
    return mail


def test_a_mail_arrives_at_to_cc_and_bcc(local: Local, backend: SESBackend):
    mail = message(cc=["c@reader.example"], bcc=["b@reader.example"])
    assert backend.send_messages([mail]) == 1
    accepted = local.only()
    assert accepted["message_id"] == mail.extra_headers["message_id"]
    assert {"zoe@reader.example", "c@reader.example", "b@reader.example"} == set(accepted["recipients"])


def test_the_configured_configuration_set_is_used(local: Local, backend: SESBackend):
    local.client("sesv2").create_configuration_set(ConfigurationSetName=SET)
    with override_settings(AWS_SES_CONFIGURATION_SET=SET):
        assert backend.send_messages([message()]) == 1
    assert local.only()["configuration_set"] == SET


def test_the_backend_throttles_to_the_accounts_send_rate(local: Local, backend: SESBackend):
    local.admin("PUT", "/account", {"rate": 17})
    assert backend.get_rate_limit() == 17.0


def test_an_unverified_sender_is_refused(local: Local, backend: SESBackend):
    with pytest.raises(ClientError) as refused:
        backend.send_messages([message(from_email="who@unknown.example")])
    assert refused.value.response["Error"]["Code"] == "MessageRejected"
    assert "Email address is not verified" in refused.value.response["Error"]["Message"]
    assert local.sent() == []


def test_the_management_command_manages_addresses(local: Local, capsys: pytest.CaptureFixture[str]):
    call_command("ses_email_address", add="new@reader.example")
    capsys.readouterr()
    call_command("ses_email_address", list=True)
    assert "new@reader.example" in capsys.readouterr().out
    call_command("ses_email_address", delete="new@reader.example")
    capsys.readouterr()
    call_command("ses_email_address", list=True, stdout=io.StringIO())
    assert "new@reader.example" not in capsys.readouterr().out


def test_send_statistics_count_what_was_sent(local: Local, backend: SESBackend):
    backend.send_messages([message(), message()])
    points = local.client("ses").get_send_statistics()["SendDataPoints"]
    assert sum(point["DeliveryAttempts"] for point in points) == 2


@pytest.fixture
def amazon(local: Local, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """django-ses requires SNS's host name in messages: here that name leads to the local SES."""

    def at_local(url: str) -> str:
        assert url.startswith(AMAZON), url
        return local.url + url.removeprefix(AMAZON)

    def get(url: str, **more: Any) -> requests.Response:
        return requests.request("GET", at_local(url), **more)

    monkeypatch.setattr(utils, "urlopen", lambda url: urllib.request.urlopen(at_local(url), timeout=10))
    monkeypatch.setattr(requests, "get", get)
    yield
    utils.clear_cert_cache()


def test_the_webhook_accepts_our_signatures(local: Local, backend: SESBackend, amazon: None):
    heard: list[tuple[str, str]] = []

    def listen(name: str) -> Any:
        def heard_of(sender: Any, mail_obj: dict[str, Any], **_: Any) -> None:
            heard.append((name, mail_obj["messageId"]))

        return heard_of

    listeners = {name: listen(name) for name in ("send", "delivery", "bounce", "complaint")}
    for name, listener in listeners.items():
        getattr(signals, f"{name}_received").connect(listener)
    trusted = [f"arn:aws:sns:us-east-1:{ACCOUNT}:shop-events"]
    with override_settings(AWS_SNS_EVENT_TRUSTED_TOPIC_ARNS=trusted), site() as place:
        topic = subscribe(local, f"http://{place}/django-ses/")
        local.until(lambda: confirmed(local, topic))
        mail = message()
        mail.to += ["bounce@simulator.amazonses.com", "complaint@simulator.amazonses.com"]
        mail.from_email = f"hello@{DOMAIN}"
        with override_settings(AWS_SES_CONFIGURATION_SET=SET):
            backend.send_messages([mail])
        local.until(lambda: len(heard) >= 5)
    sent = mail.extra_headers["message_id"]
    assert {name for name, _ in heard} == {"send", "delivery", "bounce", "complaint"}
    assert {message_id for _, message_id in heard} == {sent}
