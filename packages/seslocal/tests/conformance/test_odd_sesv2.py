"""No call that the model of SES v2 allows makes the server fail, however unusual, nor what follows from it: events of every kind
to every kind of destination, jobs, passing time, the page. Responses match the model too. The calls come from the seed
`SESLOCAL_ODD_SEED`; `SESLOCAL_ODD_CALLS` is their number."""

from __future__ import annotations

import http.client
import json
import os
from base64 import b64encode
from collections.abc import Iterator
from random import Random
from typing import Any, Final
from urllib.parse import quote, urlsplit

import pytest

from conformance import odd, probe
from conformance.odd import ask
from conformance.server import Server, seslocal

CALLS: Final = int(os.environ.get("SESLOCAL_ODD_CALLS", "1000"))
SEED: Final = os.environ.get("SESLOCAL_ODD_SEED", "1")
_TWICE: Final = CALLS // 2  # calls that are compared
_SES: Final = f"arn:aws:ses:{probe.REGION}:{probe.ACCOUNT}:"
_POLICY: Final = f"arn:aws:ses:{probe.REGION}:aws:reputation-policy"
_TOPIC: Final = f"arn:aws:sns:{probe.REGION}:{probe.ACCOUNT}:odd"
_BUS: Final = f"arn:aws:events:{probe.REGION}:{probe.ACCOUNT}:event-bus/default"
_STREAM: Final = f"arn:aws:firehose:{probe.REGION}:{probe.ACCOUNT}:deliverystream/odd"
_ROLE: Final = f"arn:aws:iam::{probe.ACCOUNT}:role/odd"
_EVERYTHING: Final = [
    "SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "OPEN", "CLICK", "RENDERING_FAILURE", "DELIVERY_DELAY", "SUBSCRIPTION",
]  # fmt: skip
_SENDERS: Final = ("a@odd.example", "Ada <kim@odd.example>", "KIM@odd.example", "lee@person.example")
_TO: Final = (
    "b@x.example",
    "bounces@x.example",
    "complains@x.example",
    "defers@x.example",
    "bounce@simulator.amazonses.com",
    "complaint+x@simulator.amazonses.com",
    "suppressionlist@simulator.amazonses.com",
    "B@X.Example",
)
_NAMES: Final = ("odd-one", "odd-one", "odd-two", "absent")
_BEGIN: Final = 1767614400  # 2026-01-05T12:00:00Z
_ARNS: Final = (
    f"{_SES}identity/odd.example",
    f"{_SES}configuration-set/odd-set",
    f"{_SES}template/odd-one",
    f"{_SES}contact-list/odd-one",
    f"{_SES}dedicated-ip-pool/odd-one",
)
_HTML: Final = "<a href='https://x.example' ses:tags='a:b'>x</a>{{amazonSESUnsubscribeUrl}}"
#: Values by member or shape: mostly things that exist, and a few that do not.
KNOWN: Final[dict[str, tuple[Any, ...]]] = {
    "FromEmailAddress": _SENDERS,
    "FromAddress": _SENDERS,
    "EmailIdentity": ("odd.example", "odd.example", "kim@odd.example", "ODD.example", "absent.example"),
    "EmailAddress": _TO,
    "ToAddresses": tuple([[one] for one in _TO]),
    "Body": ({"Html": {"Data": _HTML}}, {"Text": {"Data": ""}}, {"Html": {"Data": _HTML}, "Text": {"Data": "x"}}),
    "CcAddresses": ([], ["c@x.example"]),
    "BccAddresses": ([], [_TO[0], _TO[1]]),
    "ReplyToAddresses": (["r@x.example"], []),
    "MessageTagName": ("a", "odd-tag", "ses:feedback-id-a"),
    "MessageTagValue": ("b", "c"),
    "AttachmentFileName": ("a.txt", "b"),
    "RawMessageData": odd.BYTES,
    "ConfigurationSetName": ("odd-set", "odd-set", "odd-two", "absent"),
    "TenantName": _NAMES,
    "TemplateName": ("odd-one", *_NAMES),
    "TemplateArn": (f"{_SES}template/odd-one", f"{_SES}template/absent"),
    "TemplateData": ('{"x": 1}', '{"y": {"z": [1]}, "x": {}}', "{}"),
    "ReplacementTemplateData": ('{"x": 1}', '{"x": [null]}', ""),
    "ContactListName": ("odd-one", "odd-one", "odd-one", "absent"),
    "TopicName": ("odd-topic", "absent"),
    "EventDestinationName": ("to-0", "to-1", "to-2", "to-3", *_NAMES),
    "PolicyName": _NAMES,
    "Policy": (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ses:SendEmail"}}',
        '{"Statement":[{"Effect":1,"Principal":[],"Action":{}}]}',
        '{"Statement":[]}',
    ),
    "PoolName": _NAMES,
    "SendingPoolName": ("odd-one", "absent"),
    "DestinationPoolName": ("odd-one", "absent"),
    "ResourceArn": _ARNS,
    "ReputationEntityReference": _ARNS[:1],
    "ReputationEntityPolicy": (f"{_POLICY}/none", f"{_POLICY}/standard", f"{_POLICY}/strict"),
    "FromEmailAddressIdentityArn": _ARNS[:1],
    "TopicArn": (_TOPIC,),
    "EventBusArn": (_BUS,),
    "DeliveryStreamArn": (_STREAM,),
    "IamRoleArn": (_ROLE,),
    "MailFromDomain": ("b.odd.example", ""),
    "CustomRedirectDomain": ("odd.example", "t.odd.example"),
    "S3Url": ("s3://odd/addresses.csv", "s3://odd/../../x"),
    "SuccessRedirectionURL": ("https://x.example/y",),
    "FailureRedirectionURL": ("https://x.example/n",),
    "EndpointId": ("abc.def",),
    "Ip": ("198.51.100.1", "198.51.100.1", "absent"),
    "NextToken": ("aWRlbnRpdGllczphYg==", "dGVtcGxhdGVzOg=="),
    "AttributesData": ('{"name": "Ada"}', "[]"),
    "StartDate": (_BEGIN - 86400, _BEGIN),
    "EndDate": (_BEGIN + 86400, _BEGIN + 40 * 86400),
    "Namespace": ("VDM",),
    "Key": ("a", "team"),
    "Dimensions": ({"ISP": "Gmail"}, {"EMAIL_IDENTITY": "odd.example"}, {"ISP": ["Gmail"]}, {}),
    "Filter": ({}, {"RESOURCE_TYPE": "EMAIL_IDENTITY"}, {"TYPE": "DKIM"}, {"IMPACT": "LOW"}),
}  # fmt: skip
#: Members that the model makes optional but almost every call needs.
_WANTED: Final = frozenset(
    (
        "ConfigurationSetName",
        "FromEmailAddress",
        "Destination",
        "ToAddresses",
        "Template",
        "MatchingEventTypes",
        "Subject",
        "Html",
    )
)
_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "EmailContent": ("Simple", "Raw", "Template"),
    "Template": ("TemplateName", "TemplateArn", "TemplateContent"),
    "ExportDataSource": ("MetricsDataSource", "MessageInsightsDataSource"),
    "ImportDestination": ("SuppressionListDestination", "ContactListDestination"),
    "EventDestinationDefinition": (
        "SnsDestination",
        "EventBridgeDestination",
        "CloudWatchDestination",
        "KinesisFirehoseDestination",
    ),
}
#: Most later effects come from mail sent by these operations.
_OFTEN: Final = (
    "SendEmail",
    "SendBulkEmail",
    "SendCustomVerificationEmail",
    "UpdateEmailTemplate",
    "CreateContact",
    "GetMessageInsights",
    "BatchGetMetricData",
)

