"""No call that SES v1's model allows makes the server fail, however unusual, nor what follows from it: accepted mail, events, the
page. The calls come from the seed `SESLOCAL_ODD_SEED`; `SESLOCAL_ODD_CALLS` is their number."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from random import Random
from typing import Any, Final
from urllib.parse import quote, urlsplit

import botocore.session
import pytest

from conformance import odd, probe
from conformance.server import Server, seslocal
from seslocal.sesv1 import table

CALLS: Final = int(os.environ.get("SESLOCAL_ODD_CALLS", "1000"))
SEED: Final = os.environ.get("SESLOCAL_ODD_SEED", "1")
ACTING: Final = sorted(table.IMPLEMENTED)
_TOPIC: Final = f"arn:aws:sns:{probe.REGION}:{probe.ACCOUNT}:odd"
_SENDERS: Final = ("a@odd.example", "Ada <kim@odd.example>", "kim@odd.example")
_IDENTITIES: Final = ("odd.example", "kim@odd.example", "ODD.example", "absent.example")
_SETS: Final = ("odd-set", "odd-two", "absent")
_NAMES: Final = ("odd-one", "odd-two", "absent")
_TO: Final = (
    "b@x.example",
    "bounce@simulator.amazonses.com",
    "complaint+x@simulator.amazonses.com",
    "B@X.Example",
)
#: Values by member or shape: mostly things that exist, and a few that do not.
KNOWN: Final[dict[str, tuple[Any, ...]]] = {
    "Source": _SENDERS,
    "FromEmailAddress": _SENDERS,
    "ReturnPath": _SENDERS,
    "Body": ({"Html": {"Data": "<a href='https://x.example'>x</a>"}}, {"Text": {"Data": ""}}),
    "Destination": ({"ToAddresses": list(_TO[:3])}, {"BccAddresses": [_TO[0]]}, {}),
    "SNSDestination": ({"TopicARN": _TOPIC},),
    "ReplyToAddresses": (["r@x.example"], []),
    "Address": _TO,
    "ToAddresses": tuple([[one] for one in _TO]),
    "EmailAddress": ("kim@odd.example", "lee@odd.example"),
    "Identity": _IDENTITIES,
    "Domain": ("odd.example", "two.example"),
    "MailFromDomain": ("b.odd.example", ""),
    "SnsTopic": (_TOPIC,),
    "TopicARN": (_TOPIC,),
    "ConfigurationSetName": _SETS,
    "Name": (*_SETS, "a"),
    "Value": ("b",),
    "CustomRedirectDomain": ("odd.example", "t.odd.example"),
    "EventDestinationName": _NAMES,
    "Template": ("odd-one", "odd-two"),
    "TemplateName": _NAMES,
    "PolicyName": _NAMES,
    "Policy": ('{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}', '{"Statement":{}}'),
    "TemplateData": ('{"x": 1}', '{"y": {"z": [1]}, "x": {}}'),
    "SuccessRedirectionURL": ("https://x.example/y",),
    "FailureRedirectionURL": ("https://x.example/n",),
    "NextToken": ("aWRlbnRpdGllczphYg==", "dGVtcGxhdGVzOg=="),
    "RawMessageData": odd.BYTES,
}  # fmt: skip
#: Most later effects come from mail sent by these operations.
_OFTEN: Final = (
    "SendEmail",
    "SendRawEmail",
    "SendTemplatedEmail",
    "SendBulkTemplatedEmail",
    "UpdateTemplate",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with seslocal("--account", probe.ACCOUNT, "--no-auth") as running:
        yield running


def test_odd_calls_and_what_follows_from_them_cause_no_5xx(server: Server):
    model = botocore.session.get_session().get_service_model("ses")
    random = Random(SEED)
    made = odd.Odd(random, KNOWN)
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    names = [*ACTING, *ACTING, *model.operation_names, *_OFTEN * 12]
    bad: list[str] = []
    codes: dict[str, set[int]] = {}
    _create_resources(server)
    for number in range(CALLS):
        name = random.choice(names)
        form = "&".join(_pairs({"Action": name, "Version": model.api_version}, ""))
        inner = _pairs(made.call(model.operation_model(name).input_shape), "")
        body = "&".join([form, *inner]).encode("ascii")
        connection.request("POST", "/", body, {"content-type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        text = answer.read()
        codes.setdefault(name, set()).add(answer.status)
        if answer.status >= 500 or not text.startswith(b"<"):
            bad.append(f"call {number}: {body[:600]!r}: {answer.status} {text[:200]!r}")
        if number % 40 == 39:
            _create_resources(server)  # restores what the calls broke
    bad += odd.look(connection)
    connection.close()
    log = server.log()
    assert (bad, log[log.find("Traceback") - 500 :][:4000] if "Traceback" in log else "") == ([], "")
    # If every call were refused, this would test nothing.
    assert [name for name in _OFTEN if 200 not in codes[name]] == []


def _create_resources(server: Server) -> None:
    """Creates verified senders, sets that publish all events, templates."""
    everything = ["send", "reject", "bounce", "complaint", "delivery", "open", "click", "renderingFailure"]
    destination = {"Name": "odd-one", "Enabled": True, "MatchingEventTypes": everything}
    destination["SNSDestination"] = {"TopicARN": _TOPIC}
    dimension = {
        "DimensionName": "Subject",
        "DimensionValueSource": "emailHeader",
        "DefaultDimensionValue": "none",
    }
    counts = {"Name": "odd-two", "Enabled": True, "MatchingEventTypes": everything}
    counts["CloudWatchDestination"] = {"DimensionConfigurations": [dimension]}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("UpdateAccountSendingEnabled", {"Enabled": True}),
        ("VerifyDomainIdentity", {"Domain": "odd.example"}),
        ("CreateConfigurationSet", {"ConfigurationSet": {"Name": "odd-set"}}),
        ("CreateConfigurationSetEventDestination", {"ConfigurationSetName": "odd-set", "EventDestination": destination}),
        ("CreateConfigurationSetEventDestination", {"ConfigurationSetName": "odd-set", "EventDestination": counts}),
        ("UpdateConfigurationSetSendingEnabled", {"ConfigurationSetName": "odd-set", "Enabled": True}),
        ("CreateTemplate", {"Template": {"TemplateName": "odd-one", "SubjectPart": "{{x}}", "HtmlPart": "<a href=x>"}}),
    ]  # fmt: skip
    for kind in ("Bounce", "Complaint", "Delivery"):
        given = {"Identity": "odd.example", "NotificationType": kind, "SnsTopic": _TOPIC}
        calls.append(("SetIdentityNotificationTopic", given))
    for name, given in calls:
        body = "&".join(_pairs({"Action": name, "Version": "2010-12-01", **given}, "")).encode()
        try:
            urllib.request.urlopen(server.url, body, timeout=60).close()
        except urllib.error.HTTPError as error:
            error.close()  # it exists already
    settings = json.dumps({"rate": 10000, "quota": 10_000_000, "management_queue": "odd"}).encode()
    put = urllib.request.Request(
        f"{server.url}/_seslocal/account", settings, {"Content-Type": "application/json"}, method="PUT"
    )
    urllib.request.urlopen(put, timeout=60).close()


def _pairs(value: Any, at: str) -> list[str]:
    """Returns a form's pairs. A lone surrogate is sent as its bytes."""
    if isinstance(value, dict):
        return [pair for key, one in value.items() for pair in _pairs(one, f"{at}.{key}" if at else key)]
    if isinstance(value, list):
        return [pair for n, one in enumerate(value, 1) for pair in _pairs(one, f"{at}.member.{n}")]
    if isinstance(value, bytes):
        value = b64encode(value).decode()
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return [f"{at}={quote(text, safe='', errors='surrogatepass')}"]
