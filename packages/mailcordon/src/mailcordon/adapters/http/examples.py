"""Examples in the OpenAPI document: of each body that a route takes, and of each that it answers with.

They are made from the schemas, with values by the names of fields, so that no route lacks one and none is out of date. A request
shows what it must have, an answer every field. Values fit their schema (a test validates each); the answer is not that to the
request above it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

Schema = Mapping[str, Any]

_TIME = "2026-11-28T15:23:00Z"
_DEEPEST = 6  #: of schemas in schemas; what is deeper is left empty
#: Values by the name of a field, for texts that have no list of values.
_TEXTS: Mapping[str, str] = {
    "about": "database",
    "account": "123456789012",
    "act": "propose",
    "action": "cordon",
    "actor": "ana@platform.example",
    "address": "kim@example.com",
    "arn": "arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    "because": "complaints rising since 9:00",
    "by": "ana@platform.example",
    "caller": "role shop",
    "campaign": "spring-sale",
    "cause": "lane:12/list:bought",
    "cell": "default",
    "channel": "oncall",
    "class": "marketing",
    "code": "held",
    "command": "mailcordon incident show 12",
    "configuration_set": "mc-marketing",
    "content": "JVBERi0xLjcK",
    "content_type": "application/pdf",
    "culprit": "list bought of acme/newsletter",
    "currency": "USD",
    "default_type": "invoice",
    "delivery": "dlv_0r4tq2v6k7m8n",
    "description": "Invoices and receipts",
    "detail": "acme/newsletter: 31 hard bounces of 140 mails; at most 2.5 % is accepted.",
    "dialect": "jinja",
    "domain": "news.acme.example",
    "effect": "stops",
    "email": "kim@example.com",
    "event": "hard-bounce",
    "filename": "invoice.pdf",
    "form": "standard",
    "from": "hello@news.acme.example",
    "from_domain": "news.acme.example",
    "holder": "ana@platform.example",
    "host": "mail-1.internal.example",
    "html": "<p>Thank you.</p>",
    "identity": "news.acme.example",
    "ip": "192.0.2.10",
    "ip_pool": "bulk",
    "key": "mck_6wp44n8b_...",
    "kind": "rates",
    "lane": "acme/newsletter",
    "level": "cordon",
    "list": "bought",
    "mail_from": "bounce.news.acme.example",
    "measure": "hard-bounces",
    "message": "msg_0r4tq2v6k7m8n",
    "message_id": "<msg_0r4tq2v6k7m8n@mailcordon.example>",
    "mode": "enforce",
    "name": "bought",
    "next": "Ask the tenant where the addresses come from.",
    "organisation": "google.com",
    "owner": "person",
    "path": "isolated",
    "pool": "bulk",
    "prefix": "6wp44n8b",
    "provider": "gmail",
    "queue": "mailcordon-outcome",
    "reason": "complaints rising since 9:00",
    "region": "us-east-1",
    "role": "dispatch",
    "runbook": "docs/runbooks/rates.md",
    "scope": "lane",
    "secret": "whsec_...",
    "sentence": "Held by Ana (CLI) since 15:23 UTC: complaints rising [hold 5]",
    "ses_id": "0100019f3a7c1e2d-0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0-000000",
    "ses_tenant": "mc-a8dbpem98rpc",
    "severity": "high",
    "slug": "acme",
    "source": "breaker",
    "source_ip": "198.51.100.7",
    "state": "open",
    "subject": "Spring sale",
    "target": "acme/newsletter",
    "template": "invoice",
    "tenant": "acme",
    "text": "Thank you.",
    "tier": "trusted",
    "title": "Not Found",
    "to": "kim@example.com",
    "topic": "arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    "type": "newsletter",
    "types": "newsletter",
    "url": "https://hooks.acme.example/mail",
    "user_agent": "boto3",
    "value": "v=DMARC1; p=none",
    "verdict": "passes",
    "what": "opened",
    "who": "ana@platform.example",
    "why": "held",
}
#: Bodies that the names of their fields say too little about.
_WHOLE: Mapping[str, Any] = {
    "SendBody": {
        "type": "invoice",
        "from": "Acme <billing@mail.acme.example>",
        "to": ["Kim <kim@example.com>"],
        "subject": "Your invoice",
        "text": "It is attached.",
        "attachments": [{"filename": "invoice.pdf", "content": "JVBERi0xLjcK"}],
    },
    "Problem": {
        "type": "urn:mailcordon:problem:not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no tenant acme",
        "code": "not-found",
        "retryable": False,
        "errors": [],
    },
}


def add(document: dict[str, Any]) -> None:
    """Adds an example to each body of JSON that has none."""
    schemas = cast("dict[str, Schema]", document["components"]["schemas"])
    for path in document["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                _fill(operation["requestBody"], schemas, whole=False)
            for response in operation["responses"].values():
                _fill(response, schemas, whole=True)


def bodies(operation: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a route takes and answers as JSON: `request` or the status, and the media type's object."""
    parts = {"request": operation.get("requestBody", {}), **operation["responses"]}
    for name, part in parts.items():
        for media, body in part.get("content", {}).items():
            if media.endswith("json") and body.get("schema"):
                yield name, body


