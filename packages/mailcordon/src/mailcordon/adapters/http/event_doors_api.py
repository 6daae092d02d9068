"""What /openapi.json says of the doors for events (event_doors.py), which are no routes of Litestar's."""

from typing import Any

import msgspec

from mailcordon.adapters.http import event_doors, problems
from mailcordon.adapters.http.event_doors import FirehoseAnswer
from mailcordon.adapters.http.problems import FIREHOSE_PATH, SNS_PATH

Schema = dict[str, Any]
_OBJECT: Schema = {"type": "object"}
_TAGS = ["events"]


def describe(paths: Schema, components: Schema, problem: Schema) -> None:
    """Adds the doors. `problem`: the schema of an error."""
    (answer,), parts = msgspec.json.schema_components(
        [FirehoseAnswer], ref_template="#/components/schemas/{name}"
    )
    components.setdefault("schemas", {}).update(parts)
    paths[SNS_PATH] = {
        "post": {
            "summary": "Take a message of SNS; its signature is the proof",
            "operationId": "PostSnsMessage",
            "tags": _TAGS,
            "security": [],
            "requestBody": _body("text/plain", {"type": "string"}),
            "responses": {
                "200": _stored(),
                **_problems(
                    problem,
                    {
                        400: "The body is cut off",
                        403: "Nothing proves that SNS sent it, its topic is not ours, or it is too old",
                        413: "The body is too large",
                        503: "Not stored: SNS sends it again",
                    },
                ),
            },
        }
    }
    paths[event_doors.EVENT_BRIDGE_PATH] = {
        "post": {
            "summary": "Take an event of EventBridge, from an API destination",
            "operationId": "PostEventBridgeEvent",
            "tags": _TAGS,
            "requestBody": _body("application/json", _OBJECT),
            "responses": {
                "200": _stored(),
                **_problems(
                    problem,
                    {
                        400: "The body is no event of EventBridge",
                        401: "The key is missing, unknown, expired or revoked",
                        403: "The key lacks the scope events, or belongs to a tenant",
                        413: "The body is too large",
                        503: "Not stored: EventBridge sends it again",
                    },
                ),
            },
        }
    }
    said = {"application/json": {"schema": answer}}
    paths[FIREHOSE_PATH] = {
        "post": {
            "summary": "Take a batch of Firehose; every answer has Firehose's form",
            "operationId": "PostFirehoseBatch",
            "tags": _TAGS,
            "security": [{"firehose": []}, {"key": []}],
            "requestBody": _body("application/json", _OBJECT),
            "responses": {
                "200": {"description": "Stored durably", "content": said},
                "default": {"description": "Not stored: errorMessage says why", "content": said},
            },
        }
    }
    components.setdefault("securitySchemes", {})["firehose"] = {
        "type": "apiKey",
        "in": "header",
        "name": "X-Amz-Firehose-Access-Key",
        "description": "`mck_...`, a key with the scope `events`",
    }


def _body(media_type: str, schema: Schema) -> Schema:
    return {"required": True, "content": {media_type: {"schema": schema}}}


def _stored() -> Schema:
    return {"description": "Stored durably", "content": {"application/json": {"schema": _OBJECT}}}


def _problems(problem: Schema, words: dict[int, str]) -> Schema:
    content = {problems.MEDIA_TYPE: {"schema": problem}}
    return {str(status): {"description": text, "content": content} for status, text in words.items()}
