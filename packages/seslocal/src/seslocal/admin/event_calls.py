"""The admin calls that read the newest events of all mail, and how many messages are in the queues."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from seslocal.admin import fields, messages
from seslocal.admin.fields import Json, Query, Refused
from seslocal.state.account import Account
from seslocal.state.configuration_sets import MATCHING
from seslocal.state.event_log import recipients

_FILTERS: Final = ("type", "recipient", "message_id", "tenant", "configuration_set", "limit")
_MOST: Final = 1000
#: `Rendering Failure`, `RENDERING_FAILURE`, ... -> eventType
_TYPES: Final = {"".join(filter(str.isalpha, name)).lower(): name for name in MATCHING}


def show(account: Account, query: Query, body: Json) -> Json:
    """The newest that fit, oldest first."""
    for name in query:
        if name not in _FILTERS:
            raise Refused(400, messages.unknown_event_filter(name, _FILTERS))
    event = query.get("type")
    if event is not None:
        known = _TYPES.get("".join(filter(str.isalpha, event)).lower())
        if known is None:
            raise Refused(400, messages.must_be_one_of("type", tuple(MATCHING), event))
        event = known
    limit = fields.whole_number(query, "limit", 100, 1, _MOST)
    found = list(islice(filter(_filter(account, query), account.events.log.newest_first(event)), limit))
    return {"events": found[::-1], "total": account.events.log.total}


def _filter(account: Account, query: Query) -> Callable[[dict[str, Any]], bool]:
    recipient, message_id = query.get("recipient", "").lower(), query.get("message_id")
    tenant, configuration_set = query.get("tenant"), query.get("configuration_set")

    def of_tenant(message_id: str) -> bool:
        entry = account.mail.ledger.get(message_id)
        return entry is not None and entry.tenant == tenant

    def fits(document: dict[str, Any]) -> bool:
        mail = document["mail"]
        return (
            (not recipient or any(address.lower() == recipient for address in recipients(document)))
            and (message_id is None or mail["messageId"] == message_id)
            and (
                configuration_set is None
                or configuration_set in mail["tags"].get("ses:configuration-set", ())
            )
            and (tenant is None or of_tenant(mail["messageId"]))
        )

    return fits


def queues(account: Account, query: Query, body: Json) -> Json:
    """How many messages are in each queue."""
    shown = [
        {
            "name": queue.name,
            "messages": len(queue.messages),
            "ready": len(queue.messages) - queue.hidden,
            "hidden": queue.hidden,  # in flight or delayed
        }
        for queue in account.queues.by_name.values()
    ]
    return {"queues": shown}


ROUTES: Final[tuple[tuple[str, str, Callable[..., Any]], ...]] = (
    ("GET", r"/events", show),
    ("GET", r"/queues", queues),
)
