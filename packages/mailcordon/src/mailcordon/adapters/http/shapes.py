"""What the requests and responses of all routes have in common: times, durations, pages and reasons."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, cast

import msgspec
from litestar.params import QueryParameter

from mailcordon.core import address as addresses
from mailcordon.core import text as texts
from mailcordon.core.errors import Fault, Invalid, parse_field
from mailcordon.messages import api, metrics

LONGEST_SECONDS = 10 * 366 * 24 * 3600
HIGHEST_ID = 2**63 - 1
TIME = "A time in UTC: ISO 8601 with milliseconds and Z."

#: Every time in a response: `2026-11-28T15:23:00.000Z`. The description marks it in the OpenAPI document (server.py).
Time = Annotated[str, msgspec.Meta(description=TIME)]
Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many items at most.")]
After = Annotated[
    int | None, QueryParameter(ge=0, le=HIGHEST_ID, description="`next` of the page before this one.")
]
IsOpen = Annotated[
    bool | None,
    QueryParameter(
        name="open", description="Only those that last, or only those that are over. Default: both."
    ),
]
AnyTenant = Annotated[str | None, QueryParameter(description="The tenant's slug. Without it: every tenant.")]
OneTenant = Annotated[
    str | None, QueryParameter(description="The tenant's slug. Required with a platform key.")
]

#: Members of recorded JSON (the audit trail) that are milliseconds since 1970.
_RECORDED_TIMES = frozenset({"since", "until", "removing_since"})


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def iso_ms(ms: int) -> str:
    """From milliseconds since 1970."""
    return iso(datetime.fromtimestamp(ms / 1000, UTC))


def iso_ms_or_none(ms: int | None) -> str | None:
    return None if ms is None else iso_ms(ms)


def time(field: str, text: str) -> int:
    """Milliseconds since 1970. Without a zone it is UTC. Raises Invalid."""
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (OverflowError, ValueError):
        raise Invalid(Fault(field, metrics.not_a_time())) from None


def recorded(value: Any) -> Any:
    """An object from the audit trail, which records times in milliseconds since 1970, with its times in ISO form."""
    if not isinstance(value, Mapping):
        return value
    members = cast("Mapping[str, Any]", value)
    return {
        name: iso_ms(member) if name in _RECORDED_TIMES and isinstance(member, int) else member
        for name, member in members.items()
    }


def reason(text: str, field: str = "because") -> str:
    """Raises Invalid for a text that cannot be the reason of a change."""
    return parse_field(field, texts.reason, text)


#: Of changes that may have a reason, and have no body.
WhyAudited = Annotated[str | None, QueryParameter(description="Why; it is audited.")]


def reason_or_none(text: str | None) -> str | None:
    """Raises Invalid for a text that cannot be the reason of a change."""
    return None if text is None else reason(text)


def seconds(value: float | None, *, least: float, field: str = "until_seconds") -> float | None:
    """A duration, or None. Raises Invalid if it is out of range."""
    if value is not None and not least <= value <= LONGEST_SECONDS:
        raise Invalid(Fault(field, api.bad_seconds(least, LONGEST_SECONDS)))
    return value


def address(text: str) -> addresses.Address:
    """Raises Invalid."""
    return parse_field("address", addresses.parse, text, code="bad-address")


def next_of(ids: list[int], limit: int) -> str | None:
    """The cursor after a full page; None at the end of the list."""
    return str(ids[-1]) if len(ids) == limit else None


def id32(after: int | None) -> int:
    """A cursor for tables whose ids have 32 bits. A higher one is past their end."""
    return min(after or 0, 2**31 - 1)
