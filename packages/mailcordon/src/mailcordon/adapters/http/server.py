"""The API's ASGI application: POST /v1/messages goes straight to its endpoint, everything else through Litestar.

The routes come from `app/api.py`. Here keys are checked, errors become problem+json, and /openapi.json (OpenAPI 3.1) describes
all routes, POST /v1/messages included.
"""

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import msgspec
from litestar import Litestar, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import Receive, Scope, Send

from mailcordon.adapters.http import (
    event_doors,
    event_doors_api,
    examples,
    message_batch,
    message_body,
    message_endpoint,
    message_shapes,
    messages,
    problems,
    read_turns,
    shapes,
)
from mailcordon.adapters.http import unsubscribe as unsubscribe_links
from mailcordon.adapters.http.auth import before_request
from mailcordon.adapters.http.event_doors import EventDoors
from mailcordon.adapters.http.json_body import JSONRequest
from mailcordon.adapters.http.message_batch import BatchAccepted, BatchBody, BatchEndpoint
from mailcordon.adapters.http.message_endpoint import App, MessageEndpoint
from mailcordon.adapters.http.ses_door.endpoint import SesDoor, is_path
from mailcordon.control.key_cache import KeyCache

_READS = ("GET", "HEAD")


class Health(msgspec.Struct):
    """Whether this process can work."""

    ok: bool
    database: str  #: `ok`, or the problem
    oldest_snapshot_seconds: float | None  #: one old open snapshot makes the queue several times slower


HealthCheck = Callable[[], Awaitable[Health]]


def build(
    endpoint: MessageEndpoint,
    keys: KeyCache,
    handlers: Sequence[HTTPRouteHandler],
    health: HealthCheck,
    version: str,
    events: EventDoors | None = None,
    ses: SesDoor | None = None,
    unsubscribe: App | None = None,
) -> App:
    """`events` takes what is pushed to its paths, `ses` what is sent in SES's words, `unsubscribe` the links in mail; without
    them these paths are unknown."""
    batch = BatchEndpoint(endpoint)
    rest = read_turns.in_turn(
        cast(
            App,
            _rest(keys, every_route(endpoint, handlers), health, version, doors=events is not None),
        ),
        keys,
        endpoint.reads,
        endpoint.buckets,
        problems.most_body,
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and scope["path"] == message_endpoint.PATH
            and scope["method"] not in _READS
        ):
            await endpoint(scope, receive, send)
        elif (
            scope["type"] == "http" and scope["path"] == message_batch.PATH and scope["method"] not in _READS
        ):
            await batch(scope, receive, send)
        elif events is not None and scope["type"] == "http" and scope["path"] in event_doors.PATHS:
            await events(scope, receive, send)
        elif ses is not None and scope["type"] == "http" and is_path(scope["raw_path"], scope["method"]):
            await ses(scope, receive, send)
        elif (
            unsubscribe is not None
            and scope["type"] == "http"
            and scope["path"].startswith(unsubscribe_links.PATH)
        ):
            await unsubscribe(scope, receive, send)
        else:
            await rest(scope, receive, send)

    return app


