"""The curve as tables for people and as a line for programs."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from bench.curve.figures import Result, Spread, accept_ms, call_ms, each, of, whole_ms
from bench.curve.goals import goals
from bench.curve.phases import CLASSES
from bench.curve.plan import Rate
from bench.curve.record import BARE, ROLES, THERE, Phase

BUSY = 0.1  #: share of the machine beyond which the work of others blurs the figures
_KEPT = 0.95  #: share of a rate that counts as having kept it
_PARTS = ("postgres", *ROLES, "others")
_COUNTS = ("commits", "inserted", "updated", "deleted", "fetched", "wal_bytes")
_SMALL = 0.5  #: us a mail below which a part is left out


def table(result: Result) -> str:
    lines = [
        "",
        *_costs(result),
        "",
        *_latencies(result),
        "",
        *_inside(result),
        "",
        *_counts(result),
        "",
        *_calls(result),
    ]
    lines += ["", *_memory(result), "", "What must hold:"]
    for goal in goals(result):
        lines.append(f"  {goal.what:72} at most {goal.bound:<5g} {_ratio(goal.measured):26} {goal.verdict}")
    others = result.others()
    lines += [
        "",
        f"here: {result.here}",
        *([f"there: {result.there}"] if result.there else []),
        result.engine,
        *result.notes,
        *_behind(result),
        f"{rounds(result)}. Figures are medians; in brackets the least and the most of the rounds.",
        f"Others used {others:.0%} of this machine's CPU meanwhile"
        + (": such figures are for orientation only." if others > BUSY else "."),
    ]
    return "\n".join(lines)


def rounds(result: Result) -> str:
    return "1 round" if len(result.rounds) == 1 else f"{len(result.rounds)} rounds"


def _behind(result: Result) -> Iterator[str]:
    """Who did not keep the pace: such figures are those of a lower rate."""
    for rate in result.rates:
        for side in (*result.sides, BARE):
            found = result.spread(rate, side, lambda phase: phase.offered)
            if rate.per_second and found and found.middle < _KEPT * rate.per_second:
                yield f"At {rate.name} a second {side} was handed in at {found.middle:,.0f} a second only."


def _costs(result: Result) -> Iterator[str]:
    yield "CPU us a mail (idle: a second) of all our processes and PostgreSQL's:"
    titles = ["here", *(["there", "ratio"] if result.there else []), "bare boto3", "here / bare"]
    yield f"{'mails a second':15}" + "".join(f"{title:>24}" for title in titles)
    for rate in result.rates:
        cells = [_figure(result.spread(rate, "here", each))]
        if result.there:
            cells += [_figure(result.spread(rate, THERE, each)), _ratio(result.ratio(rate, THERE, each))]
        cells += [_figure(result.spread(rate, BARE, each)), _ratio(result.ratio(rate, BARE, each))]
        yield f"{rate.name:15}" + "".join(f"{cell:>24}" for cell in cells)
    yield ""
    yield (
        f"{'by role':15}"
        + "".join(f"{part:>18}" for part in _PARTS)
        + ("    (here, there)" if result.there else "")
    )
    for rate in result.rates:
        yield f"{rate.name:15}" + "".join(f"{_both(result, rate, part):>18}" for part in _PARTS)


def _both(result: Result, rate: Rate, part: str) -> str:
    return ", ".join(f"{_middle(result.spread(rate, side, of(part))):.0f}" for side in result.sides)


def _latencies(result: Result) -> Iterator[str]:
    yield "ms, p50 / p99: the 202, from when the mail was due; SES's call, from the acceptance (delivery's id, SES's ledger):"
    names = ["202", *CLASSES.values()]
    yield f"{'mails a second':15}{'handed in':>12}" + "".join(
        f"{f'{name} {side}':>24}" for name in names for side in result.sides
    )
    for rate in result.mail_rates:
        offered = _middle(result.spread(rate, "here", lambda phase: phase.offered))
        cells: list[str] = []
        for name in names:
            for side in result.sides:
                halves = [
                    _middle(
                        result.spread(rate, side, accept_ms(share) if name == "202" else call_ms(share, name))
                    )
                    for share in (0.5, 0.99)
                ]
                cells.append(" / ".join(f"{half:.1f}" for half in halves))
        yield f"{rate.name:15}{offered:>12.0f}" + "".join(f"{cell:>24}" for cell in cells)


def _inside(result: Result) -> Iterator[str]:
    yield "Inside PostgreSQL, CPU us a mail (idle: a second) by session" + (
        "; here, there:" if result.there else ":"
    )
    rates = list(result.rates)
    parts = sorted({part for rate in rates for part in result.parts(rate) if part.startswith("postgres:")})
    yield f"{'':34}" + "".join(f"{rate.name:>17}" for rate in rates)
    for part in parts:
        cells = [_both(result, rate, part) for rate in rates]
        if any(
            _middle(result.spread(rate, side, of(part))) >= _SMALL for rate in rates for side in result.sides
        ):
            yield f"  {part.partition(':')[2]:32}" + "".join(f"{cell:>17}" for cell in cells)


def _counts(result: Result) -> Iterator[str]:
    yield "Counted a mail (idle: a second)" + ("; here, there:" if result.there else ":")
    yield f"{'':34}" + "".join(f"{rate.name:>17}" for rate in result.rates)
    for name in _COUNTS:
        cells = [
            ", ".join(f"{value:.{_digits(value)}f}" for value in _counted(result, rate, name))
            for rate in result.rates
        ]
        yield f"  {name.replace('_', ' '):32}" + "".join(f"{cell:>17}" for cell in cells)
    for part in ("all", "postgres", *ROLES, "others"):
        cells = [
            ", ".join(f"{value:.{_digits(value)}f}" for value in _woken(result, rate, part))
            for rate in result.rates
        ]
        yield f"  {f'wake-ups, {part}':32}" + "".join(f"{cell:>17}" for cell in cells)


def _counted(result: Result, rate: Rate, name: str) -> list[float]:
    return [
        _middle(result.spread(rate, side, lambda phase: phase.per(phase.database.get(name, 0.0))))
        for side in result.sides
    ]


def _woken(result: Result, rate: Rate, part: str) -> list[float]:
    return [_middle(result.spread(rate, side, lambda phase: phase.woken(part))) for side in result.sides]


def _calls(result: Result) -> Iterator[str]:
    names = sorted({name for calls in result.calls.values() for name in calls})
    if not names:
        return
    yield "Calls a mail (idle: a second), counted in phases of their own" + (
        "; here, there:" if result.there else ":"
    )
    yield f"{'':46}" + "".join(f"{rate.name:>17}" for rate in result.rates)
    for name in names:
        values = [
            [result.calls.get((rate, side), {}).get(name, 0.0) for side in result.sides]
            for rate in result.rates
        ]
        if max(max(one) for one in values) >= 0.01:
            yield f"  {name:44}" + "".join(
                f"{', '.join(f'{v:.{_digits(v)}f}' for v in one):>17}" for one in values
            )


def _memory(result: Result) -> Iterator[str]:
    yield "Resident megabytes of the roles' processes, at the start and at the end:"
    for side in result.sides:
        cells = [
            f"{name} {start:.0f} to {end:.0f}" for name, (start, end) in sorted(result.resident[side].items())
        ]
        yield f"  {side}: " + ", ".join(cells)
    for side, ms in result.between.items():
        yield f"CPU of {side} outside of its phases: {ms:.1f} ms a second; more than idle is work left behind."


def _digits(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2


def _middle(spread: Spread | None) -> float:
    return spread.middle if spread else 0.0


def _figure(spread: Spread | None) -> str:
    return f"{spread.middle:,.0f} ({spread.least:,.0f}-{spread.most:,.0f})" if spread else "-"


def _ratio(spread: Spread | None) -> str:
    return f"{spread.middle:.2f} ({spread.least:.2f} to {spread.most:.2f})" if spread else "-"


def json_line(result: Result) -> str:
    return json.dumps(
        {
            "rates": {rate.name: _of_rate(result, rate) for rate in result.rates},
            "goals": [
                {
                    "goal": goal.what,
                    "bound": goal.bound,
                    "measured": _plain(goal.measured),
                    "verdict": goal.verdict,
                }
                for goal in goals(result)
            ],
            "resident_megabytes": result.resident,
            "between_ms_a_second": {side: round(value, 2) for side, value in result.between.items()},
            "rounds": len(result.rounds),
            "others_share_of_cpu": round(result.others(), 3),
        }
    )


def _of_rate(result: Result, rate: Rate) -> dict[str, Any]:
    said: dict[str, Any] = {side: _of_side(result, rate, side) for side in result.sides}
    if result.phases(rate, BARE):
        said[BARE] = {"us": _plain(result.spread(rate, BARE, each)), "threads": rate.bare_threads}
        said[BARE]["offered"] = round(_middle(result.spread(rate, BARE, lambda phase: phase.offered)), 1)
    said["ratio"] = _plain(result.ratio(rate, THERE, each))
    said["ratio_to_bare"] = _plain(result.ratio(rate, BARE, each))
    return said


def _of_side(result: Result, rate: Rate, side: str) -> dict[str, Any]:
    def middle(figure: Any) -> float:
        return round(_middle(result.spread(rate, side, figure)), 3)

    def halves(figure: Any, *of_kind: str) -> dict[str, float]:
        return {name: middle(figure(share, *of_kind)) for name, share in (("p50", 0.5), ("p99", 0.99))}

    said: dict[str, Any] = {
        "us": _plain(result.spread(rate, side, each)),
        "us_by_part": {part: middle(of(part)) for part in (*_PARTS, *result.parts(rate))},
        "database": {
            name: middle(lambda phase, name=name: phase.per(phase.database.get(name, 0.0)))
            for name in _COUNTS
        },
        "wakeups": {part: middle(lambda phase, part=part: phase.woken(part)) for part in ("all", *_PARTS)},
        "calls": {name: round(value, 4) for name, value in result.calls.get((rate, side), {}).items()},
    }
    if not rate.idle:
        said["offered"] = middle(lambda phase: phase.offered)
        said["accept_ms"] = halves(accept_ms)
        said["accept_to_call_ms"] = {kind: halves(call_ms, kind) for kind in CLASSES.values()}
        said["request_to_call_ms"] = {kind: halves(whole_ms, kind) for kind in CLASSES.values()}
    return said


def _plain(spread: Spread | None) -> dict[str, float] | None:
    return {name: round(value, 4) for name, value in asdict(spread).items()} if spread else None


def phase_line(phase: Phase) -> str:
    """While it runs."""
    unit = "us a second" if phase.rate.idle else "us a mail"
    return f"{phase.rate.name} {phase.side}: {phase.each:,.0f} {unit}"
