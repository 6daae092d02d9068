"""The API's one ASGI application: POST /v1/messages goes straight to its endpoint, everything else through Litestar.

Routes come from the planes' files and are put together by `app/`; here they get their keys checked, their errors turned into
problem+json, and their description at /openapi.json (OpenAPI 3.1), the hot route's included.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from litestar import Litestar, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import Receive, Scope, Send

from mailcordon.adapters.http import messages, problems
from mailcordon.adapters.http.auth import before_request
from mailcordon.adapters.http.messages import MessageEndpoint
from mailcordon.control.key_cache import KeyCache

MAX_BODY = 1024 * 1024  #: bytes, of every request but POST /v1/messages


class Health(msgspec.Struct):
    """Whether this process can do its work."""

    ok: bool
    database: str  #: `ok`, or what is wrong with it
    oldest_snapshot_seconds: float | None  #: one open old snapshot makes the queue several times dearer


HealthCheck = Callable[[], Awaitable[Health]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def build(
    endpoint: MessageEndpoint,
    keys: KeyCache,
    handlers: Sequence[HTTPRouteHandler],
    health: HealthCheck,
    version: str,
) -> App:
    rest = _rest(keys, [*messages.routes(endpoint), *handlers], health, version)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == messages.PATH:
            await endpoint(scope, receive, send)
        else:
            await rest(scope, receive, send)

    return app


def _rest(keys: KeyCache, handlers: Sequence[HTTPRouteHandler], check: HealthCheck, version: str) -> Litestar:
    @get("/v1/health", opt={"open": True}, summary="Whether this process can do its work", tags=["system"])
    async def health() -> Response[Health]:
        found = await check()
        return Response(found, status_code=200 if found.ok else 503)

    @get("/openapi.json", opt={"open": True}, include_in_schema=False)
    async def openapi() -> Response[bytes]:
        return Response(_described(rest), media_type="application/json")

    rest = Litestar(
        route_handlers=[*handlers, health, openapi],
        before_request=before_request(keys),
        exception_handlers={Exception: problems.handle},
        request_max_body_size=MAX_BODY,
        logging_config=None,  # Litestar would replace the process's log handlers
        openapi_config=OpenAPIConfig(
            title="Mailcordon",
            version=version,
            description="The one governed way out for a platform's e-mail. Errors are problem+json (RFC 9457).",
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


def _described(rest: Litestar) -> bytes:
    schema = rest.openapi_schema.to_schema()
    (body, answer, problem), parts = msgspec.json.schema_components(
        [messages.SendBody, messages.Answer, problems.Problem], ref_template="#/components/schemas/{name}"
    )
    components: dict[str, Any] = schema.setdefault("components", {})
    components.setdefault("schemas", {}).update(parts)
    faults = {
        str(status): {
            "description": words,
            "content": {problems.MEDIA_TYPE: {"schema": problem}},
        }
        for status, words in (
            (400, "The body is not JSON"),
            (401, "No key, or none that is good"),
            (403, "The key may not do this"),
            (409, "The Idempotency-Key was used with another body"),
            (413, "Too large"),
            (422, "A member cannot be accepted; `errors` names each"),
            (429, "The lane's backlog is at its bound"),
            (503, "Nothing was confirmed; try again"),
        )
    }
    schema["paths"].setdefault(messages.PATH, {})["post"] = {
        "summary": "Send a message: durable when answered, one delivery to each recipient",
        "operationId": "PostMessage",
        "tags": ["messages"],
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "maxLength": 255},
                "description": "Same key and body within 24 h: the same message. Another body: 409.",
            }
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "202": {"description": "Stored durably", "content": {"application/json": {"schema": answer}}},
            **faults,
        },
    }
    for path in schema["paths"].values():
        for operation in path.values():
            operation["responses"].setdefault(
                "default", {"description": "A problem", "content": {problems.MEDIA_TYPE: {"schema": problem}}}
            )
    return msgspec.json.encode(schema)
