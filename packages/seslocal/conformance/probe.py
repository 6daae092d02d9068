"""One minimal valid call to every operation that seslocal implements, in an order in which each finds what it needs.

Inputs come from botocore's model: the required members, filled with allowed values, with a few names that must match
(an identity, a tenant, a list). `EXTRA` adds members that a call needs to make sense, and `REFUSED` lists the few operations
that must be refused, with the code that SES documents. It does not make the calls: boto3 and the AWS CLI both use it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import botocore.session

REGION: Final = "us-east-1"
ACCOUNT: Final = "123456789012"
IDENTITY: Final = "probe.example"
TENANT: Final = "probe-tenant"
SET: Final = "probe-set"
PERSON: Final = "reader@recipient.example"

_VERBS: Final = (
    "Create",
    "Associate",
    "Put",
    "Update",
    "Send",
    "Test",
    "Tag",
    "Get",
    "Batch",
    "List",
    "Cancel",
    "Untag",
)
_FIRST: Final = (
    "PutAccountVdmAttributes",
    "CreateTenant",
    "CreateEmailIdentity",
    "CreateConfigurationSet",
    "CreateContactList",
    "CreateDedicatedIpPool",
)
#: Others depend on these.
_LAST: Final = (
    "DeleteEmailIdentity",
    "DeleteConfigurationSet",
    "DeleteContactList",
    "DeleteDedicatedIpPool",
    "DeleteTenant",
)

#: Values of members by name, in any structure.
_NAMES: Final[Mapping[str, Any]] = {
    "EmailIdentity": IDENTITY,
    "ConfigurationSetName": SET,
    "TenantName": TENANT,
    "ResourceArn": f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/{IDENTITY}",
    "EmailAddress": PERSON,
    "FromEmailAddress": f"sender@{IDENTITY}",
    "ContactListName": "probe-list",
    "EventDestinationName": "probe-destination",
    "TemplateName": "probe-template",
    "PoolName": "probe-pool",
    "DestinationPoolName": "probe-pool",
    "EndpointName": "probe-endpoint",
    "PolicyName": "probe-policy",
    "Policy": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ses:SendEmail"}]}',
    "CertificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/probe",
    "ReputationEntityPolicy": "arn:aws:ses:us-east-1:aws:reputation-policy/standard",
    "SubscribedDomain": IDENTITY,
    "Domain": IDENTITY,
    "Ip": "192.0.2.1",
    "TemplateData": '{"name":"Ada"}',
    "TemplateSubject": "Please confirm",
    "SuccessRedirectionURL": "https://probe.example/yes",
    "FailureRedirectionURL": "https://probe.example/no",
    "WebsiteURL": "https://probe.example/",
    "S3Url": "s3://probe/addresses.csv",
    "MailType": "TRANSACTIONAL",
    "SendingStatus": "ENABLED",
    "WarmupPercentage": 50,
    "SigningAttributesOrigin": "AWS_SES",
    "StartDate": datetime(2026, 1, 1, tzinfo=UTC),
    "EndDate": datetime(2026, 1, 2, tzinfo=UTC),
    "JobId": "probe-job",
    "ReportId": "probe-report",
    "CampaignId": "probe-campaign",
    "MessageId": "probe-message",
}
_SIMPLE: Final = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}}
_PARTS: Final = {"Subject": "Hi {{name}}", "Text": "Hello {{name}}"}
_TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:probe-events"
#: Structures by name.
_SHAPES: Final[Mapping[str, Any]] = {
    "EmailContent": _SIMPLE,
    "EmailTemplateContent": _PARTS,
    "BulkEmailContent": {"Template": {"TemplateContent": _PARTS, "TemplateData": '{"name":"you"}'}},
    "Destination": {"ToAddresses": [PERSON]},
    "EventDestinationDefinition": {
        "Enabled": True,
        "MatchingEventTypes": ["SEND", "DELIVERY"],
        "SnsDestination": {"TopicArn": _TOPIC},
    },
    "ImportDestination": {"SuppressionListDestination": {"SuppressionListImportAction": "PUT"}},
    "ExportDataSource": {
        "MessageInsightsDataSource": {"StartDate": _NAMES["StartDate"], "EndDate": _NAMES["EndDate"]}
    },
}
#: Members beyond the required ones, by operation.
EXTRA: Final[Mapping[str, Mapping[str, Any]]] = {
    "SendEmail": {
        "FromEmailAddress": _NAMES["FromEmailAddress"],
        "Destination": _SHAPES["Destination"],
        "ConfigurationSetName": SET,
        "TenantName": TENANT,
    },
    "SendBulkEmail": {"FromEmailAddress": _NAMES["FromEmailAddress"]},
    "SendCustomVerificationEmail": {"EmailAddress": "newcomer@recipient.example"},
    "PutConfigurationSetDeliveryOptions": {"TlsPolicy": "REQUIRE"},
    "PutConfigurationSetTrackingOptions": {"CustomRedirectDomain": f"links.{IDENTITY}"},
    "PutConfigurationSetSuppressionOptions": {"SuppressedReasons": ["BOUNCE"]},
    "PutTenantSuppressionAttributes": {
        "SuppressionScope": "TENANT",
        "SuppressedReasons": ["BOUNCE", "COMPLAINT"],
    },
    "PutAccountSuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
    "PutAccountSendingAttributes": {"SendingEnabled": True},
    "PutConfigurationSetSendingOptions": {"SendingEnabled": True},
    "PutEmailIdentityDkimAttributes": {"SigningEnabled": True},
    "PutEmailIdentityMailFromAttributes": {"MailFromDomain": f"bounce.{IDENTITY}"},
    "PutEmailIdentityFeedbackAttributes": {"EmailForwardingEnabled": False},
}
#: A second call right after the first, with these members replaced.
AGAIN: Final[Mapping[str, Mapping[str, Any]]] = {
    f"{verb}TenantResourceAssociation": {
        "ResourceArn": f"arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/{SET}"
    }
    for verb in ("Create", "Delete")
}
#: Valid calls that SES must refuse in this setup, and the code.
REFUSED: Final[Mapping[str, str]] = {
    "CancelExportJob": "BadRequestException",
    "GetDedicatedIp": "NotFoundException",
    "PutDedicatedIpInPool": "NotFoundException",
    "PutDedicatedIpWarmupAttributes": "NotFoundException",
}


#: Members that the model requires and SES leaves out when they are empty.
_LEFT_OUT: Final = {"MailFromAttributes": frozenset(("MailFromDomain", "MailFromDomainStatus"))}


class Departure(Exception):
    """A response does not match the model."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The client raised an error of the service."""

    code: str
    status: int
    message: str


