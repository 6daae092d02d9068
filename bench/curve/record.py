"""What one phase gave: one side at one rate in one round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.curve.plan import Rate

ROLES = ("api", "dispatch", "observe", "control")  #: the others, guardians and the supervisor are `others`
HERE, THERE, BARE = "here", "there", "bare"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    rate: Rate
    side: str  #: `here`, `there` or `bare`
    mails: int  #: 0 of an idle phase
    seconds: float  #: that CPU was counted for
    offered: float = 0.0  #: mails a second that were handed in
    cpu: Mapping[str, float]  #: CPU seconds by part; parts of PostgreSQL are named `postgres:...`
    wakeups: Mapping[str, float] = field(default_factory=dict[str, float])  #: by part
    database: Mapping[str, float] = field(default_factory=dict[str, float])  #: commits, rows, WAL bytes ...
    accepts: Sequence[float] = ()  #: seconds from when a mail was due to its 202, sorted
    calls: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])
    #: milliseconds from acceptance to SES's call, sorted, by class
    whole: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])
    #: milliseconds from handing in to SES's call, sorted, by class
    others: float = 0.0  #: share of the machine's CPU that processes of others used

    @property
    def each(self) -> float:
        """CPU microseconds a mail; of an idle phase, a second."""
        return self.per(sum(self.cpu.values())) * 1e6

    def per(self, value: float) -> float:
        """For each mail; of an idle phase, for each second."""
        return value / (self.seconds if self.rate.idle else self.mails)

    def of(self, part: str) -> float:
        """CPU microseconds a mail of one part, in which its own parts are included."""
        return self.per(part_of(self.cpu, part)) * 1e6

    def woken(self, part: str) -> float:
        """Wake-ups a mail of one part, or of `all`."""
        return self.per(sum(self.wakeups.values()) if part == "all" else part_of(self.wakeups, part))


def part_of(values: Mapping[str, float], part: str) -> float:
    """`postgres` is all of its processes; `others` everything that is no role and not PostgreSQL."""
    if part == "others":
        return sum(v for name, v in values.items() if name.partition(":")[0] not in (*ROLES, "postgres"))
    return sum(v for name, v in values.items() if part in (name, name.partition(":")[0]))


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of sorted values; 0 if there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
