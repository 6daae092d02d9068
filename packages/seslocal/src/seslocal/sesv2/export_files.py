"""The files that export jobs write, byte for byte as SES does, including oddities such as a comma at the end of each line. Pure,
except for reading the recorded insights."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from seslocal.state.insights import Event, VdmMail

COLUMNS: Final = (
    "messageid",
    "sendtimestamp",
    "isp",
    "fromaddress",
    "destination",
    "subject",
    "last_delivery_event",
    "last_engagement_event",
    "last_delivery_event_timestamp",
    "last_engagement_event_timestamp",
    "bounce_sub_type",
    "diagnostic_code",
)
_DELIVERY: Final = ("SEND", "BOUNCE", "DELIVERY", "COMPLAINT")  # later entries win
_ENGAGEMENT: Final = ("OPEN", "CLICK")
#: filter -> the column it applies to
_FILTERS: Final = {
    "FromEmailAddress": "fromaddress",
    "Destination": "destination",
    "Subject": "subject",
    "Isp": "isp",
    "LastDeliveryEvent": "last_delivery_event",
    "LastEngagementEvent": "last_engagement_event",
}
_WITH_WILDCARDS: Final = ("FromEmailAddress", "Destination", "Subject")

Fits = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One mail in a message insights export."""

    columns: Mapping[str, str]  #: those with a value
    tenant: str


def rows(mails: Iterable[VdmMail]) -> Iterator[Row]:
    for seen in mails:
        sender, subject, _ = seen.read()
        events = seen.events
        delivery, engagement = _last(events, _DELIVERY), _last(events, _ENGAGEMENT)
        columns = {
            "messageid": seen.message_id,
            "sendtimestamp": _time(seen.at),
            "isp": seen.series.ISP,
            "fromaddress": sender,
            "destination": seen.recipient,
            "subject": subject,
            "last_delivery_event": _delivery_name(delivery) if delivery else "",
            "last_engagement_event": engagement.type if engagement else "",
            "last_delivery_event_timestamp": _time(delivery.at) if delivery else "",
            "last_engagement_event_timestamp": _time(engagement.at) if engagement else "",
            "bounce_sub_type": delivery.subtype if delivery and delivery.type == "BOUNCE" else "",
            "diagnostic_code": delivery.diagnostic if delivery else "",
        }
        yield Row({name: value for name, value in columns.items() if value}, seen.series.TENANT_NAME or "")


def matching(found: Iterable[Row], include: Mapping[str, Any], exclude: Mapping[str, Any]) -> Iterator[Row]:
    """Returns rows that match every filter of `include`, and not all of `exclude`."""
    wanted, unwanted = _filter(include), _filter(exclude)
    return (row for row in found if wanted(row) and not (any(exclude.values()) and unwanted(row)))


def insights(found: Iterable[Row], form: str) -> bytes:
    if form == "CSV":
        lines = [COLUMNS, *([row.columns.get(name, "") for name in COLUMNS] for row in found)]
        text = "".join("".join(f"{_quoted(value)}," for value in line) + "\n" for line in lines)
    else:
        objects = (json.dumps(row.columns, separators=(",", ":"), ensure_ascii=False) for row in found)
        text = "[\n" + "\n,".join(objects)
        text += "]\n" if text.endswith("\n") else "\n]\n"
    return text.encode("utf-8", "replace")


def metrics(
    names: list[str],
    asked: list[Mapping[str, str]],
    sums: Mapping[tuple[str, ...], Mapping[str, int]],
    form: str,
) -> bytes:
    """`names` are the dimensions, `asked` the metrics with their aggregations, `sums` the counts by dimension values."""
    columns = [f"{metric.get('Name', '')}_{metric.get('Aggregation', 'VOLUME')}" for metric in asked]
    lines = [(values, [_metric_text(found, metric) for metric in asked]) for values, found in sums.items()]
    if form == "CSV":
        table = [
            [*names, *columns],
            *([*map(_quoted_if_needed, values), *figures] for values, figures in lines),
        ]
        return "".join(",".join(line) + "\n" for line in table).encode("utf-8", "replace")
    objects: list[str] = []
    for values, figures in lines:
        heads = "".join(
            f"{json.dumps(n.lower())}:{json.dumps(v)}," for n, v in zip(names, values, strict=True)
        )
        body = ",".join(
            f"{json.dumps(column)}:{figure}" for column, figure in zip(columns, figures, strict=True)
        )
        objects.append(f'{{{heads}"metrics":{{{body}}}}}')
    return f"[{','.join(objects)}]\n".encode()


def _metric_text(found: Mapping[str, int], metric: Mapping[str, str]) -> str:
    volume = found.get(metric.get("Name", ""), 0)
    if metric.get("Aggregation") != "RATE":
        return f"{volume:.4f}"
    sent = found.get("SEND", 0)
    return f"{volume / sent if sent else 0:.4f}"


def _last(events: list[Event], order: tuple[str, ...]) -> Event | None:
    known = [event for event in events if event.type in order]
    return max(known, key=lambda event: order.index(event.type), default=None)


def _delivery_name(event: Event) -> str:
    return f"{event.bounce_type}_BOUNCE" if event.type == "BOUNCE" else event.type


def _filter(filters: Mapping[str, Any]) -> Callable[[Row], bool]:
    columns = [
        (column, [pattern(value) if name in _WITH_WILDCARDS else value.__eq__ for value in filters[name]])
        for name, column in _FILTERS.items()
        if filters.get(name)
    ]
    tenants: list[str] = filters.get("TenantName") or []

    def fits(row: Row) -> bool:
        if tenants and row.tenant not in tenants:
            return False
        return all(any(one(row.columns.get(column, "")) for one in ones) for column, ones in columns)

    return fits


def pattern(value: str) -> Fits:
    r"""`*` at the start, the end or both matches anything; `\*` is a literal star."""
    head, tail = value.startswith("*"), len(value) > 1 and bool(re.search(r"(?<!\\)(\\\\)*\*$", value))
    inner = re.sub(r"\\([*\\])", r"\1", value[1 if head else 0 : -1 if tail else None])
    if head and tail:
        return lambda text: inner in text
    if head:
        return lambda text: text.endswith(inner)
    return (lambda text: text.startswith(inner)) if tail else (lambda text: text == inner)


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _quoted_if_needed(value: str) -> str:
    return _quoted(value) if re.search(r'[,"\n]', value) else value
