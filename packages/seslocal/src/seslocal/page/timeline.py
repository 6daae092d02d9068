"""The events of one mail, in the order in which they happened, with what each says and its whole document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any, Final

import msgspec

from seslocal.page import labels, messages
from seslocal.state.event_log import Document, Entry

MOST: Final = 50  #: events shown of one mail
_MOST_CHIPS: Final = 12
_MOST_JSON: Final = 64 * 1024  # characters of a document that are shown
_MOST_RECIPIENTS: Final = 50
_COLOURS: Final = {
    "Delivery": "good", "Open": "good", "Click": "good", "Bounce": "bad", "Complaint": "bad", "Reject": "bad",
    "Rendering Failure": "bad", "DeliveryDelay": "slow",
}  # fmt: skip
_NAMES: Final = {"DeliveryDelay": "Delivery delay"}
Rows = list[tuple[str, str]]


def chips(events: Sequence[Entry], now: float) -> str:
    """The types and times of the first events, in one line."""
    shown = "".join(
        f"<span>{escape(_name(event))} <small>{labels.time(at, now)}</small></span>"
        for event, _, at, _ in events[:_MOST_CHIPS]
    )
    more = f"<span>and {len(events) - _MOST_CHIPS} more</span>" if len(events) > _MOST_CHIPS else ""
    return f'<span class="events">{shown}{more}</span>' if events else ""


def timeline(events: Sequence[Entry], now: float) -> str:
    if not events:
        return f'<p class="plain">{messages.NO_EVENTS}</p>'
    rows = "".join(_event(entry, now) for entry in events[:MOST])
    more = f'<p class="plain">{messages.more_events(len(events) - MOST)}</p>' if len(events) > MOST else ""
    return f'<ol class="timeline">{rows}</ol>{more}'


def _event(entry: Entry, now: float) -> str:
    event, _, at, build = entry
    document = build()
    try:
        text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    except ValueError:  # half a surrogate pair, which JSON in UTF-8 cannot have
        text = messages.EVENT_WITHOUT_JSON
    if len(text) > _MOST_JSON:
        text = text[:_MOST_JSON] + " …"
    says = _SAYS.get(event)
    rows = labels.facts(says(document) if says else ())
    return (
        f"<li>{labels.badge(_COLOURS.get(event, 'off'), _name(event))} {labels.time(at, now)}{rows}"
        f"<details><summary>JSON</summary><pre>{escape(text)}</pre></details></li>"
    )


def _name(event: str) -> str:
    return _NAMES.get(event, event)


def _delivery(document: Document) -> Rows:
    body = document["delivery"]
    return [
        ("Recipients", _addresses(body["recipients"])),
        ("Response", escape(body["smtpResponse"])),
        ("Server", escape(f"{body['reportingMTA']} to {body['remoteMtaIp']}")),
        ("Took", f"{body['processingTimeMillis'] / 1000:,.3f} s"),
    ]


def _bounce(document: Document) -> Rows:
    body = document["bounce"]
    return [
        ("Type", escape(f"{body['bounceType']} · {body['bounceSubType']}")),
        ("Recipients", _diagnosed(body["bouncedRecipients"])),
        (
            "Server",
            escape(
                " at ".join(
                    filter(
                        None,
                        ((body.get("reportingMTA") or "").removeprefix("dns; "), body.get("remoteMtaIp")),
                    )
                )
            ),
        ),
    ]


def _complaint(document: Document) -> Rows:
    body = document["complaint"]
    return [
        ("Feedback", escape(body.get("complaintFeedbackType") or "")),
        ("Sub-type", escape(body["complaintSubType"] or "")),
        ("Recipients", _diagnosed(body["complainedRecipients"])),
        ("Agent", escape(body.get("userAgent") or "")),
        ("Arrived", escape(body.get("arrivalDate") or "")),
    ]


def _delay(document: Document) -> Rows:
    body = document["deliveryDelay"]
    return [
        ("Type", escape(body["delayType"])),
        ("Recipients", _diagnosed(body["delayedRecipients"])),
        ("Gives up", escape(body["expirationTime"])),
    ]


def _engagement(document: Document) -> Rows:
    body = document.get("open") or document["click"]
    pairs: dict[str, list[str]] = body.get("linkTags") or {}
    tags = "; ".join(f"{name}: {', '.join(values)}" for name, values in pairs.items())
    return [
        ("Link", escape(body.get("link") or "")),
        ("Link tags", escape(tags)),
        ("Agent", escape(body["userAgent"] or "")),
        ("Address", escape(body["ipAddress"] or "")),
        ("By a bot", escape(str(body["isBotEvent"]))),
    ]


def _reject(document: Document) -> Rows:
    return [("Reason", escape(document["reject"]["reason"]))]


def _failure(document: Document) -> Rows:
    body = document["failure"]
    return [("Failure", escape(body["errorMessage"])), ("Template", escape(body["templateName"] or ""))]


def _subscription(document: Document) -> Rows:
    body = document["subscription"]
    return [("List", escape(body["contactList"])), ("Through", escape(body["source"]))]


#: eventType -> what its own object says
_SAYS: Final[dict[str, Callable[[Document], Rows]]] = {
    "Delivery": _delivery,
    "Bounce": _bounce,
    "Complaint": _complaint,
    "DeliveryDelay": _delay,
    "Open": _engagement,
    "Click": _engagement,
    "Reject": _reject,
    "Rendering Failure": _failure,
    "Subscription": _subscription,
}


def _addresses(addresses: Sequence[str]) -> str:
    return _list(escape(address) for address in addresses)


def _diagnosed(recipients: Sequence[dict[str, Any]]) -> str:
    """Each address, with what its server answered."""
    return _list(
        f"{escape(one['emailAddress'])}"
        + (f" <code>{escape(one['diagnosticCode'])}</code>" if one.get("diagnosticCode") else "")
        for one in recipients
    )


def _list(values: Iterable[str]) -> str:
    items = list(values)
    more = f"<li>and {len(items) - _MOST_RECIPIENTS} more</li>" if len(items) > _MOST_RECIPIENTS else ""
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items[:_MOST_RECIPIENTS])}{more}</ul>"
