"""What must hold, and whether it was measured to hold."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.curve.figures import Result, Spread, accept_ms, call_ms, each
from bench.curve.plan import FLOOD, IDLE, Rate
from bench.curve.record import BARE, THERE

#: CPU a mail (idle: a second), divided by that of the other checkout, at most.
AGAINST = {IDLE: 0.25, Rate(50): 0.2, Rate(200): 0.25, Rate(1000): 0.4, FLOOD: 0.6}
BESIDE_BARE = 1.0  #: at no rate from 50 to 1,000 a second dearer than bare boto3 paced alike
FLOOD_BESIDE_BARE = 0.4
ACCEPT_P50 = 2.0  #: of the 202, divided by that of the other checkout
URGENT_P99 = 1.0  #: of accept-to-call
SUSTAINED = 3000  #: mails a second on two cores
SUSTAINED_AIM = 5000


@dataclass(frozen=True, slots=True)
class Goal:
    what: str
    bound: float
    measured: Spread | None

    @property
    def verdict(self) -> str:
        found = self.measured
        if found is None:
            return "not measured"
        held = "held" if found.middle <= self.bound else "NOT HELD"
        return f"{held}, but the rounds do not agree" if found.least <= self.bound < found.most else held


def goals(result: Result) -> Iterator[Goal]:
    if result.there:
        for rate, bound in AGAINST.items():
            unit = "CPU a second" if rate.idle else "CPU a mail"
            yield Goal(
                f"{_name(rate)}: {unit}, to the other checkout", bound, result.ratio(rate, THERE, each)
            )
    for rate in result.mail_rates:
        if rate.flood or 50 <= (rate.per_second or 0) <= 1000:
            bound = FLOOD_BESIDE_BARE if rate.flood else BESIDE_BARE
            yield Goal(f"{_name(rate)}: CPU a mail, to bare boto3", bound, result.ratio(rate, BARE, each))
    if result.there:
        for rate in result.mail_rates:
            yield Goal(
                f"{_name(rate)}: p50 of the 202, to the other checkout",
                ACCEPT_P50,
                result.ratio(rate, THERE, accept_ms(0.5)),
            )
        for rate in result.mail_rates:
            found = result.ratio(rate, THERE, call_ms(0.99, "urgent"))
            yield Goal(
                f"{_name(rate)}: p99 accept to call of urgent mail, to the other checkout", URGENT_P99, found
            )


def _name(rate: Rate) -> str:
    return rate.name if rate.per_second is None or rate.idle else f"{rate.per_second:,} a second"