def every_route(endpoint: MessageEndpoint, handlers: Sequence[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """`handlers`, with those of messages. What takes mail is not among them: that is `endpoint` itself."""
    return [*messages.routes(endpoint), *handlers]


def _rest(
    keys: KeyCache, handlers: Sequence[HTTPRouteHandler], check: HealthCheck, version: str, *, doors: bool
) -> Litestar:
    @get("/v1/health", opt={"open": True}, summary="Show whether this process can work", tags=["system"])
    async def health() -> Response[Health]:
        found = await check()
        return Response(found, status_code=200 if found.ok else 503)

    @get("/openapi.json", opt={"open": True}, include_in_schema=False)
    async def openapi() -> Response[bytes]:
        return Response(description(), media_type="application/json")

    @functools.cache  # anybody may ask for it
    def description() -> bytes:
        return _described(rest, doors=doors)

    rest = application(
        keys,
        [*handlers, health, openapi],
        OpenAPIConfig(
            title="Mailcordon",
            version=version,
            description="Sends the e-mail of a platform's tenants through Amazon SES. Errors are problem+json (RFC 9457).",
            security=[{"key": []}],
            components=Components(
                security_schemes={
                    "key": SecurityScheme(type="http", scheme="bearer", description="`mck_...`")
                }
            ),
            path="/openapi",
            render_plugins=[],
        ),
    )
    return rest


def application(
    keys: KeyCache, handlers: Sequence[HTTPRouteHandler], openapi: OpenAPIConfig | None = None
) -> Litestar:
    """The routes, with what they have in common: how keys are checked, how bodies are read, and how errors are answered."""
    return Litestar(
        route_handlers=handlers,
        before_request=before_request(keys),
        request_class=JSONRequest,
        exception_handlers={Exception: problems.handle},
        request_max_body_size=problems.MAX_BODY,
        logging_config=None,  # Litestar would replace the process's log handlers
        openapi_config=openapi,
    )


def _described(rest: Litestar, *, doors: bool) -> bytes:
    schema = rest.openapi_schema.to_schema()
    (body, accepted, problem, messages, results), parts = msgspec.json.schema_components(
        [
            message_body.SendBody,
            message_shapes.MessageAccepted,
            problems.Problem,
            BatchBody,
            BatchAccepted,
        ],
        ref_template="#/components/schemas/{name}",
    )
    components: dict[str, Any] = schema.setdefault("components", {})
    components.setdefault("schemas", {}).update(parts)
    faults = {
        str(status): {
            "description": words,
            "content": {problems.MEDIA_TYPE: {"schema": problem}},
        }
        for status, words in (
            (400, "The body is not JSON, or a header came twice"),
            (401, "The key is missing, unknown, expired or revoked"),
            (403, "The key may not do this"),
            (409, "The Idempotency-Key was used with a different body"),
            (413, "The body is too large"),
            (422, "A field cannot be accepted; `errors` lists each"),
            (429, "The lane's backlog is full"),
            (503, "Not confirmed; retry with the same Idempotency-Key"),
        )
    }
    schema["paths"].setdefault(message_endpoint.PATH, {})["post"] = {
        "summary": "Send a message: stored durably, with one delivery to each recipient",
        "operationId": "PostMessage",
        "tags": ["messages"],
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "maxLength": 255},
                "description": "The same key and body within 24 h return the same message; a different body gets 409.",
            }
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "202": {"description": "Stored durably", "content": {"application/json": {"schema": accepted}}},
            **faults,
        },
    }
    schema["paths"].setdefault(message_batch.PATH, {})["post"] = {
        "summary": "Send up to 1,000 messages, each answered as if it had come alone",
        "operationId": "PostMessageBatch",
        "tags": ["messages"],
        "requestBody": {"required": True, "content": {"application/json": {"schema": messages}}},
        "responses": {
            "200": {
                "description": "A result for each message, in their order",
                "content": {"application/json": {"schema": results}},
            },
            **{status: words for status, words in faults.items() if status != "409"},
        },
    }
    _mark_times(components)
    described: dict[str, Any] = {}
    if doors:
        event_doors_api.describe(described, components, problem)
    for path in schema["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                operation["responses"]["400"] = faults["400"]
            else:
                operation["responses"].pop("400", None)  # Litestar's own, in another form
            operation["responses"].setdefault(
                "default", {"description": "A problem", "content": {problems.MEDIA_TYPE: {"schema": problem}}}
            )
    schema["paths"].update(described)
    examples.add(schema)
    return msgspec.json.encode(schema)


def description(handlers: Sequence[HTTPRouteHandler], version: str) -> bytes:
    """What /openapi.json says of these routes and of the doors for mail and events, without a process that serves them."""

    async def unasked() -> Health:
        raise NotImplementedError

    return _described(_rest(cast(KeyCache, None), handlers, unasked, version, doors=True), doors=True)


def _mark_times(node: Any) -> None:
    """Adds the format that Litestar leaves out to each field of the type shapes.Time."""
    if isinstance(node, dict):
        schema = cast("dict[str, Any]", node)
        if schema.get("description") == shapes.TIME:
            schema["format"] = "date-time"
        node = list(schema.values())
    if isinstance(node, list):
        for each in cast("list[Any]", node):
            _mark_times(each)