#: Members of responses whose values later calls can use, and the members that use them.
_IDS_IN_RESPONSES: Final = {
    "MessageId": "MessageId",
    "JobId": "JobId",
    "NextToken": "NextToken",
    "TenantArn": "ReputationEntityReference",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with seslocal(
        "--account", probe.ACCOUNT, "--no-auth", "--seed", "1", "--clock", "2026-01-05T12:00:00Z"
    ) as running:
        yield running


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    address = urlsplit(server.url)
    made = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    yield made
    made.close()


def test_odd_calls_and_what_follows_from_them_cause_no_5xx(
    server: Server, connection: http.client.HTTPConnection
):
    bad, accepted = _make_calls(connection)
    bad += odd.look(connection)
    log = server.log()
    assert (bad, log[log.find("Traceback") - 500 :][:4000] if "Traceback" in log else "") == ([], "")
    # If every call were refused, this would test nothing.
    assert [name for name in _OFTEN if name not in accepted] == []


def test_odd_calls_give_the_same_responses_and_events_twice(monkeypatch: pytest.MonkeyPatch):
    first, second = (_responses_and_events(monkeypatch, hash_seed) for hash_seed in ("1", "2"))
    assert len([name for name, _, _ in first if name == "event"]) > 20
    assert [pair for pair in zip(first, second, strict=True) if pair[0] != pair[1]][:3] == []


def _responses_and_events(monkeypatch: pytest.MonkeyPatch, hash_seed: str) -> list[tuple[str, int, bytes]]:
    """Returns the responses and the events of a server with a frozen clock and its own hash seed."""
    monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
    collected: list[tuple[str, int, bytes]] = []
    options = ("--account", probe.ACCOUNT, "--no-auth", "--seed", "1", "--clock", "2026-01-05T12:00:00Z")
    with seslocal(*options, "--speed", "0") as server:
        address = urlsplit(server.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        _make_calls(connection, _TWICE, collected)
        ask(connection, "PUT", "/_seslocal/clock", b'{"advance": 90000}')
        receive = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.ReceiveMessage"}
        wanted = {"QueueUrl": f"{server.url}/{probe.ACCOUNT}/odd", "MaxNumberOfMessages": 10}
        while b"Messages" in (text := ask(connection, "POST", "/", json.dumps(wanted).encode(), receive)[1]):
            collected += [
                ("event", 200, message["Body"].encode()) for message in json.loads(text)["Messages"]
            ]
        collected.append(("metrics", *ask(connection, "GET", "/_seslocal/cloudwatch")))
        connection.close()
    here = server.url.encode(), urlsplit(server.url).netloc.encode()
    return [
        (name, status, text.replace(here[0], b"URL").replace(here[1], b"HOST"))
        for name, status, text in collected
    ]


def _make_calls(
    connection: http.client.HTTPConnection,
    calls: int = CALLS,
    collected: list[tuple[str, int, bytes]] | None = None,
) -> tuple[list[str], set[str]]:
    """Returns the calls with a response that SES would never give, and the operations that returned 200 at least once.
    `collected` gets every response."""
    random = Random(SEED)
    known = dict(KNOWN)
    made = odd.Odd(random, known, _WANTED, _CHOICES)
    names = [*probe.acting(), *probe.model().operation_names, *_OFTEN * 12, *_OFTEN[:2] * 40]
    bad: list[str] = []
    accepted: set[str] = set()
    for number in range(calls):
        if number % 40 == 0:
            _create_resources(connection)  # restores what the calls broke
        if number % 500 == 499:
            ask(connection, "PUT", "/_seslocal/clock", b'{"advance": 90000}')
        name = random.choice(names)
        operation = probe.model().operation_model(name)
        method, path, body = _request(operation, made.call(operation.input_shape))
        status, text = ask(connection, method, path, body, {"content-type": "application/json"})
        if collected is not None:
            collected.append((name, status, text))
        described = f"call {number}: {name} {path[:200]} {body[:700]!r}: {status} {text[:300]!r}"
        if status >= 500:
            bad.append(described)
        elif status == 200:
            accepted.add(name)
            answer: dict[str, Any] = json.loads(text)
            try:
                probe.check_answer(name, answer)
            except probe.Departure as departure:
                bad.append(f"{described}: {departure}")
            for member, called in _IDS_IN_RESPONSES.items():
                if isinstance(one := answer.get(member), str):
                    known[called] = (*known.get(called, ())[-9:], one)
    return bad, accepted


def _request(operation: Any, given: dict[str, Any]) -> tuple[str, str, bytes]:
    path: str = operation.http["requestUri"]
    query: list[str] = []
    for name, shape in (operation.input_shape.members if operation.input_shape else {}).items():
        where = shape.serialization.get("location")
        wire = shape.serialization.get("name", name)
        if where == "uri":
            path = path.replace(
                "{" + wire + "}", _quoted(given.pop(name, "") or "-")
            )  # clients never send an empty body
        elif where == "querystring" and name in given:
            values = given.pop(name)
            query += [f"{wire}={_quoted(one)}" for one in (values if isinstance(values, list) else [values])]
    body = json.dumps(given, default=lambda blob: b64encode(blob).decode()).encode()
    return operation.http["method"], path + ("?" + "&".join(query) if query else ""), body


def _quoted(value: object) -> str:
    return quote(str(value), safe="", errors="surrogatepass")


def _create_resources(connection: http.client.HTTPConnection) -> None:
    """Creates verified senders, mailboxes of every fate, sets that publish all events to every kind of destination, and one
    of each other resource."""

    def call(name: str, **given: Any) -> None:
        method, path, body = _request(probe.model().operation_model(name), given)
        ask(connection, method, path, body)

    def admin(path: str, **body: Any) -> None:
        status, text = ask(connection, "PUT", f"/_seslocal/{path}", json.dumps(body).encode())
        assert status == 200, text

    ask(connection, "POST", "/_seslocal/dedicated-ips", b'{"count": 1}')
    admin(
        "account",
        rate=10_000,
        quota=10_000_000,
        production=True,
        enforcement="HEALTHY",
        management_queue="odd",
    )
    for fate in ("bounces", "complains", "defers"):
        admin(f"mailboxes/{fate}@x.example", fate=fate)
    call("PutAccountSendingAttributes", SendingEnabled=True)
    call("PutAccountVdmAttributes", VdmAttributes={"VdmEnabled": "ENABLED"})
    for identity in ("odd.example", "person.example"):
        call("CreateEmailIdentity", EmailIdentity=identity)
        admin(f"identities/{identity}", status="SUCCESS")
    call("PutEmailIdentityMailFromAttributes", EmailIdentity="odd.example")
    call("CreateConfigurationSet", ConfigurationSetName="odd-set")
    call("PutConfigurationSetSendingOptions", ConfigurationSetName="odd-set", SendingEnabled=True)
    call("PutConfigurationSetDeliveryOptions", ConfigurationSetName="odd-set", TlsPolicy="OPTIONAL")
    counted = {"DimensionName": "s", "DimensionValueSource": "EMAIL_HEADER", "DefaultDimensionValue": "n"}
    for number, target in enumerate(
        (
            {"SnsDestination": {"TopicArn": _TOPIC}},
            {"EventBridgeDestination": {"EventBusArn": _BUS}},
            {"CloudWatchDestination": {"DimensionConfigurations": [counted]}},
            {"KinesisFirehoseDestination": {"IamRoleArn": _ROLE, "DeliveryStreamArn": _STREAM}},
        )
    ):
        for verb in ("Create", "Update"):  # a call may have changed or disabled what exists
            call(
                f"{verb}ConfigurationSetEventDestination",
                ConfigurationSetName="odd-set",
                EventDestinationName=f"to-{number}",
                EventDestination={"Enabled": True, "MatchingEventTypes": _EVERYTHING, **target},
            )
    call("CreateDedicatedIpPool", PoolName="odd-one")
    topic = {"TopicName": "odd-topic", "DisplayName": "t", "DefaultSubscriptionStatus": "OPT_IN"}
    call("CreateContactList", ContactListName="odd-one", Topics=[topic])
    parts = {"Subject": "{{x}}", "Html": "<a href='https://x.example'>{{x}}</a>", "Text": "{{x}}"}
    call("CreateEmailTemplate", TemplateName="odd-one", TemplateContent=parts)
    call(
        "CreateCustomVerificationEmailTemplate",
        TemplateName="odd-one",
        FromEmailAddress="a@odd.example",
        TemplateSubject="s",
        TemplateContent="<a href=x>",
        SuccessRedirectionURL="https://x.example/y",
        FailureRedirectionURL="https://x.example/n",
    )
    call("CreateTenant", TenantName="odd-one")
    for arn in _ARNS[:3]:
        call("CreateTenantResourceAssociation", TenantName="odd-one", ResourceArn=arn)
