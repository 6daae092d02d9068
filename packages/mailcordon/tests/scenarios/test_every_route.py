"""Every route of openapi.json on a running system: whatever its body and parameters are, it answers, and never with a 5xx."""

import base64
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailcordon_fixtures.bodies import FAULTY_JSON
from mailcordon_fixtures.systems import System

PROBLEM = "application/problem+json"
CORPUS = (
    Path(os.environ.get("MAILCORDON_SHARED") or "/nonexistent") / "data/robustness/jsontestsuite.jsonl.gz"
)


@pytest.fixture(scope="module")
def client(system: System) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {system.key}"}
    with httpx.Client(base_url=system.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def described(client: httpx.Client) -> Any:
    return client.get("/openapi.json").json()


@pytest.fixture(scope="module")
def routes(described: Any) -> list[tuple[str, str]]:
    """Method and path of all routes that take a body, with `x` for each parameter of the path."""
    found = [
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation
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
        size = 25 << 20 if path == "/v1/messages" else 2 << 20
        answer = send(client, method, path, b" " * size)
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large"), path


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
            if answer.status_code not in allowed or answer.headers["content-type"] != PROBLEM:
                wrong.append((method, path, row["name"], answer.status_code, answer.text))
    assert wrong == []