def _fill(part: dict[str, Any], schemas: Mapping[str, Schema], *, whole: bool) -> None:
    for media, body in part.get("content", {}).items():
        if media.endswith("json") and body.get("schema") and "example" not in body:
            body["example"] = _example(body["schema"], schemas, "", whole=whole, depth=0)


def _example(schema: Schema, schemas: Mapping[str, Schema], name: str, *, whole: bool, depth: int) -> Any:
    if "$ref" in schema:
        referred = str(schema["$ref"]).rpartition("/")[2]
        if referred in _WHOLE:
            return _WHOLE[referred]
        return _example(schemas[referred], schemas, name, whole=whole, depth=depth + 1)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return next((value for value in schema["enum"] if value is not None), None)
    for choice in ("oneOf", "anyOf", "allOf"):
        if choice in schema:
            options = cast("list[Schema]", schema[choice])
            first = next((one for one in options if one.get("type") != "null"), options[0])
            if depth > _DEEPEST and first is not options[-1]:
                return None
            # Texts are of the field that has the choice, bounds too.
            merged = {
                **first,
                **{key: schema[key] for key in ("format", "minimum", "maximum") if key in schema},
            }
            return _example(merged, schemas, name, whole=whole, depth=depth)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next(one for one in cast("list[str]", kind) if one != "null")
    if kind == "object" or "properties" in schema:
        return _object(schema, schemas, name, whole=whole, depth=depth)
    if kind == "array":
        if "prefixItems" in schema:
            return [
                _example(one, schemas, name, whole=whole, depth=depth + 1) for one in schema["prefixItems"]
            ]
        few = depth > _DEEPEST and not schema.get("minItems")
        return (
            [] if few else [_example(schema.get("items") or {}, schemas, name, whole=whole, depth=depth + 1)]
        )
    return _scalar(kind, schema, name)


def _object(
    schema: Schema, schemas: Mapping[str, Schema], name: str, *, whole: bool, depth: int
) -> dict[str, Any]:
    properties = cast("dict[str, Schema]", schema.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    # A body without anything that it must have shows the first thing that it may have.
    shown = (
        list(properties) if whole else [key for key in properties if key in required] or list(properties)[:1]
    )
    found = {key: _example(properties[key], schemas, key, whole=whole, depth=depth + 1) for key in shown}
    extra = schema.get("additionalProperties")
    if not found and isinstance(extra, dict):
        found["newsletter"] = _example(cast(Schema, extra), schemas, name, whole=whole, depth=depth + 1)
    return found


def _scalar(kind: object, schema: Schema, name: str) -> Any:
    match kind:
        case "boolean":
            return True
        case "integer" | "number":
            least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            most = schema.get("maximum", 12)
            value = min(max(12, least), most)
            return int(value) if kind == "integer" else value
        case "string":
            if (
                schema.get("format") == "date-time"
                or name.endswith("_at")
                or name in ("since", "until", "at")
            ):
                return _TIME
            if schema.get("format") == "date" or name == "day":
                return _TIME[:10]
            if name.endswith("_by"):
                return _TEXTS["by"]
            if name.endswith("_because"):
                return _TEXTS["because"]
            return _TEXTS.get(name, name.replace("_", "-") or "text")
        case _:
            return None if kind == "null" else {}
