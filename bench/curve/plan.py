"""What is measured: the rates, how long each, and in which order the sides take turns."""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 400  #: keep-alive connections of a paced rate
UNANSWERED = 200  #: requests at a time; the API refuses a key's 257th
CALLERS = 64  #: of the flood, each with one open request
BARE_CALL = 0.004  #: seconds that one bare call may take, so that a thread keeps its pace
VCPU_HOUR = 0.04048  #: USD, an example: AWS Fargate, Linux on x86, us-east-1, as published
_DEFAULT_RATES = "0,10,50,200,500,1000,flood"


@dataclass(frozen=True, slots=True)
class Rate:
    """Mails a second. 0: idle. None: the flood, as fast as they are taken."""

    per_second: int | None

    @property
    def idle(self) -> bool:
        return self.per_second == 0

    @property
    def flood(self) -> bool:
        return self.per_second is None

    @property
    def name(self) -> str:
        return "flood" if self.per_second is None else "idle" if self.idle else str(self.per_second)

    def mails(self, seconds: float, flood: int) -> int:
        return flood if self.per_second is None else round(self.per_second * seconds)

    @property
    def connections(self) -> int:
        return CALLERS if self.flood else CONNECTIONS

    @property
    def bare_threads(self) -> int:
        """As few as keep the pace: more would cost bare boto3 switches between threads. The flood has one, as `bench send`."""
        return 1 if self.per_second is None else max(1, math.ceil(self.per_second * BARE_CALL))


FLOOD, IDLE = Rate(None), Rate(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    rates: Sequence[Rate]
    seconds: float  #: of mail at each paced rate
    idle_seconds: float
    settle_seconds: float  #: of rest before that
    flood: int  #: mails of a flood
    rounds: int
    against: Path | None  #: another checkout
    counts: bool  #: count system calls and calls of database functions, after the rounds
    sustain: int | None  #: mails a second of a sustained run, which measures nothing else
    minutes: float
    page: Path | None
    vcpu_hour: float  #: USD
    json: bool


def parse(argv: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="./dev bench curve", description=__doc__)
    add = parser.add_argument
    add(
        "--rates",
        type=_rates,
        default=_rates(_DEFAULT_RATES),
        help=f"mails a second, 0 for idle (default {_DEFAULT_RATES})",
    )
    add("--seconds", type=_positive, help="of mail at each rate in each round (default 10; 4 with --quick)")
    add(
        "--idle-seconds", type=_positive, help="of an idle system in each round (default 30; 10 with --quick)"
    )
    add("--flood", type=_count, help="mails of a flood in each round (default 6000; 2000 with --quick)")
    add("--rounds", type=_count, help="times that all is measured in turn (default 3; 1 with --quick)")
    add(
        "--against",
        type=Path,
        metavar="PATH",
        help="another checkout to compare this one with; it is set up by its ./dev",
    )
    add(
        "--quick",
        action="store_true",
        help="short phases, one round, no counting of calls: to see where one stands",
    )
    add(
        "--sustain",
        type=_count,
        metavar="RATE",
        help="instead: hand in RATE mails a second for minutes on end",
    )
    add("--minutes", type=_positive, default=10.0, help="of a sustained run (default %(default)g)")
    add(
        "--page",
        type=Path,
        metavar="FILE",
        help="write the measured table into this page, between its markers",
    )
    add(
        "--vcpu-hour",
        type=_positive,
        default=VCPU_HOUR,
        metavar="USD",
        help="price of a vCPU hour on that page (default %(default)g)",
    )
    add("--json", action="store_true", help="end with one line of JSON")
    given = parser.parse_args(argv)
    if given.sustain and (given.against or given.page):
        parser.error("--sustain measures this checkout alone")
    if given.page and (IDLE not in given.rates or all(rate.idle or rate.flood for rate in given.rates)):
        parser.error("--page needs rate 0 and at least one paced rate")
    quick = given.quick
    return Options(
        rates=given.rates,
        seconds=given.seconds or (4.0 if quick else 10.0),
        idle_seconds=given.idle_seconds or (10.0 if quick else 30.0),
        settle_seconds=10.0 if quick else 60.0,  # loops rest longer and longer, for 30 s at most
        flood=given.flood or (2000 if quick else 6000),
        rounds=given.rounds or (1 if quick else 3),
        against=given.against,
        counts=not quick,
        sustain=given.sustain,
        minutes=given.minutes,
        page=given.page,
        vcpu_hour=given.vcpu_hour,
        json=given.json,
    )


def order(sides: Sequence[str], turn: int) -> Iterator[str]:
    """The sides take turns at going first."""
    for place in range(len(sides)):
        yield sides[(turn + place) % len(sides)]


def _rates(text: str) -> list[Rate]:
    """Each once, from idle to the flood."""
    found: set[int | None] = set()
    for one in text.split(","):
        if one != "flood" and not one.isdigit():
            raise argparse.ArgumentTypeError(f"{one!r} is neither a whole number nor `flood`")
        found.add(None if one == "flood" else int(one))
    return [Rate(one) for one in sorted(found, key=lambda one: math.inf if one is None else one)]


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no positive number")
    return value