Call = Callable[[str, "dict[str, Any]"], "dict[str, Any] | Refusal"]


@dataclass
class LaterIds:
    """Ids from responses that later calls need."""

    values: dict[str, str] = field(default_factory=dict[str, str])

    def remember(self, operation: str, answer: Mapping[str, Any]) -> None:
        if job := answer.get("JobId"):
            self.values["import" if operation == "CreateImportJob" else "export"] = job
        if operation == "SendEmail":
            self.values["message"] = answer["MessageId"]
        if operation == "CreateTenant":
            self.values["tenant"] = answer["TenantArn"]

    def fill_in(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        known = {
            "JobId": self.values.get("import" if "Import" in operation else "export"),
            "MessageId": self.values.get("message"),
            "ReputationEntityReference": self.values.get("tenant"),
        }
        return given | {name: value for name, value in known.items() if value and name in given}


@cache
def model() -> Any:
    return botocore.session.get_session().get_service_model("sesv2")


def acting() -> list[str]:
    """Returns the SES v2 operations that `seslocal --operations` lists as implemented."""
    command = [sys.executable, "-m", "seslocal", "--operations"]
    page = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    section = page.partition("## SES v2")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in row.split("|")] for row in section.splitlines() if row.startswith("|")]
    return [name for _, name, implemented, _ in rows if implemented == "yes"]


def ordered(operations: Iterable[str]) -> list[str]:
    """Sorts: creating calls first, deleting calls last, and dependencies before (and deleted after) what needs them."""

    def place(name: str) -> tuple[int, int, str]:
        if name.startswith(("Delete", "Disassociate")):
            return len(_VERBS) + 1, _LAST.index(name) if name in _LAST else -1, name
        if name in _FIRST:
            return -1, _FIRST.index(name), name
        rank = next((n for n, verb in enumerate(_VERBS) if name.startswith(verb)), len(_VERBS))
        return rank, 0, name

    return sorted(operations, key=place)


