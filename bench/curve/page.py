"""The measured block of docs/cost.md: what a mail costs at each rate, and a month at typical volumes.

Only measured figures get into it. Between two measured rates the CPU a second is taken as a straight line; that is an upper
bound where a mail gets cheaper with the rate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.curve.figures import Result, accept_ms, call_ms, each
from bench.curve.record import BARE, HERE, THERE
from bench.curve.report import BUSY, rounds
from bench.system import Failed

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
VOLUMES = (100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)  #: mails a month
HOURS = 730  #: of a month
SES_PRICE = 0.10  #: USD for 1,000 mails, as published


@dataclass(frozen=True, slots=True)
class Curve:
    """CPU seconds a second at rates of mail, by measured points from idle upwards."""

    points: Sequence[tuple[float, float]]

    def cores(self, rate: float) -> float:
        """Between points on a straight line; beyond the last at the last one's CPU a mail."""
        for (low, before), (high, after) in zip(self.points, self.points[1:], strict=False):
            if rate <= high:
                return before + (after - before) * (rate - low) / (high - low)
        last, cpu = self.points[-1]
        return cpu * rate / last


def curve(result: Result) -> Curve:
    points: list[tuple[float, float]] = []
    for rate in result.rates:
        found = result.spread(rate, HERE, each)
        if found is not None and rate.per_second is not None:
            points.append((rate.per_second, found.middle / 1e6 * (1 if rate.idle else rate.per_second)))
    return Curve(points)


def around(path: Path) -> tuple[str, str]:
    """What stands before and after the block. Raises Failed."""
    text = path.read_text() if path.is_file() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Failed(f"{path} is no page with lines {BEGIN} and {END}")
    return before, after


def rewrite(path: Path, result: Result, vcpu_hour: float, when: str) -> None:
    before, after = around(path)
    block = "\n".join(measured(result, vcpu_hour, when))
    path.write_text(f"{before}{BEGIN}\n\n{block}\n\n{END}{after}")


def measured(result: Result, vcpu_hour: float, when: str) -> Iterator[str]:
    commit = result.commits.get(HERE)
    place = f"{when} at {commit}" if commit else when
    yield f"Measured {place}. {result.engine}; {result.here.partition('; ')[2].partition(' (')[0]}."
    notes = "; ".join(result.notes)
    busy = "**: such figures are for orientation only**" if result.others() > BUSY else ""
    yield f"{rounds(result)}; {notes}. Others used {result.others():.0%} of the machine's CPU meanwhile{busy}."
    yield ""
    yield from _by_rate(result)
    yield ""
    yield from _by_month(curve(result), vcpu_hour)


def _by_rate(result: Result) -> Iterator[str]:
    other = result.commits.get(THERE) or "the other checkout"
    against = result.there is not None
    titles = ["mails a second", "CPU us a mail", "of a core", *([f"to {other}"] if against else []), "bare boto3, us a mail",
              "to bare boto3", "202: p50 / p99 ms", "urgent mail at SES: p50 / p99 ms"]  # fmt: skip
    yield f"| {' | '.join(titles)} |"
    yield "| " + " | ".join("---" for _ in titles) + " |"
    for rate in result.rates:
        here = result.spread(rate, HERE, each)
        if here is None:
            continue
        ratio, bare, to_bare = (
            result.ratio(rate, THERE, each),
            result.spread(rate, BARE, each),
            result.ratio(rate, BARE, each),
        )
        core = here.middle / 1e6 * (rate.per_second or 1)
        cells = [
            rate.name,
            f"{here.middle / 1000:.1f} ms a second" if rate.idle else f"{here.middle:,.0f}",
            "-" if rate.flood else f"{core:.1%}",
        ]
        if against:
            cells.append(f"{ratio.middle:.2f} ({ratio.least:.2f} to {ratio.most:.2f})" if ratio else "-")
        cells.append(f"{bare.middle:,.0f}" if bare else "-")
        cells.append(f"{to_bare.middle:.2f} ({to_bare.least:.2f} to {to_bare.most:.2f})" if to_bare else "-")
        for figure in (accept_ms, lambda share: call_ms(share, "urgent")):
            halves = [result.spread(rate, HERE, figure(share)) for share in (0.5, 0.99)]
            cells.append(
                "-" if rate.idle else " / ".join(f"{half.middle:.1f}" if half else "-" for half in halves)
            )
        yield f"| {' | '.join(cells)} |"


def _by_month(curve: Curve, vcpu_hour: float) -> Iterator[str]:
    yield f"At {vcpu_hour:g} USD for a vCPU hour and {SES_PRICE:.2f} USD for 1,000 mails of SES:"
    yield ""
    yield "| mails a month | mean, a second | cores busy, mean | CPU, USD | SES, USD | of SES's price |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for volume in VOLUMES:
        rate = volume / (HOURS * 3600)
        cores = curve.cores(rate)
        cost, ses = cores * HOURS * vcpu_hour, volume / 1000 * SES_PRICE
        yield f"| {volume:,} | {rate:,.2f} | {cores:.3f} | {cost:,.2f} | {ses:,.0f} | {cost / ses:.2%} |"
