"""Every route of openapi.json on a running system: whatever its body and parameters are, it answers, and never with a 5xx."""

import base64
import gzip
import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from mailcordon.adapters.http import message_endpoint
from mailcordon_fixtures import systems
from mailcordon_fixtures.bodies import FAULTY_JSON
from mailcordon_fixtures.systems import System

CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    not_a_server_error,
]
PROBLEM = "application/problem+json"
CORPUS = (
    Path(os.environ.get("MAILCORDON_SHARED") or "/nonexistent") / "data/robustness/jsontestsuite.jsonl.gz"
)

#: They take what AWS sends, and answer in the form that it understands (tests/http/test_event_doors.py).
EVENT_DOORS = ("/v1/events/sns", "/v1/events/firehose", "/v1/events/eventbridge")


@pytest.fixture(scope="module")
def system(short_home: Any) -> Iterator[System]:
    """One of its own: what the document allows includes changes of what all tenants share, such as the policy of lapses."""
    with short_home() as home, systems.running(home) as running:
        yield running


@pytest.fixture(scope="module")
def client(system: System) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {system.key}"}
    with httpx.Client(base_url=system.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def described(client: httpx.Client) -> Any:
    return client.get("/openapi.json").json()


def filled(path: str, operation: dict[str, Any]) -> str:
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path" and parameter["schema"].get("type") == "integer":
            path = path.replace("{" + parameter["name"] + "}", "999999999")
    return path.replace("{", "").replace("}", "")


@pytest.fixture(scope="module")
def routes(described: Any) -> list[tuple[str, str]]:
    """Method and path of all routes that take a body, with its own name for each text in the path, and a number of nothing."""
    found = [
        (method.upper(), filled(path, operation))
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation and path not in EVENT_DOORS
    ]
    assert len(found) >= 10
    return found


def send(client: httpx.Client, method: str, path: str, body: bytes) -> httpx.Response:
    return client.request(method, path, content=body, headers={"content-type": "application/json"})


def test_every_route_gives_the_same_answer_to_a_body_that_is_not_json(
    client: httpx.Client, routes: list[tuple[str, str]]
) -> None:
    wrong: list[object] = []
    for method, path in routes:
        for name, (body, code) in FAULTY_JSON.items():
            answer = send(client, method, path, body)
            said = answer.json()
            if (answer.status_code, answer.headers["content-type"], said["code"]) != (400, PROBLEM, code):
                wrong.append((method, path, name, said))
            assert said["retryable"] is False
    assert wrong == []


def test_every_route_refuses_a_body_that_is_too_large(
    client: httpx.Client, routes: list[tuple[str, str]]
) -> None:
    for method, path in routes:
        size = {
            "/v1/messages": message_endpoint.MAX_BODY + 1,
            "/v1/messages/batch": 25 << 20,
            "/v1/plans": 9 << 20,
            "/v1/suppressions/import": 9 << 20,
        }.get(path, 2 << 20)
        answer = send(client, method, path, b" " * size)
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large"), path
    assert send(client, "POST", "/v1/plans", b" " * (2 << 20)).json()["code"] == "malformed-json"


@pytest.mark.skipif(not CORPUS.exists(), reason="MAILCORDON_SHARED names no data")
def test_no_text_of_the_json_test_suite_causes_anything_but_a_400_or_422(
    client: httpx.Client, routes: list[tuple[str, str]]
) -> None:
    """What must be rejected is 400. What may be accepted is no object with the fields of a route: 422, or 404 for its path."""
    wrong: list[object] = []
    for line in gzip.decompress(CORPUS.read_bytes()).splitlines():
        row = json.loads(line)
        for method, path in routes:
            answer = send(client, method, path, base64.b64decode(row["body_b64"]))
            allowed = {"reject": (400,), "accept": (400, 404, 422), "either": (400, 404, 422)}[row["expect"]]
            if (path, row["name"]) == ("/v1/plans", "y_object_empty.json"):
                assert answer.status_code in (200, 201)  # a plan of what differs at SES needs no field
                continue
            if answer.status_code not in allowed or answer.headers["content-type"] != PROBLEM:
                wrong.append((method, path, row["name"], answer.status_code, answer.text))
    assert wrong == []


#: Every number with a fraction that a body may have: its route, a body that is right but for the number, and the field.
FRACTIONS = [
    ("PATCH", "/v1/tenants/{tenant}/lanes/newsletter", {"because": "x"}, "rate"),
    ("POST", "/v1/holds", {"tenant": "{tenant}", "type": "newsletter", "because": "x"}, "until_seconds"),
    ("POST", "/v1/suppressions",
     {"tenant": "{tenant}", "address": "kim@example.com", "scope": "tenant", "because": "x"}, "until_seconds"),
    ("POST", "/v1/types",
     {"name": "x-{tenant}", "class": "urgent", "criticality": 1, "description": "x"}, "expiry_seconds"),
    ("POST", "/v1/types",
     {"name": "x-{tenant}", "class": "urgent", "criticality": 1, "description": "x"}, "grace_seconds"),
    ("PATCH", "/v1/types/newsletter", {}, "expiry_seconds"),
    ("PATCH", "/v1/types/newsletter", {}, "grace_seconds"),
]  # fmt: skip
NO_AMOUNTS = (0, -0.0, -1, 1e-320, 5e-324, 1e-39, 0.0009, 1e39, 1e300, -1e300, 2**63 - 1)


def fractions_of(described: Any) -> set[str]:
    """The names of all fields of bodies that are numbers with a fraction."""
    found: set[str] = set()
    schemas = described["components"]["schemas"]
    bodies = [
        one["requestBody"]
        for path in described["paths"].values()
        for one in path.values()
        if "requestBody" in one
    ]
    seen: set[str] = set()
    while bodies:
        for name in set(re.findall(r"#/components/schemas/(\w+)", json.dumps(bodies.pop()))) - seen:
            seen.add(name)
            bodies.append(schemas[name])
            for field, one in schemas[name].get("properties", {}).items():
                if '"number"' in json.dumps(one):
                    found.add(field)
    return found


def test_a_number_that_is_practically_zero_or_endless_is_refused_with_its_field(
    client: httpx.Client, described: Any
) -> None:
    fields = fractions_of(described)
    limits = {field for field in fields if field.endswith("_per_second")}
    assert fields - limits == {field for *_, field in FRACTIONS} | {
        "overlap_seconds",
        "pace",
    }  # which may be 0
    tenant = f"t{secrets.token_hex(4)}"
    made = {"slug": tenant, "types": {"newsletter": f"news.{tenant}.example"}}
    assert client.post("/v1/tenants", json=made).status_code == 201
    cases = [(*one, ()) for one in FRACTIONS]
    key = {"name": "x", "scopes": ["send"], "tenant": tenant}
    cases += [("POST", "/v1/keys", key, field, ("limits",)) for field in sorted(limits)]
    wrong: list[object] = []
    for method, path, body, field, within in cases:
        for number in NO_AMOUNTS:
            whole: Any = {**body, field: number} if not within else {**body, within[0]: {field: number}}
            text = json.dumps(whole).replace("{tenant}", tenant).encode()
            answer = send(client, method, path.replace("{tenant}", tenant), text)
            faults = [one["field"] for one in answer.json().get("errors", [])]
            if (answer.status_code, faults) != (422, [".".join((*within, field))]):
                wrong.append((method, path, field, number, answer.text))
    assert wrong == []


#: Values for a parameter of a path or a query, as they stand in the URL.
PARAMETERS = ("a%00b", "%FF", "%0D%0AX:%20y", "%2e%2e%2f", "%", "-1", "9" * 30, "NaN", "x" * 5000)


def test_no_parameter_of_a_path_or_query_causes_a_5xx(client: httpx.Client, described: Any) -> None:
    urls: list[tuple[str, str]] = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            for one in operation.get("parameters", []):
                for value in PARAMETERS:
                    if one["in"] == "path":
                        urls.append((method, path.replace("{" + one["name"] + "}", value)))
                    elif one["in"] == "query":
                        urls.append((method, f"{path}?{one['name']}={value}"))
    wrong: list[object] = []
    for method, url in urls:
        url = re.sub(r"\{\w+\}", "x", url)
        answer = client.request(method.upper(), url, content=b"{}" if method in ("post", "patch") else None)
        problem = answer.status_code == 200 or answer.headers.get("content-type") == PROBLEM
        if answer.status_code >= 500 or not problem:
            wrong.append((method, url[:200], answer.status_code, answer.text))
    assert wrong == []


@pytest.fixture(scope="module")
def operations(described: Any) -> list[Any]:
    found = schemathesis.openapi.from_dict(described).get_all_operations()
    return [one.ok() for one in found]  # pyright: ignore[reportAttributeAccessIssue]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_every_answer_is_one_that_openapi_describes(
    client: httpx.Client, operations: list[Any], data: st.DataObject
) -> None:
    """To requests that the document allows, and to requests that it does not allow."""
    operation = data.draw(st.sampled_from(operations))
    mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    case = data.draw(operation.as_strategy(generation_mode=mode))
    asked = case.as_transport_kwargs(base_url=str(client.base_url))
    answer = client.request(
        asked["method"],
        asked["url"],
        params=asked.get("params"),
        json=asked.get("json"),
        content=asked.get("data"),
        headers={"content-type": "application/json"},
    )
    case.validate_response(answer, checks=CHECKS)
