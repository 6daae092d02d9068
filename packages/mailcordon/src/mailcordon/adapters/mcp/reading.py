"""The tools that read: each asks the REST API once, with the rights of the server's key, and returns a bounded answer."""

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import quote

import msgspec
from msgspec import Meta

from mailcordon.adapters.mcp.arguments import (
    Arguments,
    Limit,
    Minutes,
    Number,
    OfTenant,
    OfType,
    Open,
)
from mailcordon.adapters.mcp.ports import Document, Reader, Refused
from mailcordon.messages import mcp as messages
from mailcordon.observe.metrics_view import By

_FORMS = {
    "message": "an id, msg_... or dlv_...",
    "address": "an address",
    "lane": "TENANT/TYPE",
    "hold": "its number",
    "stop": "its number",
    "incident": "its number",
    "domain": "its name",
}


def path(*segments: str) -> str:
    return "/v1/" + "/".join(quote(segment, safe="@") for segment in segments)


class Read(Arguments):
    """A tool's arguments, and what it asks with them."""

    async def ask(self, api: Reader) -> Document:
        raise NotImplementedError


def _query(given: msgspec.Struct, *renamed: tuple[str, str]) -> dict[str, str | int | float | None]:
    """Every argument under its own name, or the API's; `true` and `false` for truth."""
    names = dict(renamed)
    found: dict[str, str | int | float | None] = {}
    for name in given.__struct_fields__:
        value = getattr(given, name)
        found[names.get(name, name)] = str(value).lower() if isinstance(value, bool) else value
    return found


class Status(Read):
    """Is the service well: its processes, waiting mail, open incidents, and every problem with what to do about it."""

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("status"))


class Why(Read):
    """Why something is as it is, from records: one sentence, then what happened when. Of a message, an address, a lane, a hold, a
    stop, an incident or a domain."""

    kind: Literal["message", "address", "lane", "hold", "stop", "incident", "domain"]
    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=320,
            description="Which: an id (msg_... or dlv_...), an address, TENANT/TYPE of a lane, a number, or a domain.",
        ),
    ]
    tenant: OfTenant = None

    async def ask(self, api: Reader) -> Document:
        name = self.name.strip()
        fits = {
            "message": name.startswith(("msg_", "dlv_", "0100")),
            "address": "@" in name,
            "lane": "/" in name,
            "domain": "." in name,
        }.get(self.kind, name.isdigit())
        if not fits:
            raise Refused(messages.name_needed(kind=self.kind, form=_FORMS[self.kind]), "bad-arguments")
        of = name if self.kind in ("message", "address") else f"{self.kind} {name}"
        return await api.get(path("why"), {"of": of, "tenant": self.tenant})


class Incidents(Read):
    """Incidents, newest first: what went wrong, whose it is, since when, what it is about, and what to do."""

    tenant: OfTenant = None
    open: Open = True
    kind: (
        Annotated[str, Meta(max_length=32, description="Only this kind, as in rates or feedback-lost.")]
        | None
    ) = None
    severity: Literal["critical", "high", "medium", "low"] | None = None
    limit: Limit = 20

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("incidents"), _query(self))


class Incident(Read):
    """One incident with its evidence, its alarms and its timeline."""

    number: Number

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("incidents", str(self.number)))


class Metrics(Read):
    """Counts of mail and what became of it, with bounce, complaint and block rates beside their usual values."""

    by: By = "lane"
    minutes: Minutes = 60
    tenant: OfTenant = None
    type: OfType = None
    provider: (
        Annotated[str, Meta(max_length=32, description="Only this mailbox provider, as in gmail.")] | None
    ) = None
    campaign: Annotated[str, Meta(max_length=256, description="Only this campaign.")] | None = None
    limit: Limit = 20

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("metrics"), _query(self))


class Top(Read):
    """Which lanes, tenants or domains of all tenants are worst now, or moved the rate of all mail most."""

    by: Literal["bounces", "complaints", "blocks", "volume"] = "bounces"
    per: Literal["lane", "tenant", "type", "domain", "pool"] = "lane"
    movers: bool = False
    minutes: Minutes = 60
    limit: Limit = 10

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("top"), _query(self))