def minimal(operation: str) -> dict[str, Any]:
    """Returns the smallest useful input that the model allows."""
    shape = model().operation_model(operation).input_shape
    return {**_structure(shape), **EXTRA.get(operation, {})} if shape is not None else {}


def run(operations: Iterable[str], call: Call) -> dict[str, dict[str, Any] | Refusal]:
    later_ids = LaterIds()
    answers: dict[str, dict[str, Any] | Refusal] = {}
    for operation in ordered(operations):
        answer = call(operation, later_ids.fill_in(operation, minimal(operation)))
        if operation in AGAIN and not isinstance(answer, Refusal):
            answer = call(operation, minimal(operation) | AGAIN[operation])
        answers[operation] = answer
        if not isinstance(answer, Refusal):
            later_ids.remember(operation, answer)
    return answers


def check_outcome(operation: str, answer: dict[str, Any] | Refusal) -> None:
    """Raises AssertionError unless the outcome is SES's."""
    wanted = REFUSED.get(operation)
    if isinstance(answer, Refusal):
        assert answer.status < 500, answer
        assert answer.code == wanted, f"{operation} with {minimal(operation)}: {answer}"
    else:
        assert wanted is None, f"{operation} was to be refused as {wanted}"


def check_answer(operation: str, document: object) -> None:
    """Raises Departure if a raw response has an unknown member, a wrong type, or lacks a required member."""
    shape = model().operation_model(operation).output_shape
    if shape is None:
        if document not in ({}, None):
            raise Departure(f"{operation}: {document!r} although the model has no output")
        return
    _check(shape, document, operation)


def _check(shape: Any, value: object, where: str) -> None:
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            raise Departure(f"{where}: {value!r} is not an object")
        names = {
            member.serialization.get("name", name): (name, member) for name, member in shape.members.items()
        }
        strange = set(value) - set(names)
        missing = set(shape.required_members) - {names[key][0] for key in value if key in names}
        missing -= _LEFT_OUT.get(shape.name, frozenset())
        if strange or missing:
            raise Departure(f"{where}: members {sorted(strange)} are unknown, {sorted(missing)} missing")
        for key, inner in value.items():
            _check(names[key][1], inner, f"{where}.{key}")
    elif kind == "list":
        if not isinstance(value, list):
            raise Departure(f"{where}: {value!r} is not a list")
        for inner in value:
            _check(shape.member, inner, f"{where}[]")
    elif kind == "map":
        if not isinstance(value, dict):
            raise Departure(f"{where}: {value!r} is not a map")
        for key, inner in value.items():
            _check(shape.key, key, f"{where} key")
            _check(shape.value, inner, f"{where}[{key}]")
    else:
        _check_scalar(shape, value, where)


def _check_scalar(shape: Any, value: object, where: str) -> None:
    kinds = {
        "string": str,
        "blob": str,
        "boolean": bool,
        "integer": int,
        "long": int,
        "double": (int, float),
        "float": (int, float),
        "timestamp": (int, float),
    }[shape.type_name]
    right = isinstance(value, kinds) and (shape.type_name == "boolean" or not isinstance(value, bool))
    if not right or (getattr(shape, "enum", None) and value not in shape.enum):
        raise Departure(f"{where}: {value!r} is not a {shape.name}")


def _structure(shape: Any) -> dict[str, Any]:
    return {name: _value(name, shape.members[name]) for name in shape.required_members}


def _value(name: str, shape: Any) -> Any:
    if shape.name in _SHAPES:
        return _SHAPES[shape.name]
    if name in _NAMES:
        return _NAMES[name]
    match shape.type_name:
        case "structure":
            return _structure(shape)
        case "list":
            return [_value(name.removesuffix("s"), shape.member)]
        case "map":
            return {"probe": _value(name, shape.value)}
        case "boolean":
            return True
        case "integer" | "long":
            return max(1, shape.metadata.get("min", 1))
        case "double" | "float":
            return 1.0
        case "timestamp":
            return _NAMES["StartDate"]
        case _:
            return shape.enum[0] if shape.enum else "probe".ljust(shape.metadata.get("min", 1), "x")
