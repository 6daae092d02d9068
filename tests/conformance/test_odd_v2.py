"""Nothing that SES v2's model allows makes the server fail, however odd it is, nor what comes of it later. The calls come from
a seed, as those of test_odd.py do."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from collections.abc import Iterator
from random import Random
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import pytest

from conformance import odd, probe
from conformance.server import Server, seslocal
from tests.conformance.test_odd import CALLS, SEED, look

_SET: Final = "odd-set"
_TENANT: Final = "odd-tenant"
_ARNS: Final = tuple(
    f"arn:aws:ses:{probe.REGION}:{probe.ACCOUNT}:{rest}"
    for rest in (
        "identity/odd.example",
        "configuration-set/odd-set",
        "template/odd-one",
        "contact-list/odd",
        "tenant/x/y",
    )
)
_SENDERS: Final = ("a@odd.example", "Ada <kim@odd.example>")
_TO: Final = (
    "b@x.example",
    "bounce@simulator.amazonses.com",
    "complaint+x@simulator.amazonses.com",
    "B@X.Example",
)
_TEXT: Final = {"Html": {"Data": "<a href='https://x.example'>{{amazonSESUnsubscribeUrl}}</a>"}}
_TEMPLATE: Final = {"TemplateName": "odd-one", "TemplateData": '{"x": 1}'}
#: Values by member or shape: what is there, and a little that is not.
KNOWN: Final[dict[str, tuple[Any, ...]]] = {
    "FromEmailAddress": _SENDERS,
    "EmailIdentity": ("odd.example", "kim@odd.example", "absent.example"),
    "ConfigurationSetName": (_SET, "absent"),
    "TenantName": (_TENANT, "absent"),
    "ResourceArn": _ARNS,
    "TemplateName": ("odd-one", "odd-two", "absent"),
    "TemplateData": ('{"x": 1}', '{"x": {"y": [1]}}'),
    "ContactListName": ("odd", "absent"),
    "TopicName": ("news", "absent"),
    "EmailAddress": _TO,
    "Destination": ({"ToAddresses": [_TO[0]]}, {"BccAddresses": list(_TO[:2])}),
    "EmailContent": (
        {"Simple": {"Subject": {"Data": "s"}, "Body": _TEXT}},
        {"Template": _TEMPLATE},
        {"Template": {"TemplateContent": {"Subject": "{{x}}", "Text": "{{x}}"}, "TemplateData": "{}"}},
        *({"Raw": {"Data": one}} for one in odd.BYTES),
    ),
    "BulkEmailContent": ({"Template": _TEMPLATE},),
    "BulkEmailEntry": ({"Destination": {"ToAddresses": [_TO[0]]}},),
    "PoolName": ("odd-pool", "absent"),
    "SendingPoolName": ("odd-pool",),
    "DestinationPoolName": ("odd-pool",),
    "Ip": ("198.51.100.1", "192.0.2.1"),
    "PolicyName": ("odd-one", "odd-two"),
    "Policy": ('{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}',),
    "EventDestinationName": ("odd-one", "odd-two"),
    "TopicArn": (f"arn:aws:sns:{probe.REGION}:{probe.ACCOUNT}:odd",),
    "ReputationEntityReference": _ARNS,
    "ReputationEntityPolicy": tuple(
        f"arn:aws:ses:{probe.REGION}:aws:reputation-policy/{name}" for name in ("standard", "strict", "none")
    ),
    "S3Url": ("s3://bucket/key.csv", "s3://bucket/../../x"),
    "Namespace": ("VDM",),
    "SuccessRedirectionURL": ("https://x.example/y",),
    "FailureRedirectionURL": ("https://x.example/n",),
    "NextToken": ("aWRlbnRpdGllczphYg==", "dGVtcGxhdGVzOg=="),
}  # fmt: skip
#: Mail is most of what comes of calls later.
_OFTEN: Final = ("SendEmail", "SendBulkEmail", "GetMessageInsights", "BatchGetMetricData")
_EVENTS: Final = (
    "SEND",
    "DELIVERY",
    "BOUNCE",
    "COMPLAINT",
    "OPEN",
    "CLICK",
    "RENDERING_FAILURE",
    "SUBSCRIPTION",
)
#: what is there at the beginning, and again after every forty calls
_THERE: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("PutAccountSendingAttributes", {"SendingEnabled": True}),
    ("PutAccountVdmAttributes", {"VdmAttributes": {"VdmEnabled": "ENABLED"}}),
    ("CreateEmailIdentity", {"EmailIdentity": "odd.example"}),
    ("CreateConfigurationSet", {"ConfigurationSetName": _SET}),
    ("PutConfigurationSetSendingOptions", {"ConfigurationSetName": _SET, "SendingEnabled": True}),
    (
        "CreateConfigurationSetEventDestination",
        {
            "ConfigurationSetName": _SET,
            "EventDestinationName": "odd-one",
            "EventDestination": {
                "Enabled": True,
                "MatchingEventTypes": list(_EVENTS),
                "SnsDestination": {"TopicArn": f"arn:aws:sns:{probe.REGION}:{probe.ACCOUNT}:odd"},
            },
        },
    ),
    ("CreateEmailTemplate", {"TemplateName": "odd-one", "TemplateContent": {"Subject": "{{x}}", "Html": "<a href=x>"}}),
    ("CreateTenant", {"TenantName": _TENANT}),
    *(("CreateTenantResourceAssociation", {"TenantName": _TENANT, "ResourceArn": arn}) for arn in _ARNS[:3]),
    ("CreateDedicatedIpPool", {"PoolName": "odd-pool"}),
    (
        "CreateContactList",
        {
            "ContactListName": "odd",
            "Topics": [{"TopicName": "news", "DisplayName": "N", "DefaultSubscriptionStatus": "OPT_IN"}],
        },
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with seslocal("--account", probe.ACCOUNT, "--no-auth", "--event-delay", "0.001") as running:
        yield running


def test_odd_calls_are_answered_below_500_and_what_they_lead_to_fails_nowhere(server: Server) -> None:
    random = Random(SEED)
    made = odd.Odd(random, KNOWN)
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
    names = [*probe.acting(), *probe.model().operation_names, *_OFTEN * 12]
    bad: list[str] = []
    codes: dict[str, set[int]] = {}
    for number in range(CALLS):
        if number % 40 == 0:
            begin(connection)
        name = random.choice(names)
        given = made.call(probe.model().operation_model(name).input_shape)
        status, text = call(connection, name, given)
        codes.setdefault(name, set()).add(status)
        if status >= 500:
            bad.append(f"call {number}: {name} {str(given)[:600]}: {status} {text[:200]!r}")
    bad += look(connection)
    connection.close()
    log = server.log()
    assert (bad, log[log.find("Traceback") - 500 :][:4000] if "Traceback" in log else "") == ([], "")
    # A generator that is always refused would prove nothing.
    assert [name for name in _OFTEN[:2] if 200 not in codes[name]] == []


def begin(connection: http.client.HTTPConnection) -> None:
    for name, given in _THERE:
        call(connection, name, given)
    settings = {"rate": 100_000, "quota": 10_000_000, "production": True, "enforcement": "HEALTHY"}
    connection.request("PUT", "/_seslocal/account", json.dumps(settings))
    connection.getresponse().read()


def call(connection: http.client.HTTPConnection, name: str, given: dict[str, Any]) -> tuple[int, bytes]:
    """By the model's own route; half a character goes as the escape that it is in JSON."""
    operation = probe.model().operation_model(name)
    shape = operation.input_shape
    path: str = operation.http["requestUri"]
    query: list[tuple[str, str]] = []
    body: dict[str, Any] = {}
    for member, value in given.items():
        place = shape.members[member].serialization if shape is not None else {}
        if place.get("location") == "uri":
            text = quote(str(value), safe="", errors="surrogatepass") or "%20"
            path = path.replace("{" + place.get("name", member) + "}", text)
        elif place.get("location") == "querystring":
            values = value if isinstance(value, list) else [value]
            query += [(place.get("name", member), str(one)) for one in values]
        else:
            body[member] = value
    if query:
        path += "?" + urlencode(query, errors="surrogatepass")
    path = path.replace("{", "%7B").replace("}", "%7D")
    data = json.dumps(body, default=lambda one: b64encode(one).decode()).encode()
    connection.request(operation.http["method"], path, data, {"content-type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()
