"""The result as a table for people and as a line for programs: medians of the rounds, and their spread."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

_BUSY = 0.1  #: share of the machine beyond which the work of others blurs the figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    messages: int
    wall: float  #: seconds, from the first request until all was recorded
    cpu: Mapping[str, float]  #: CPU seconds by part
    generator: float = 0.0  #: CPU seconds of the load generator, not counted
    others: float = 0.0  #: share of the machine's CPU that processes of others used
    beside: float = 0.0  #: CPU seconds that our idle system used meanwhile, per second
    latencies: Sequence[float] = field(default_factory=tuple)  #: seconds from request to answer, sorted

    @property
    def each(self) -> float:
        """CPU microseconds per message."""
        return sum(self.cpu.values()) / self.messages * 1e6

    @property
    def rate(self) -> float:
        return self.messages / self.wall

    def of(self, part: str) -> float:
        """CPU microseconds per message of one part; `postgres` is all of its processes."""
        seconds = sum(s for name, s in self.cpu.items() if name.partition(":")[0] == part or name == part)
        return seconds / self.messages * 1e6

    def quantile(self, share: float) -> float:
        return (
            self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]
            if self.latencies
            else 0.0
        )


@dataclass(frozen=True, slots=True)
class Round:
    bare: Phase
    quiet: Phase  #: governed, nobody reads the events
    events: Phase  #: governed, with its events

    @property
    def ratio(self) -> float:
        return self.events.each / self.bare.each


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    rounds: Sequence[Round]
    engine: str
    interpreter: str
    lanes: int
    concurrency: int

    def spread(self, figure: Callable[[Round], float]) -> tuple[float, float, float]:
        """Median, least and most."""
        values = [figure(one) for one in self.rounds]
        return median(values), min(values), max(values)

    def others(self) -> float:
        return median(phase.others for one in self.rounds for phase in (one.bare, one.quiet, one.events))

    def parts(self) -> dict[str, tuple[float, float]]:
        """Each part's median CPU microseconds a message, without and with events. Those of PostgreSQL lie inside `postgres`."""
        names = {name for one in self.rounds for name in (*one.quiet.cpu, *one.events.cpu)}
        heads = {name.partition(":")[0] for name in names}
        return {
            name: (
                median(one.quiet.of(name) for one in self.rounds),
                median(one.events.of(name) for one in self.rounds),
            )
            for name in sorted(names | heads)
        }


def table(result: Result) -> str:
    sides = (
        ("bare boto3 send_email", lambda r: r.bare),
        ("governed, without events", lambda r: r.quiet),
        ("governed, with its 2 events", lambda r: r.events),
    )
    lines = ["", f"{'':29}{'CPU us per message':^26}{'messages per second':^26}"]
    for name, phase in sides:
        each = result.spread(lambda r, phase=phase: phase(r).each)
        rate = result.spread(lambda r, phase=phase: phase(r).rate)
        lines.append(f"{name:29}{_figure(each):26}{_figure(rate):26}")
    lines += ["", "Where it goes, CPU us per message (without / with events):"]
    for name, (quiet, events) in result.parts().items():
        if ":" in name and max(quiet, events) < 0.5:
            continue
        lines.append(
            f"  {'  ' + name.partition(':')[2] if ':' in name else name:36}{quiet:8.1f}{events:8.1f}"
        )
    generator = median(one.events.generator / one.events.messages * 1e6 for one in result.rounds)
    beside = median(one.bare.beside * 1e6 for one in result.rounds)
    p50, p99 = (median(one.events.quantile(q) * 1000 for one in result.rounds) for q in (0.5, 0.99))
    ratio = result.spread(lambda r: r.ratio)
    others = result.others()
    lines += [
        "",
        f"Not counted: load generator {generator:.0f} us per message; the local SES. "
        f"Our idle system used {beside:.0f} us per second beside boto3.",
        f"202 after {p50:.1f} ms in the median, {p99:.1f} ms at p99, with {result.concurrency} callers on {result.lanes} lanes.",
        f"{result.engine}; {len(result.rounds)} rounds of "
        f"{result.rounds[0].events.messages} governed and {result.rounds[0].bare.messages} bare mails.",
        result.interpreter + ".",
        f"Others used {others:.0%} of this machine's CPU meanwhile"
        + (": such figures are for orientation only." if others > _BUSY else "."),
        f"cpu_ratio {ratio[0]:.3f} (from {ratio[1]:.3f} to {ratio[2]:.3f}): governed with events / bare",
    ]
    return "\n".join(lines)


def json_line(result: Result) -> str:
    ratio = result.spread(lambda r: r.ratio)
    parts = result.parts()
    return json.dumps(
        {
            "cpu_ratio": round(ratio[0], 4),
            "cpu_ratio_spread": [round(ratio[1], 4), round(ratio[2], 4)],
            "us_per_message": {
                "bare": _rounded(result, lambda r: r.bare.each),
                "governed": _rounded(result, lambda r: r.quiet.each),
                "governed_with_events": _rounded(result, lambda r: r.events.each),
            },
            "messages_per_second": {
                "bare": _rounded(result, lambda r: r.bare.rate),
                "governed": _rounded(result, lambda r: r.quiet.rate),
                "governed_with_events": _rounded(result, lambda r: r.events.rate),
            },
            "us_per_message_by_role": {
                name: round(events, 1) for name, (_, events) in parts.items() if ":" not in name
            },
            "us_per_message_in_postgres": {
                name.partition(":")[2]: round(events, 1) for name, (_, events) in parts.items() if ":" in name
            },
            "messages": [one.events.messages for one in result.rounds],
            "concurrency": result.concurrency,
            "others_share_of_cpu": round(result.others(), 3),
        }
    )


def _figure(spread: tuple[float, float, float]) -> str:
    middle, least, most = spread
    return f"{middle:8.0f}  ({least:.0f} to {most:.0f})"


def _rounded(result: Result, figure: Callable[[Round], float]) -> float:
    return round(result.spread(figure)[0], 1)
