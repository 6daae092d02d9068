"""The statements of the metrics reader, put together by what is asked (metrics_reader.sql says of what parts)."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mailcordon.adapters.db import queries
from mailcordon.core.cohort import COLUMNS
from mailcordon.guard.delays import Signal
from mailcordon.observe import metrics_view as view
from mailcordon.observe import rates

_SQL = queries.load("metrics_reader.sql")

Table = Literal["lane", "minute", "hour", "day"]
_CELLS = {
    ("lane", False): _SQL.cells_lane,
    ("lane", True): _SQL.cells_lane_of,
    ("minute", False): _SQL.cells_minute,
    ("minute", True): _SQL.cells_minute_of,
    ("hour", False): _SQL.cells_hour,
    ("hour", True): _SQL.cells_hour_of,
    ("day", False): _SQL.cells_day,
    ("day", True): _SQL.cells_day_of,
}
EXPOSURES = ("bounces", "complaints", "blocks", "delays")
#: What each ranking needs of a cell: columns, what counts, and the mail that it is counted of.
_RANKINGS: dict[view.Ranking, tuple[tuple[str, ...], str, str]] = {
    "bounces": (("hard_bounced",), "c.hard_bounced", "c.bounces_exposure"),
    "complaints": (
        ("complained",),
        "c.complained - coalesce(c.silent_complained, 0)",
        "c.complaints_exposure",
    ),
    "blocks": (
        ("sender_reputation", "content", "policy"),
        "coalesce(c.sender_reputation, 0) + coalesce(c.content, 0) + coalesce(c.policy, 0)",
        "c.blocks_exposure",
    ),
    "volume": ((), "c.sent", "c.sent"),
}


#: Rows of days in which what is ranked happened. Each implies the predicate of the index `cohort_day_bad` (0031).
HAPPENED: dict[view.Ranking, str] = {
    "bounces": "x.hard_bounced > 0",
    "complaints": "x.complained > 0",
    "blocks": "(x.sender_reputation > 0 or x.content > 0 or x.policy > 0)",
}


@functools.cache
def counted(table: Table, some: bool, columns: tuple[str, ...], *, timed: bool, at_one: bool) -> str:
    at = "b.minute" if timed else "null::int"
    cells = _cells(table, some, columns, EXPOSURES, at=at, at_one=at_one)
    return _filled(_SQL.counted, cells=cells, added_up=_sums("c", *_names(columns, EXPOSURES)))


@functools.cache
def counted_fleet() -> str:
    return _filled(_SQL.counted_fleet, **_parts(COLUMNS, EXPOSURES))


@functools.cache
def counted_pools(table: Table, columns: tuple[str, ...], *, at_one: bool) -> str:
    return _filled(
        _SQL.counted_pools,
        cells=_flat_cells(table, columns, (), at_one=at_one),
        added_up=_sums("c", *_names(columns, ())),
        exposures=_parts(columns, EXPOSURES)["exposures"],
        same_path="p.first" if table == "day" else "p.isolated = c.isolated",
    )


@dataclass(frozen=True, slots=True)
class Ranked:
    """What a ranking reads."""

    table: Table
    movers: bool = False
    some: bool = False  #: of some lanes, each looked up
    happened: bool = False  #: only the days on which what is ranked happened


@functools.cache
def ranked(what: Ranked, per: view.Per, ranking: view.Ranking, *, at_one: bool) -> str:
    columns, events, exposure = _RANKINGS[ranking]
    signals = () if ranking == "volume" else (ranking,)
    cells = _flat_cells(what.table, ("sent", *columns), signals, at_one=at_one, some=what.some)
    if what.happened:
        cells = cells.replace(_at_provider(True), f"{_at_provider(True)} and {HAPPENED[ranking]}")
    parts = {
        "cells": cells,
        "key": {"lane": "c.lane", "tenant": "c.tenant", "domain": "coalesce(r.domain, '')"}[per],
        "named": "k.key" if per == "domain" else "lpad(k.key::text, 10, '0')",
        "place": "\n" + _SQL.place if per == "domain" else "",
    }
    if what.movers:
        return _filled(
            _SQL.moved, **parts, events=events, exposure=exposure, least_share=repr(view.LEAST_SHARE)
        )
    if ranking == "volume":
        return _filled(_SQL.ranked, **parts, rank="sum(c.sent)::float8", happened="sum(c.sent)")
    healthy = rates.HEALTHY[Signal(ranking)]
    rank = f"rate_evidence(sum({events})::float8, sum({exposure})::float8, {healthy!r})"
    return _filled(_SQL.ranked, **parts, rank=rank, happened=f"sum({events})")


def _cells(
    table: Table, some: bool, columns: Iterable[str], signals: Iterable[str], *, at: str, at_one: bool
) -> str:
    """A line each for lane and path. `at_one`: of one mailbox provider."""
    columns, signals = tuple(columns), tuple(signals)
    return _filled(
        _CELLS[table, some],
        at=at,
        tenant="null::int",
        added=", ".join(f"c.{name}" for name in _names(columns, signals)),
        at_provider=_at_provider(at_one),
        by_lane="\n group by c.lane, c.isolated, 6",
        by_slice="\n group by c.slice, c.provider, 3",
        by_lane_and_provider="\n group by c.lane, c.provider, 6",
        **_parts(columns, signals),
    )


def _flat_cells(
    table: Table, columns: tuple[str, ...], signals: tuple[str, ...], *, at_one: bool, some: bool = False
) -> str:
    """A line for each bucket of each lane: the statement around them adds up."""
    return _filled(
        _CELLS[table, some],
        at="b.minute",
        tenant="c.tenant",
        added=", ".join(f"c.{name}" for name in _names(columns, signals)),
        at_provider=_at_provider(at_one),
        by_lane="",
        by_slice="",
        by_lane_and_provider="",
        **_parts(columns, signals, flat=True),
    )


def _at_provider(at_one: bool) -> str:
    return "x.provider = $10::smallint" if at_one else "$10::smallint is null"


def _names(columns: Iterable[str], signals: Iterable[str]) -> tuple[str, ...]:
    return (*columns, "silent_sent", "silent_complained", *(f"{signal}_exposure" for signal in signals))


def _parts(columns: Iterable[str], signals: Iterable[str], *, flat: bool = False) -> dict[str, str]:
    """The counts of a cell. Mail to providers that report no complaints (`q`, or the sums of it) is not exposed to them.

    `flat`: of each row, not their sums.
    """
    signals, columns = tuple(signals), tuple(columns)

    def added(value: str, condition: str | None = None) -> str:
        if flat:
            return value if condition is None else f"case when {condition} then {value} end"
        return f"sum({value})" + ("" if condition is None else f" filter (where {condition})")

    def exposures(reporting: str, condition: str | None) -> str:
        mail = {signal: added(f"c.sent * b.{signal}") for signal in signals}
        if "complaints" in mail:
            mail["complaints"] = added(f"{reporting} * b.complaints", condition)
        return ", ".join(f"{value} as {signal}_exposure" for signal, value in mail.items()) or "null"

    complained = "c.complained" if "complained" in columns else "0"
    silent = "q.provider is not null"
    return {
        "counts": ", ".join(f"{added(f'c.{name}')} as {name}" for name in columns),
        "silent": f"{added('c.silent_sent')} as silent_sent, {added('c.silent_complained')} as silent_complained",
        "exposures": exposures("(c.sent - coalesce(c.silent_sent, 0))", None),
        "provider_silent": f"{added('c.sent', silent)} as silent_sent, {added(complained, silent)} as silent_complained",
        "provider_exposures": exposures("c.sent", "q.provider is null"),
    }


def _sums(of: str, *names: str) -> str:
    return ", ".join(f"sum({of}.{name}) as {name}" for name in names)


def _filled(statement: str, **parts: str) -> str:
    for name, text in parts.items():
        statement = statement.replace("{" + name + "}", text)
    return statement
