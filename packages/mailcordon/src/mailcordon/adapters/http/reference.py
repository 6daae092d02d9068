"""docs/reference/routes.md: every route with what it takes and answers, from the OpenAPI document that /openapi.json serves.

The document is made here without a database: handlers hold on to their services, and describing a route calls none of them.
"""

import functools
import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any, cast

import mailcordon
from mailcordon.adapters import http
from mailcordon.adapters.http import examples, server


class _Unused:
    """Stands for a service that is not called."""

    def __getattr__(self, name: str) -> "_Unused":
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())


@functools.cache
def document() -> dict[str, Any]:
    """As a role with all doors serves it."""
    found: dict[tuple[str, ...], Any] = {}
    for module in pkgutil.iter_modules(http.__path__):
        routes = getattr(importlib.import_module(f"{http.__name__}.{module.name}"), "routes", None)
        if not inspect.isfunction(routes):
            continue
        parameters = inspect.signature(routes).parameters.values()
        by_place = [_Unused() for one in parameters if one.kind is not one.KEYWORD_ONLY]
        by_name = {one.name: _Unused() for one in parameters if one.kind is one.KEYWORD_ONLY}
        for handler in routes(*by_place, **by_name):
            # Some of these functions return the routes of others too.
            found.setdefault((*sorted(handler.paths), *sorted(handler.http_methods)), handler)
    return json.loads(server.description(list(found.values()), mailcordon.__version__))


def page() -> str:
    """docs/reference/routes.md."""
    described = document()
    lines = [
        "# Routes",
        "",
        "Every route of the REST API, from the OpenAPI 3.1 document that `GET /openapi.json` serves. `./dev messages` writes",
        "this page; a test fails when page and routes differ. Keys go into `Authorization: Bearer mck_...` ([keys](../keys.md)).",
        "",
        "Examples are made from the schemas: a request shows what it must have, an answer every field with its form. They do not",
        "belong together. Errors of all routes are [problem+json](errors.md). Times are UTC.",
    ]
    tags: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            tags.setdefault(next(iter(operation.get("tags", ["other"]))), []).append(
                (path, method, operation)
            )
    for tag, routes in sorted(tags.items()):
        lines += ["", f"## {tag}"]
        for path, method, operation in sorted(routes, key=lambda one: one[:2]):
            lines += _route(method.upper(), path, operation)
    return "\n".join(lines) + "\n"


def _route(method: str, path: str, operation: Mapping[str, Any]) -> list[str]:
    lines = ["", f"### {method} {path}", "", f"{operation['summary']}."]
    if description := operation.get("description"):
        lines += ["", " ".join(str(description).split())]
    parameters = cast("list[dict[str, Any]]", operation.get("parameters", []))
    if parameters:
        lines += ["", "| parameter | in | what |", "| --- | --- | --- |"]
        lines += [f"| `{one['name']}` | {one['in']} | {_cell(one)} |" for one in parameters]
    for name, body in examples.bodies(operation):
        if name == "default" or (name.isdigit() and int(name) >= 400):
            continue
        lines += ["", "Takes:" if name == "request" else f"Answers {name}:", "", "```json"]
        lines += [*json.dumps(body["example"], indent=2, ensure_ascii=False).splitlines(), "```"]
    return lines


def _cell(parameter: Mapping[str, Any]) -> str:
    schema = cast("dict[str, Any]", parameter.get("schema", {}))
    words = [str(parameter.get("description") or schema.get("description") or "").replace("|", "\\|")]
    options = [schema, *cast("list[dict[str, Any]]", schema.get("oneOf", []))]
    values = [str(value) for one in options for value in one.get("enum", ()) if value is not None]
    if values:
        words.append("One of " + ", ".join(f"`{value}`" for value in values) + ".")
    if schema.get("default") is not None:
        words.append(f"Default: {schema['default']}.")
    return (
        " ".join(" ".join(words).split()) or "required"
        if parameter.get("required")
        else " ".join(" ".join(words).split())
    )
