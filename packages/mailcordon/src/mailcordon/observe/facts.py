"""What an observe process knows of its own work (app/heartbeat.py). Times are milliseconds since 1970, of this host's clock."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailcordon.core.clock import host_ms


@dataclass(slots=True)
class QueueFacts:
    """Of one queue since the start. Kept by its pipeline."""

    name: str
    last_receive: int | None = None  #: the last answer of the queue, with messages or without
    last_event: int | None = None  #: the last commit of a batch with messages
    received: int = 0
    stored: int = 0
    quarantined: int = 0
    #: Whether it receives: False while the database is away or the queue does not answer.
    live: bool = False
    problem: str | None = None  #: why it does not receive

    def answered(self, messages: int) -> None:
        self.last_receive = host_ms()
        self.received += messages
        self.live, self.problem = True, None

    def failed(self, problem: str) -> None:
        self.live, self.problem = False, problem

    def committed(self, messages: int, quarantined: int) -> None:
        self.last_event = host_ms()
        self.stored += messages
        self.quarantined += quarantined

    def document(self) -> dict[str, object]:
        return {
            "name": self.name,
            "last_receive": self.last_receive,
            "last_event": self.last_event,
            "received": self.received,
            "stored": self.stored,
            "quarantined": self.quarantined,
            "live": self.live,
            "problem": self.problem,
        }


def document(queues: Sequence[QueueFacts]) -> dict[str, object]:
    return {"queues": [queue.document() for queue in queues]}
