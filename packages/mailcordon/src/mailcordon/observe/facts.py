"""What an observe process knows of its own work (app/heartbeat.py). Times are milliseconds since 1970, of this host's clock."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mailcordon.core.clock import host_ms
from mailcordon.core.histogram import Histogram
from mailcordon.observe.ingest import Report

LEFT_MS = 120_000  #: how long it is reported; SQS brings a message that was left back after 30 s
#: Bounds in seconds. SES publishes most events within seconds, a bounce after days of retries too; a replay brings older ones.
LAG_SECONDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 86_400.0)


@dataclass(slots=True)
class Totals:
    """Counts of one pipeline since its start."""

    received: int = 0
    stored: int = 0  #: messages whose batch was committed
    batches: int = 0
    copies: int = 0
    elsewhere: int = 0
    notices: int = 0
    odd: int = 0
    counted: Counter[str] = field(default_factory=Counter[str])
    quarantined: Counter[str] = field(default_factory=Counter[str])
    not_kept: Counter[str] = field(default_factory=Counter[str])  #: of these, only counted

    def add(self, messages: int, report: Report) -> None:
        self.stored += messages
        self.batches += 1
        self.copies += report.copies
        self.elsewhere += report.elsewhere
        self.notices += report.notices
        self.odd += report.odd
        self.counted.update({kind.word: count for kind, count in report.counted.items()})
        self.quarantined.update(report.quarantined)
        self.not_kept.update(report.not_kept)


@dataclass(slots=True)
class QueueFacts:
    """Of one queue since the start. Kept by its pipeline."""

    name: str
    totals: Totals
    last_receive: int | None = None  #: the last answer of the queue, with messages or without
    last_event: int | None = None  #: the last commit of a batch with messages
    #: Whether it receives: False while the database is away or the queue does not answer.
    live: bool = False
    problem: str | None = None  #: why it does not receive
    uncertain: str | None = None  #: why it stopped receiving: a certificate of SNS cannot be fetched
    waiting: int | None = (
        None  #: messages in the queue when they were last counted, those that are being read included
    )
    #: When messages were last left in the queue, as nobody knows whether their certificate exists, and why.
    last_left: tuple[int, str] | None = None
    lag_seconds: Histogram = field(default_factory=lambda: Histogram(LAG_SECONDS))

    def answered(self) -> None:
        self.last_receive = host_ms()
        self.live, self.problem = True, None

    def failed(self, problem: str) -> None:
        self.live, self.problem = False, problem

    def committed(self, event_times: Iterable[int] = ()) -> None:
        """A batch with messages. `event_times`: when its events happened."""
        now = self.last_event = host_ms()
        for at in event_times:
            self.lag_seconds.add((now - at) / 1000)

    def left(self, why: str) -> None:
        self.last_left = (host_ms(), why)

    def document(self) -> dict[str, object]:
        left = self.last_left
        return {
            "name": self.name,
            "last_receive": self.last_receive,
            "last_event": self.last_event,
            "received": self.totals.received,
            "stored": self.totals.stored,
            "quarantined": sum(self.totals.quarantined.values()),
            "unverified": self.totals.quarantined["unverified"],
            "odd": self.totals.odd,
            "not_kept": sum(self.totals.not_kept.values()),
            "waiting": self.waiting,
            "live": self.live,
            "problem": self.problem,
            "uncertain": self.uncertain,
            "left": left[1] if left is not None and host_ms() - left[0] < LEFT_MS else None,
        }


def document(queues: Sequence[QueueFacts], version_1_topics: Iterable[str] = ()) -> dict[str, object]:
    """`version_1_topics`: ARNs of topics that sign with SHA-1."""
    return {
        "queues": [queue.document() for queue in queues],
        "version_1_topics": sorted(version_1_topics),
    }