class Lanes(Read):
    """Lanes (tenant and message type) with their state, its reasons, their rate and how much waits."""

    tenant: OfTenant = None
    state: Literal["open", "throttled", "stopped", "held"] | None = None
    limit: Limit = 20

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("lanes"), _query(self))


class Drift(Read):
    """What Amazon SES has that differs from what is desired, who did it, and what repairs it."""

    tenant: OfTenant = None
    open: Open = True
    limit: Limit = 20

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("drift"), _query(self))


class Holds(Read):
    """Holds: what stops or slows mail, each with its owner, reason and end. Newest first."""

    tenant: OfTenant = None
    open: Open = True
    limit: Limit = 20

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("holds"), _query(self))


class Stops(Read):
    """Stops: what keeps mail from leaving because of SES or of Mailcordon, and what ends each. They end by themselves."""

    tenant: OfTenant = None
    open: Open = True
    limit: Limit = 20

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("stops"), _query(self))


class BreakerDecisions(Read):
    """What the breaker holds, slows or warns of, with what it saw and what undoes it."""

    tenant: OfTenant = None
    type: OfType = None
    open: Open = True
    limit: Limit = 20

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("breaker", "decisions"), _query(self))


class Limits(Read):
    """How much mail may leave in a minute, an hour or a day, what is used of it, and what waits for it."""

    tenant: OfTenant = None
    type: (
        Annotated[
            str,
            Meta(
                max_length=64,
                description="Only limits about this lane of the tenant, which must be named too.",
            ),
        ]
        | None
    ) = None
    limit: Limit = 20

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("limits"), _query(self))


class Releases(Read):
    """Large batches of marketing mail, which leave in steps: what is out, what waits, and what opens the next step."""

    tenant: OfTenant = None
    open: Open = True
    limit: Limit = 20

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("releases"), _query(self))


class Audit(Read):
    """Who changed what, when and why. Newest first."""

    tenant: OfTenant = None
    limit: Limit = 20

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("audit"), _query(self))


class Messages(Read):
    """Search deliveries, newest first, by recipient, id, the Message-ID header, campaign, list, type, state, reason and time."""

    tenant: OfTenant = None
    to: Annotated[str, Meta(max_length=320, description="The recipient's address.")] | None = None
    id: Annotated[str, Meta(max_length=64, description="Of a message or a delivery.")] | None = None
    message_id: (
        Annotated[str, Meta(max_length=256, description="The Message-ID header that the recipient sees.")]
        | None
    ) = None
    campaign: Annotated[str, Meta(max_length=256)] | None = None
    list: Annotated[str, Meta(max_length=256)] | None = None
    type: OfType = None
    state: (
        Annotated[str, Meta(max_length=32, description="The state now, as in bounced, held or delivered.")]
        | None
    ) = None
    reason: Annotated[str, Meta(max_length=64, description="The code of its reason.")] | None = None
    since: (
        Annotated[
            str, Meta(max_length=40, description="Accepted at this time or later, as in 2026-11-28T15:00Z.")
        ]
        | None
    ) = None
    until: Annotated[str, Meta(max_length=40, description="Accepted before this time.")] | None = None
    limit: Limit = 20

    async def ask(self, api: Reader) -> Document:
        return await api.get(path("messages"), _query(self))


#: Name of each tool, in the order in which an assistant sees them.
TOOLS: Mapping[str, type[Read]] = {
    "status": Status,
    "why": Why,
    "incidents": Incidents,
    "incident": Incident,
    "metrics": Metrics,
    "top": Top,
    "lanes": Lanes,
    "drift": Drift,
    "holds": Holds,
    "stops": Stops,
    "breaker_decisions": BreakerDecisions,
    "limits": Limits,
    "releases": Releases,
    "audit": Audit,
    "messages": Messages,
}
