"""What a door has refused. The API reports it (app/heartbeat.py), `mailcordon status` adds it up over all processes."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class DoorFacts:
    """Of one process since its start."""

    refused: Counter[str] = field(default_factory=Counter[str])  #: by limit (Limit in limits.py)
    connections: int = 0  #: open now
    body_bytes: int = 0  #: of bodies in memory or announced, now

    def document(self) -> dict[str, object]:
        return {
            "door": {
                "refused": dict(self.refused),
                "connections": self.connections,
                "body_bytes": self.body_bytes,
            }
        }


def refused_in(documents: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The sum of what several processes refused, by limit: the most frequent first."""
    total: Counter[str] = Counter()
    for document in documents:
        total.update(document.get("door", {}).get("refused", {}))
    return dict(total.most_common())
