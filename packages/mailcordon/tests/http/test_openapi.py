"""The OpenAPI document: each route says what it does, each body has an example that its schema takes; the page has them all."""

import datetime
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from mailcordon.adapters.http import examples, reference

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "routes.md"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return reference.document()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, found in document["paths"].items():
        for method, operation in found.items():
            yield f"{method.upper()} {path}", operation


def faults(document: dict[str, Any]) -> Iterator[str]:
    """Many routes have the same bodies, and each is looked at once."""
    registry = jsonschema_rs.Registry([("urn:routes", {"components": document["components"]})])
    seen: set[str] = set()
    for name, operation in operations(document):
        for part, body in examples.bodies(operation):
            if "example" not in body:
                yield f"{name} {part}: no example"
                continue
            text = json.dumps(body["schema"]).replace('"#/components', '"urn:routes#/components')
            if (once := text + json.dumps(body["example"])) in seen:
                continue
            seen.add(once)
            try:
                jsonschema_rs.validator_for(json.loads(text), registry=registry).validate(body["example"])
            except jsonschema_rs.ValidationError as error:
                yield f"{name} {part}: {error.message}"


def test_it_is_openapi_3_1_with_all_routes(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    names = [name for name, _ in operations(document)]
    assert len(names) > 200
    assert {"POST /v1/messages", "POST /v1/messages/batch", "POST /v1/events/sns", "GET /v1/health"} <= set(
        names
    )


def test_each_route_says_what_it_does_in_a_few_words(document: dict[str, Any]) -> None:
    summaries = {name: operation.get("summary", "") for name, operation in operations(document)}
    assert {
        name: words for name, words in summaries.items() if not re.fullmatch(r"[A-Z].{6,140}[^.\s]", words)
    } == {}


def test_each_body_has_an_example_that_its_schema_takes(document: dict[str, Any]) -> None:
    assert list(faults(document)) == []
    assert sum(1 for _, operation in operations(document) for _ in examples.bodies(operation)) > 400


def test_a_wrong_example_would_be_found(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/holds"]["get"]
    [page] = [body for part, body in examples.bodies(operation) if part == "200"]
    right = page["example"]
    try:
        page["example"] = {"items": [{"id": "not a number"}], "next": None}
        assert [fault.split(":")[0] for fault in faults(document)] == ["GET /v1/holds 200"]
        del page["example"]
        assert list(faults(document)) == ["GET /v1/holds 200: no example"]
    finally:
        page["example"] = right


def test_times_in_examples_are_times(document: dict[str, Any]) -> None:
    def times(value: Any, key: str = "") -> Iterator[str]:
        if isinstance(value, dict):
            for name, each in value.items():
                yield from times(each, name)
        elif isinstance(value, list):
            for each in value:
                yield from times(each, key)
        elif isinstance(value, str) and key.endswith("_at"):
            yield value

    found = {
        one
        for _, operation in operations(document)
        for _, body in examples.bodies(operation)
        for one in times(body["example"])
    }
    assert found
    assert {datetime.datetime.fromisoformat(one).tzinfo for one in found} == {datetime.UTC}


def test_the_page_shows_the_routes_as_they_are() -> None:
    assert PAGE.read_text() == reference.page(), "run `./dev messages`"
