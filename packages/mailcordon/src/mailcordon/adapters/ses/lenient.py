"""The second pass over a document with a member of an odd type: a number as status, a list as diagnostic code, a number as time.

What an event is and whose it is stays strict: the type of the event, the mail's id and our tags must be as SES writes them. All
else only describes it, and becomes text or is left out, so that no bounce or complaint is lost to it. None of this decides
whether a document comes from SES.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import msgspec

from mailcordon.adapters.ses.event_document import (
    Bounce,
    Complaint,
    Delay,
    Delivery,
    Document,
    Engagement,
    Mail,
    Recipient,
    Reject,
    RenderingFailure,
    SnsMessage,
    Stamped,
)
from mailcordon.core.tags import SIGNED

LONGEST_TEXT = 2000  #: characters of a member that is not text

_STRICT = ("eventType", "notificationType")
_TIMES = ("timestamp", "expirationTime", "arrivalDate")
_MEMBERS: Mapping[str, type[msgspec.Struct]] = {
    "bounce": Bounce,
    "complaint": Complaint,
    "delivery": Delivery,
    "deliveryDelay": Delay,
    "reject": Reject,
    "failure": RenderingFailure,
    "open": Engagement,
    "click": Engagement,
    "subscription": Stamped,
}
_RECIPIENTS = ("bouncedRecipients", "complainedRecipients", "delayedRecipients")
_MILLISECONDS_FROM = 1e11  #: a larger number is a time in milliseconds, a smaller one in seconds

Made = TypeVar("Made", bound=msgspec.Struct)


def read(body: str | bytes) -> Document | None:
    """The document with what can be read of it. None: it is no JSON object, or its type or tags are odd."""
    text = body if isinstance(body, str) else body.decode(errors="replace")
    try:
        # The standard library's reader also takes control characters and halves of surrogate pairs in texts.
        whole = json.loads(text.lstrip("\ufeff"), strict=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(whole, dict):
        return None
    found = cast("dict[str, Any]", whole)
    for name in (*_STRICT, "detail-type"):
        if not isinstance(found.get(name), str | None):
            return None
    values: dict[str, Any] = {
        name: _storable(found[name])
        for name in (*SnsMessage.__struct_fields__, *_STRICT)
        if _is_text(found.get(name))
    }
    mail = found.get("mail")
    if isinstance(mail, dict):
        values["mail"] = _mail(cast("dict[str, Any]", mail))
        if values["mail"] is None:
            return None
    for name, kind in _MEMBERS.items():
        member = _first_object(found.get(name))
        if member is not None:
            values[name] = _made(kind, member)
    if _is_text(found.get("detail-type")):
        values["detail_type"] = _storable(found["detail-type"])
        values["detail"] = msgspec.Raw(json.dumps(found.get("detail")).encode())
        values["resources"] = _texts(found.get("resources"))
    return Document(**values)


def _mail(found: Mapping[str, Any]) -> Mail | None:
    """None if its tags are not as SES writes them."""
    id, tags = found.get("messageId"), _tags(found.get("tags"))
    if tags is _ODD_TAGS:
        return None
    return Mail(
        timestamp=_time(found.get("timestamp")),
        messageId=_storable(id) if isinstance(id, str) else None,
        source=_text(found.get("source")),
        destination=_texts(found.get("destination")),
        tags=tags,
    )


_Tags = dict[str, list[str] | None]
_ODD_TAGS: _Tags = {}


def _tags(found: object) -> _Tags | None:
    """A tag that is no list of texts is left out, if ours are all there: they are signed."""
    if found is None:
        return None
    if not isinstance(found, dict):
        return _ODD_TAGS
    kept: _Tags = {}
    given = cast("dict[str, object]", found)
    for name, values in given.items():
        if values is None or _are_texts(values):
            kept[_storable(name)] = (
                None if values is None else [_storable(value) for value in cast("list[str]", values)]
            )
    if len(kept) < len(given) and not all(kept.get(name) for name in SIGNED):
        return _ODD_TAGS
    return kept


def _made(kind: type[Made], found: Mapping[str, Any]) -> Made:
    values: dict[str, Any] = {}
    for name in kind.__struct_fields__:
        value = found.get(name)
        if name in _RECIPIENTS:
            values[name] = _recipients(value)
        elif name == "recipients":
            values[name] = _texts(value)
        else:
            values[name] = _time(value) if name in _TIMES else _text(value)
    return kind(**values)


def _recipients(value: object) -> list[Recipient]:
    return [
        _made(Recipient, cast("dict[str, Any]", one))
        if isinstance(one, dict)
        else Recipient(emailAddress=_text(one))
        for one in _list(value)
    ]


def _first_object(value: object) -> dict[str, Any] | None:
    return next((cast("dict[str, Any]", one) for one in _list(value) if isinstance(one, dict)), None)


def _texts(value: object) -> list[str]:
    return [_storable(one) for one in _list(value) if isinstance(one, str)]


def _list(value: object) -> Sequence[object]:
    if value is None:
        return []
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return _storable(value)
    if _are_texts(value):
        return _storable("; ".join(cast("list[str]", value)))[:LONGEST_TEXT]
    return _storable(json.dumps(value, ensure_ascii=False))[:LONGEST_TEXT]


def _time(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _text(value)
    try:
        seconds = value / 1000 if abs(value) > _MILLISECONDS_FROM else float(value)
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(_is_text(one) for one in cast("list[object]", value))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _storable(text: str) -> str:
    return text.encode(errors="replace").decode()
