"""CloudWatch as an event destination: counts by metric and dimensions, which the admin API and CloudWatch's own show. Bounded:
events that would start a series beyond the limit are counted as dropped."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from seslocal.errors import bad_request, limit_exceeded
from seslocal.state.hourly_counts import Dimensions, HourlyCounts
from seslocal.wire.params import Params

_KIND: Final = "dimensions_invalid"
MOST_DIMENSIONS: Final = 10  # of one destination
MOST_SERIES: Final = 10_000
_MOST_TEXT: Final = 255  # characters of a name or a value
_NAME: Final = re.compile(r"[A-Za-z0-9_:-]{1,255}")  # with the colon of SES's own tags
_VALUE: Final = re.compile(r"[A-Za-z0-9_@.-]{1,255}")
_ALLOWED: Final = (
    "1 to 255 alphanumeric ASCII characters, '_', and '-' are allowed, and in values '@' and '.'."
)


def check(dimensions: list[dict[str, str]]) -> None:
    """Raises ApiError if a destination cannot have these dimensions."""
    if not dimensions:
        raise bad_request("CloudWatch metrics dimension configuration list cannot be empty.", kind=_KIND)
    if len(dimensions) > MOST_DIMENSIONS:
        raise limit_exceeded(f"A CloudWatch destination has at most {MOST_DIMENSIONS} dimensions.")
    for dimension in dimensions:
        name, value = dimension["DimensionName"], dimension["DefaultDimensionValue"]
        if not _NAME.fullmatch(name):
            raise bad_request(f"Invalid dimension name <{name}>: {_ALLOWED}", kind=_KIND)
        if not _VALUE.fullmatch(value):
            raise bad_request(f"Invalid default dimension value <{value}>: {_ALLOWED}", kind=_KIND)
    if len({dimension["DimensionName"] for dimension in dimensions}) < len(dimensions):
        raise bad_request("Dimension names must be unique in a destination.", kind=_KIND)


class Metrics:
    def __init__(self) -> None:
        self._sums: dict[tuple[str, Dimensions], int] = {}
        self.hours = HourlyCounts()
        self.dropped = 0

    def count(self, event: str, document: Params, dimensions: list[dict[str, str]], at: float) -> None:
        series = event, tuple((d["DimensionName"], _value(event, document, d)) for d in dimensions)
        if series not in self._sums and len(self._sums) >= MOST_SERIES:
            self.dropped += 1
            return
        self._sums[series] = self._sums.get(series, 0) + 1
        self.hours.add((event, tuple(sorted(series[1]))), at)

    def shown(self) -> list[dict[str, Any]]:
        return [
            {"metric": metric, "dimensions": dict(dimensions), "sum": count}
            for (metric, dimensions), count in self._sums.items()
        ]


def _value(event: str, document: Params, dimension: dict[str, str]) -> str:
    name, mail = dimension["DimensionName"], document["mail"]
    tags: dict[str, list[str]] = mail["tags"]
    match dimension["DimensionValueSource"]:
        case "EMAIL_HEADER":
            written: msgspec.Raw | None = mail.get("headers")
            headers = msgspec.json.decode(written, type=list[dict[str, str]]) if written is not None else []
            values = [h["value"] for h in headers if h["name"].lower() == name.lower()]
        case "LINK_TAG":
            tags = (document["click"]["linkTags"] if event == "Click" else None) or {}
            values = tags.get(name, [])
        case _:
            values = tags.get(name, [])
    return values[0][:_MOST_TEXT] if values else dimension["DefaultDimensionValue"]
