"""Firehose streams that deliver to an HTTP endpoint, with the records that wait for the next batch."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class FirehoseStream:
    name: str
    url: str
    access_key: str | None = None
    seconds: float = 60.0  #: how long a record waits for others
    most_bytes: int = 5 * 1024 * 1024  #: of records in a batch
    attributes: dict[str, str] = field(default_factory=dict[str, str])  #: common attributes of each batch
    records: list[bytes] = field(default_factory=list[bytes])
    size: int = 0
    batch: int = 0  #: number of the current batch
