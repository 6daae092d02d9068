"""What a door has refused. The API reports it (app/heartbeat.py), `mailcordon status` adds it up over all processes."""

from collections import Counter
from dataclasses import dataclass, field

from mailcordon.core.clock import host_ms


@dataclass(slots=True)
class DoorFacts:
    """Of one process since its start."""

    refused: Counter[str] = field(default_factory=Counter[str])  #: by limit (Limit in limits.py)
    last_refusal: int | None = None  #: milliseconds since 1970
    connections: int = 0  #: open now
    body_bytes: int = 0  #: of bodies in memory or announced, now

    def refuse(self, limit: str) -> None:
        self.refused[limit] += 1
        self.last_refusal = host_ms()

    def document(self) -> dict[str, object]:
        return {
            "door": {
                "refused": dict(self.refused),
                "last_refusal": self.last_refusal,
                "connections": self.connections,
                "body_bytes": self.body_bytes,
            }
        }
