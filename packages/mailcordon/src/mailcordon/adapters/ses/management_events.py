"""Decodes SES's management events: a CloudTrail record, or news about a tenant, in EventBridge's envelope, perhaps inside SNS's
(ses.md 1.8, 4.6); or, from a trail that logs data events, a call that sent mail (sent_calls.py).

Nothing proves such an event, and none is needed: it only makes a resource looked at. A record is read as far as it goes; a member
of another type counts as absent.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from mailcordon.adapters.ses import sent_calls
from mailcordon.control.hints import Call, Caller
from mailcordon.core.ungoverned import SentCall

DETAIL_TYPE = "AWS API Call via CloudTrail"
SOURCE = "ses.amazonaws.com"
#: What SES itself reports of tenants: the ARN is in `resources`. "Closed" is the older name of "Resolved" (ses.md 1.8).
ABOUT_TENANTS = frozenset(
    {
        "Sending Status Enabled",
        "Sending Status Disabled",
        "Advisor Recommendation Status Open",
        "Advisor Recommendation Status Resolved",
        "Advisor Recommendation Status Closed",
    }
)

_LONGEST_EVENT = 100  #: characters; SES's longest operation has 51
_LONGEST_TEXT = 512
_DEEPEST = 4  #: levels of parameters whose names are read


def decode(body: str, region: str) -> Call | SentCall | None:
    """None: it is no event of SES in this region about a call or a tenant. Never raises."""
    envelope = _object(body)
    if envelope is not None and envelope.get("Type") == "Notification":
        envelope = _object(envelope.get("Message"))
    if envelope is None:
        return None
    if envelope.get("detail-type") in ABOUT_TENANTS:
        return _about_tenant(envelope, region)
    if envelope.get("detail-type") != DETAIL_TYPE:
        return None
    record = _mapping(envelope.get("detail"))
    event = _text(record.get("eventName"), _LONGEST_EVENT)
    if not event or record.get("eventSource") != SOURCE or record.get("awsRegion") not in (None, region):
        return None
    if sent_calls.is_one(record):
        return sent_calls.read(record)
    who = _mapping(record.get("userIdentity"))
    return Call(
        event=event,
        by=Caller(
            arn=_text(who.get("arn")) or _text(who.get("invokedBy")),
            access_key=_text(who.get("accessKeyId")),
            source_ip=_text(record.get("sourceIPAddress")),
            user_agent=_text(record.get("userAgent")),
        ),
        at=_time(record.get("eventTime")) or _time(envelope.get("time")),
        parameters=_lowered(_mapping(record.get("requestParameters")), _DEEPEST),
        read_only=record.get("readOnly") in (True, "true"),
        error=_text(record.get("errorCode")),
    )


def _about_tenant(envelope: Mapping[str, Any], region: str) -> Call | None:
    """Advice about the account or an identity has the same types; its ARN is no tenant's, so that it causes no look."""
    if envelope.get("source") != "aws.ses" or envelope.get("region") not in (None, region):
        return None
    resources = envelope.get("resources")
    first = cast("list[Any]", resources)[0] if isinstance(resources, list) and resources else None
    arn = _text(first)
    return Call(
        event=cast(str, envelope["detail-type"]),
        by=Caller(),
        at=_time(envelope.get("time")),
        parameters={} if arn is None else {"reputationentityreference": arn},
        says_who=False,
    )


def _object(text: object) -> Mapping[str, Any] | None:
    if not isinstance(text, str):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: object, longest: int = _LONGEST_TEXT) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    # PostgreSQL stores neither NUL nor halves of surrogate pairs.
    return value.replace("\0", "").encode(errors="replace").decode()[:longest]


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _lowered(members: Mapping[str, Any], levels: int) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for name, value in members.items():
        if isinstance(value, dict):
            if levels > 1:
                found[name.lower()] = _lowered(cast("dict[str, Any]", value), levels - 1)
        elif (text := _text(value)) is not None:
            found[name.lower()] = text
    return found
