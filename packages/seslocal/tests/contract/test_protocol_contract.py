"""SES's REST-JSON protocol (ses.md 10): routes, bodies, errors and paging."""

from __future__ import annotations

import http.client
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from seslocal_fixtures import signing
from seslocal_fixtures.world import World

SEND = "/v2/email/outbound-emails"


def asked(world: World, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], Any]:
    """Makes a signed call. Returns status, headers in lower case, and the JSON."""
    headers = signing.signed(method, path, body, {}, host=world.host)
    connection = http.client.HTTPConnection(world.local.host, world.local.port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, names, json.loads(answer.read())
    finally:
        connection.close()


def test_success_is_json_with_a_request_id_and_empty_outputs_are_an_object(world: World) -> None:
    status, headers, body = asked(world, "POST", "/v2/email/tenants/list", b"{}")
    assert (status, headers["content-type"], body) == (200, "application/json", {"Tenants": []})
    assert len(headers["x-amzn-requestid"]) == 36
    assert asked(world, "PUT", "/v2/email/account/sending", b"{}")[2] == {}


def test_an_error_has_its_type_in_a_header_and_its_message_in_the_body(world: World) -> None:
    status, headers, body = asked(world, "POST", "/v2/email/tenants/get", b'{"TenantName": "no"}')
    assert (status, headers["x-amzn-errortype"]) == (404, "NotFoundException")
    assert body == {"message": "The requested tenant no does not exist."}


def test_timestamps_are_numbers_of_epoch_seconds_and_blobs_base64(world: World) -> None:
    world.admin("PUT", "/clock", {"at": 1_767_225_600, "frozen": True})
    body = json.dumps({"TenantName": "acme"}).encode()
    assert asked(world, "POST", "/v2/email/tenants", body)[2]["CreatedTimestamp"] == 1_767_225_600
    world.domain()
    raw = {"Content": {"Raw": {"Data": "RnJvbTogYUBtYWlsLmFjbWUuZXhhbXBsZQ0KVG86IGtAeC5leGFtcGxlDQoNCkhp"}}}
    assert asked(world, "POST", SEND, json.dumps(raw).encode())[0] == 200


def test_absent_members_are_omitted(world: World) -> None:
    world.ses.create_tenant(TenantName="acme")
    assert (
        "SuppressionAttributes"
        not in asked(world, "POST", "/v2/email/tenants/get", b'{"TenantName": "acme"}')[2]["Tenant"]
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"TenantName": 1}', "NUMBER_VALUE can not be converted to a String at 'tenantName'."),
        (b'{"TenantName": []}', "Start of list can not be converted to a String at 'tenantName'."),
        (b"[]", "The body is not a JSON object."),
    ],
)
def test_a_wrong_json_type_is_a_serialization_exception(world: World, body: bytes, message: str) -> None:
    status, headers, said = asked(world, "POST", "/v2/email/tenants", body)
    assert (status, headers["x-amzn-errortype"], said) == (
        400,
        "SerializationException",
        {"message": message},
    )


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("a b", "satisfy regular expression pattern: ^[a-zA-Z0-9_-]+$"),
        ("x" * 65, "have length less than or equal to 64"),
    ],
)
def test_a_broken_constraint_has_awss_validation_text(world: World, name: str, rule: str) -> None:
    message = f"1 validation error detected: Value '{name}' at 'tenantName' failed to satisfy constraint: Member must {rule}"
    assert world.refused(world.ses.create_tenant, TenantName=name) == (400, "BadRequestException", message)


def test_a_missing_member_is_reported_as_null(world: World) -> None:
    message = "1 validation error detected: Value null at 'tenantName' failed to satisfy constraint: Member must not be null"
    assert world.refused(world.ses.create_tenant) == (400, "BadRequestException", message)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v2/email/nothing"), ("PATCH", "/v2/email/tenants"), ("GET", "/v3")]
)
def test_an_unknown_path_is_404(world: World, method: str, path: str) -> None:
    status, headers, body = asked(world, method, path)
    assert (status, headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    assert body == {"message": f"No operation of SES v2 is at {method} {path}."}


def test_path_parameters_are_percent_encoded(world: World) -> None:
    address = "kim+tag@example.com"
    world.ses.put_suppressed_destination(EmailAddress=address, Reason="BOUNCE")
    status, _, body = asked(world, "GET", f"/v2/email/suppression/addresses/{quote(address, safe='')}")
    assert (status, body["SuppressedDestination"]["EmailAddress"]) == (200, address)
    arn = world.ses.create_tenant(TenantName="acme")["TenantArn"]
    path = f"/v2/email/reputation/entities/RESOURCE/{quote(arn, safe='')}"
    assert asked(world, "GET", path)[2]["ReputationEntity"]["ReputationEntityReference"] == arn


def test_query_members_repeat_and_carry_times_in_iso_8601(world: World) -> None:
    for name, reason in (("a", "BOUNCE"), ("b", "COMPLAINT")):
        world.ses.put_suppressed_destination(EmailAddress=f"{name}@x.example", Reason=reason)
    listed = "SuppressedDestinationSummaries"
    path = "/v2/email/suppression/addresses?Reason=BOUNCE&Reason=COMPLAINT"
    assert len(asked(world, "GET", path)[2][listed]) == 2
    assert len(asked(world, "GET", "/v2/email/suppression/addresses?Reason=BOUNCE")[2][listed]) == 1
    later = datetime.now(UTC) + timedelta(days=1)
    assert world.ses.list_suppressed_destinations(StartDate=later)[listed] == []


def test_a_token_is_opaque_and_an_unknown_one_is_refused(world: World) -> None:
    for name in ("a", "b"):
        world.ses.create_tenant(TenantName=name)
        world.ses.put_suppressed_destination(EmailAddress=f"{name}@x.example", Reason="BOUNCE")
    token = world.ses.list_tenants(PageSize=1)["NextToken"]
    assert [one["TenantName"] for one in world.ses.list_tenants(NextToken=token)["Tenants"]] == ["b"]
    message = "The specified request includes an invalid or expired token."
    assert world.refused(world.ses.list_tenants, NextToken="x") == (400, "BadRequestException", message)
    refused = world.refused(world.ses.list_suppressed_destinations, NextToken=token)
    assert refused == (400, "InvalidNextTokenException", message)


def test_modeled_errors_are_boto3_exception_classes(world: World) -> None:
    with pytest.raises(world.ses.exceptions.NotFoundException) as caught:
        world.ses.get_tenant(TenantName="no")
    assert isinstance(caught.value, ClientError)
    answer: Any = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_older_sdks_can_list_with_get(world: World) -> None:
    world.domain()
    world.ses.create_configuration_set(ConfigurationSetName="s")
    assert (
        asked(world, "GET", "/v2/email/identities?PageSize=10")[2]["EmailIdentities"][0]["IdentityName"]
        == "mail.acme.example"
    )
    assert asked(world, "GET", "/v2/email/configuration-sets")[2]["ConfigurationSets"] == ["s"]
