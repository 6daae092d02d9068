"""How long each kind of row is kept. Pure: settings, the clock and what there is go in; what to make and what to drop comes out.

Rows of mail lie in one partition for each day of their ids, and a day is dropped as a whole, once all of it is older than the
retention of its kind. Everything else is deleted row by row.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

DAY_MS = 86_400_000
FIRST_DAY = date(2026, 1, 1)  #: of ids (core/ids.py)
DAYS_AHEAD = 14
#: A body is needed as long as its mail may be sent, so it outlives the longest expiry of any lane by this much.
MARGIN_DAYS = 1

#: Nothing is dropped unless so many last days have partitions: a clock that stepped weeks ahead makes every day look old. No more
#: than the least retention.
SETTLED_DAYS = 4

#: Tables with a partition for each day, by what they hold.
BODIES = frozenset({"content"})
RECORDS = frozenset({"message", "recipient", "ledger", "event", "outcome", "note", "send_event"})
#: Counts by minute and by hour (core/cohort.py).
COUNTS = frozenset({"cohort_minute", "cohort_hour"})
DAILY = BODIES | RECORDS | COUNTS

#: The promise of an idempotency key (docs/send-path.md).
IDEMPOTENCY_MS = DAY_MS
#: An urgent body that no queue needs is deleted with its last delivery. What a crash left is deleted at this age, at which nearly
#: all others are gone too.
URGENT_BODIES_MS = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """The settings MAILCORDON_KEEP_BODIES_DAYS, _RECORDS_DAYS, _PLANS_DAYS, _MINUTE_COUNTS_DAYS, _HOUR_COUNTS_DAYS and
    _DAY_COUNTS_DAYS."""

    bodies_days: int = 7  #: after accept
    records_days: int = 90  #: after accept
    plans_days: int = 400  #: after the end of the plan
    #: After the call to SES.
    minute_counts_days: int = 14
    hour_counts_days: int = 90
    day_counts_days: int = 1096

    def days_of(self, table: str, longest_expiry_ms: int) -> int:
        """How many whole days of a table are kept besides today. Raises KeyError for a table without daily partitions."""
        if table not in DAILY:
            raise KeyError(table)
        if table in COUNTS:
            return self.minute_counts_days if table == "cohort_minute" else self.hour_counts_days
        kept = self.bodies_days if table in BODIES else self.records_days
        return max(kept, -(-longest_expiry_ms // DAY_MS) + MARGIN_DAYS)


@dataclass(frozen=True, slots=True, order=True)
class TableDay:
    """The rows of one table whose ids are of one day (UTC)."""

    day: date
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the database has, at one time."""

    today: date  #: UTC, by the database's clock
    longest_expiry_ms: int  #: of all lanes
    partitions: Collection[TableDay]
    in_default: Collection[TableDay]  #: rows that had no partition when they were inserted


def missing(stored: Stored, keep: Keep) -> list[TableDay]:
    """Partitions to make: those of the days from yesterday on, and where rows are in a default partition, but for days past
    retention. Today's first, so that no more rows go to the default partitions, then those ahead."""
    ahead = {
        TableDay(day, table)
        for day in (stored.today + timedelta(days=n) for n in range(-1, DAYS_AHEAD))
        for table in DAILY
        if day >= FIRST_DAY
    }
    wanted = (ahead | set(stored.in_default)) - set(stored.partitions) - set(expired(stored, keep))
    return sorted(wanted, key=lambda each: (each.day < stored.today, each))


def is_settled(stored: Stored) -> bool:
    """Whether today was reached step by step, as far as the partitions show: they reach `DAYS_AHEAD` from the day on which
    control last ran, so a longer step of the clock, or a longer absence of control, leaves a gap before today."""
    last = {stored.today - timedelta(days=n) for n in range(SETTLED_DAYS)}
    return last <= {each.day for each in stored.partitions if each.table == "message"}


def expired(stored: Stored, keep: Keep) -> list[TableDay]:
    """Days to drop, the oldest first: those whose last id is older than the retention."""
    return sorted(
        each
        for each in {*stored.partitions, *stored.in_default}
        if each.table in DAILY
        and each.day < stored.today - timedelta(days=keep.days_of(each.table, stored.longest_expiry_ms))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """One table with all its partitions."""

    table: str
    bytes: int  #: on disk, with indexes
    first_day: date | None = None  #: its oldest partition; None without daily partitions
    last_day: date | None = None  #: its furthest partition
    in_default: int = 0  #: rows that had no partition; counted to at most MOST_COUNTED


MOST_COUNTED = 100_000  #: rows in a default partition; more are not counted, so that the answer is quick


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What the tables take on disk, and how far the partitions reach."""

    today: date  #: UTC, by the database's clock
    tables: tuple[TableSize, ...]  #: the largest first

    @property
    def bytes(self) -> int:
        return sum(each.bytes for each in self.tables)

    @property
    def days_left(self) -> int | None:
        """Days after today for which every table has a partition; negative if today has none. None if a table has
        no partition at all."""
        last = [each.last_day for each in self.tables if each.table in DAILY]
        return None if None in last or not last else min((day - self.today).days for day in last if day)

    @property
    def oldest_day(self) -> date | None:
        """The oldest day of which records are kept."""
        return min((each.first_day for each in self.tables if each.first_day), default=None)

    @property
    def in_default(self) -> int:
        """Rows in default partitions: more than 0 means that partitions were missing, or that control does not run."""
        return sum(each.in_default for each in self.tables)
