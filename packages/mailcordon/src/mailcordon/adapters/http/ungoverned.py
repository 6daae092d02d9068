"""Mail that did not pass through Mailcordon over HTTP: who sends it, what stops it, and what is expected for some time. Platform
keys only: callers and source addresses are the account's."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.lookup import TenantNames
from mailcordon.control.ungoverned import Count, Expectation, Sender, Ungoverned, policy
from mailcordon.core import ungoverned
from mailcordon.core.principal import ADMIN, READ
from mailcordon.core.ungoverned import Fact


class ExpectationItem(msgspec.Struct):
    id: int
    identity: str  #: `*`: mail whose sender nothing names
    caller: str | None  #: null: every caller
    since: Time
    until: Time
    because: str
    by: str
    valid: bool
    ended_at: Time | None  #: before its time
    ended_by: str | None


class ValueItem(msgspec.Struct):
    value: str  #: `(more)`: further values, which are not kept
    mails: int


class SenderItem(msgspec.Struct):
    id: int
    identity: str  #: of SES; empty: not named
    tenant: str | None  #: whose domain it is, or lies below
    caller: str  #: IAM user or role; empty: not named
    who: str  #: the caller in words
    mails: int
    mails_24h: int
    recipients: int
    bounces: int
    complaints: int
    first_at: Time
    last_at: Time
    since: Time  #: the first mail after an hour without any
    service: str | None  #: what probably sends it
    source_ips: list[str]
    subjects: list[str]  #: their shapes, the most frequent first
    nets: list[str]  #: events, cloudtrail
    expected: ExpectationItem | None  #: what was declared for it last


class SenderDetail(SenderItem):
    facts: dict[str, list[ValueItem]]  #: what its mail has in common
    policy: (
        dict[str, Any] | None
    )  #: the IAM policy document that stops it; null: it would stop Mailcordon's own mail


class CountItem(msgspec.Struct):
    """SES's own count of the last 24 hours, against what is known."""

    cell: str
    at: Time
    sent: int
    known: int
    excess: int  #: sent by something that nothing names; small ones are no alarm
    compared: bool  #: false: it has just begun
    since: Time | None  #: of an excess that is an alarm
    identities: list[str]  #: then: the account's identities that are not Mailcordon's
    lag_seconds: int  #: by how much the figure may be late


class SenderPage(msgspec.Struct):
    items: list[SenderItem]
    counts: list[CountItem]
    next: str | None


class ExpectationPage(msgspec.Struct):
    items: list[ExpectationItem]
    next: str | None


class ExpectBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    identity: str
    caller: str | None = None
    until_seconds: float
    because: str


class EndBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str


def routes(service: Ungoverned, tenants: TenantNames, *, lag_ms: int) -> list[HTTPRouteHandler]:
    store = service.store

    @get("/v1/ungoverned", summary="List who sends past Mailcordon, newest first", tags=["control"])
    async def list_senders(
        request: AnyRequest, tenant: AnyTenant = None, after: After = None, limit: Limit = 100
    ) -> SenderPage:
        principal = platform_principal(request, READ)
        viewer = await lookup.viewer(tenants, principal, tenant)
        now = await store.now()
        found = await store.senders(tenant=viewer.tenant, before=after, limit=limit)
        counts = await store.counts() if after is None and tenant is None else []
        return SenderPage(
            [SenderItem(**_members(each, now)) for each in found],
            [_count(each, lag_ms) for each in counts],
            shapes.next_of([each.id for each in found], limit),
        )

    @get("/v1/ungoverned/{sender_id:int}", summary="Show who sends past Mailcordon", tags=["control"])
    async def get_sender(request: AnyRequest, sender_id: FromPath[int]) -> SenderDetail:
        platform_principal(request, READ)
        return _detail(await service.get(sender_id), await store.now())

    @get("/v1/ungoverned/expectations", summary="List what is expected past Mailcordon", tags=["control"])
    async def list_expectations(
        request: AnyRequest, after: After = None, limit: Limit = 100
    ) -> ExpectationPage:
        platform_principal(request, READ)
        now = await store.now()
        found = await store.expectations(before=after, limit=limit)
        return ExpectationPage(
            [_expectation(each, now) for each in found], shapes.next_of([each.id for each in found], limit)
        )

    @post("/v1/ungoverned/expectations", summary="Declare mail past Mailcordon as expected", tags=["control"])
    async def expect(request: AnyRequest, data: JSONBody[ExpectBody]) -> ExpectationItem:
        actor = platform_principal(request, ADMIN).actor
        made = await service.expect(
            data.identity,
            data.caller,
            until_seconds=data.until_seconds,
            because=shapes.reason(data.because),
            actor=actor,
        )
        return _expectation(made, await store.now())

    @post(
        "/v1/ungoverned/expectations/{expectation_id:int}/end",
        summary="End what was declared before its time",
        tags=["control"],
        status_code=200,
    )
    async def unexpect(
        request: AnyRequest, expectation_id: FromPath[int], data: JSONBody[EndBody]
    ) -> ExpectationItem:
        actor = platform_principal(request, ADMIN).actor
        ended = await service.unexpect(expectation_id, actor=actor, because=shapes.reason(data.because))
        return _expectation(ended, await store.now())

    return [list_senders, get_sender, list_expectations, expect, unexpect]


def _members(sender: Sender, now: int) -> Mapping[str, Any]:
    def values(fact: Fact) -> list[str]:
        return ungoverned.by_count(sender.facts, fact)

    return {
        "id": sender.id,
        "identity": sender.identity,
        "tenant": sender.tenant_slug,
        "caller": sender.caller,
        "who": sender.who,
        "mails": sender.mails,
        "mails_24h": sender.day_mails,
        "recipients": sender.recipients,
        "bounces": sender.bounces,
        "complaints": sender.complaints,
        "first_at": shapes.iso_ms(sender.first_at),
        "last_at": shapes.iso_ms(sender.last_at),
        "since": shapes.iso_ms(sender.since),
        "service": next(iter(values(Fact.SERVICE)), None),
        "source_ips": values(Fact.IP),
        "subjects": values(Fact.SUBJECT),
        "nets": values(Fact.NET),
        "expected": None if sender.expected is None else _expectation(sender.expected, now),
    }


def _detail(sender: Sender, now: int) -> SenderDetail:
    facts = {
        fact.value: [
            ValueItem(value, sender.facts[fact.value][value])
            for value in ungoverned.by_count(sender.facts, fact)
        ]
        for fact in Fact
    }
    found = policy(sender)
    return SenderDetail(**_members(sender, now), facts=facts, policy=None if found is None else dict(found))


def _expectation(found: Expectation, now: int) -> ExpectationItem:
    return ExpectationItem(
        id=found.id,
        identity=found.identity,
        caller=found.caller,
        since=shapes.iso_ms(found.since),
        until=shapes.iso_ms(found.until),
        because=found.because,
        by=found.by,
        valid=found.ended_at is None and found.until > now,
        ended_at=shapes.iso_ms_or_none(found.ended_at),
        ended_by=found.ended_by,
    )


def _count(found: Count, lag_ms: int) -> CountItem:
    return CountItem(
        cell=found.cell,
        at=shapes.iso_ms(found.at),
        sent=found.sent,
        known=found.sent - found.excess,
        excess=found.excess,
        compared=found.compared,
        since=shapes.iso_ms_or_none(found.over_since),
        identities=list(found.identities),
        lag_seconds=lag_ms // 1000,
    )
