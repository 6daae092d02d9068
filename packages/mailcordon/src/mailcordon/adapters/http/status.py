"""GET /v1/status: is the service well, and if not, what is wrong and what to do.

It is about the whole installation, every tenant included, so only a platform key may read it. A tenant sees the reason of its own
mail in its deliveries. The status is 200 whenever the answer could be made; `ok` says whether all is well.
"""

from typing import Any, cast

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import Time
from mailcordon.control import problem, status, status_facts
from mailcordon.control.retention import Storage
from mailcordon.core.principal import READ

_TABLES = 20  #: the largest ones
_TIME_FACTS = "last_"  #: members of a report whose values are times


class ProblemItem(msgspec.Struct):
    code: str
    check: str
    detail: str  #: what is wrong, as a sentence
    next: str  #: what to do, or what happens by itself
    whose: str | None  #: the tenant's slug; null: the platform's
    since: Time | None


class ProcessItem(msgspec.Struct):
    role: str
    host: str
    pid: int
    started_at: Time
    reported_at: Time
    silent: bool
    facts: dict[str, Any]  #: what the process said of its work


class WaitingItem(msgspec.Struct):
    """The mail of a class that has waited longest for its turn."""

    class_: str = msgspec.field(name="class")
    tenant: str
    type: str
    since: Time
    seconds: float


class OpenIncidentItem(msgspec.Struct):
    id: int
    kind: str
    severity: str
    tenant: str | None  #: null: the platform's
    mitigated: bool  #: it does no more harm
    detail: str
    since: Time
    next: str  #: what to do, or what happens by itself
    type: str | None  #: of the lane
    culprit: str | None  #: who or what is at fault; null: not known yet


class TableItem(msgspec.Struct):
    table: str
    bytes: int  #: on disk, with its partitions and indexes
    oldest_day: str | None


class StorageItem(msgspec.Struct):
    bytes: int
    oldest_day: str | None  #: of which records are kept
    days_left: int | None  #: for which partitions exist, after today
    tables: list[TableItem]  #: the largest first


class StatusView(msgspec.Struct):
    ok: bool
    at: Time
    sentence: str  #: what is wrong now, the worst first, and whether everything else flows
    problems: list[ProblemItem]
    notices: list[ProblemItem]
    checked: list[str]  #: what `ok` speaks of
    processes: list[ProcessItem]
    incidents: list[OpenIncidentItem]  #: that are open, the worst first, at most 50
    waiting: list[WaitingItem]
    refused: dict[str, int]  #: by limit of the door, of all API processes since their start
    storage: StorageItem | None
    scan: str | None  #: within which time a change at SES is found; null: no process reconciles


def routes(reader: status_facts.Reader) -> list[HTTPRouteHandler]:
    @get("/v1/status", summary="Show whether the service is well, and what is wrong", tags=["system"])
    async def get_status(request: AnyRequest) -> StatusView:
        platform_principal(request, READ)
        return _view(status.judge(await reader.facts()))

    return [get_status]


def _view(found: status.Status) -> StatusView:
    return StatusView(
        ok=found.ok,
        at=shapes.iso_ms(found.at),
        sentence=found.sentence,
        problems=[_problem(one) for one in found.problems],
        notices=[_problem(one) for one in found.notices],
        checked=list(found.checked),
        processes=[_process(one, found.at) for one in found.processes],
        waiting=[
            WaitingItem(
                class_=one.class_.word,
                tenant=one.tenant,
                type=one.type,
                since=shapes.iso_ms(one.since),
                seconds=max(0, found.at - one.since) / 1000,
            )
            for one in found.waiting
        ],
        incidents=[_incident(one) for one in found.incidents],
        refused=dict(found.refused),
        storage=None if found.storage is None else _storage(found.storage),
        scan=found.scan,
    )


def _incident(one: status_facts.OpenIncident) -> OpenIncidentItem:
    return OpenIncidentItem(
        id=one.id,
        kind=one.kind,
        severity=one.severity,
        tenant=one.tenant,
        mitigated=one.mitigated,
        detail=one.sentence,
        since=shapes.iso_ms(one.since),
        next=one.next,
        type=one.type,
        culprit=one.culprit,
    )


def _storage(storage: Storage) -> StorageItem:
    return StorageItem(
        bytes=storage.bytes,
        oldest_day=None if storage.oldest_day is None else storage.oldest_day.isoformat(),
        days_left=storage.days_left,
        tables=[
            TableItem(each.table, each.bytes, None if each.first_day is None else each.first_day.isoformat())
            for each in storage.tables[:_TABLES]
        ],
    )


def _problem(one: problem.Problem) -> ProblemItem:
    return ProblemItem(
        code=one.code,
        check=one.check,
        detail=one.sentence,
        next=one.next,
        whose=one.whose,
        since=shapes.iso_ms_or_none(one.since),
    )


def _process(one: status_facts.Beat, now: int) -> ProcessItem:
    return ProcessItem(
        role=one.role,
        host=one.host,
        pid=one.pid,
        started_at=shapes.iso_ms(one.started),
        reported_at=shapes.iso_ms(one.beat),
        silent=one.is_silent(now),
        facts=_facts(one.facts),
    )


def _facts(value: Any) -> Any:
    """Reports have times in milliseconds since 1970; the API writes ISO 8601."""
    if isinstance(value, list):
        return [_facts(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    return {
        name: shapes.iso_ms(member)
        if name.startswith(_TIME_FACTS) and isinstance(member, int)
        else _facts(member)
        for name, member in cast("dict[str, Any]", value).items()
        if name != "success_minutes"
    }
