"""Import and export jobs, which continue after the call that started them. Ended jobs are kept up to a number, and their files up
to a number of bytes; the oldest are dropped first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from seslocal.errors import limit_exceeded
from seslocal.state.s3_directory import S3Directory

MOST_RUNNING: Final = 20
_MOST_KEPT: Final = 1000
_MOST_BYTES: Final = 64 * 1024 * 1024


@dataclass(slots=True, eq=False)
class Job:
    id: str
    kind: str  #: ImportDestinationType or ExportSourceType
    request: dict[str, Any]
    created: float
    status: str  #: CREATED, PROCESSING, COMPLETED, FAILED or CANCELLED
    completed: float | None = None
    processed: int = 0  #: records read
    failed: int = 0  #: records that could not be imported
    exported: int = 0  #: records written
    error: str | None = None  #: why it failed
    file_name: str = ""
    file: bytes = b""  #: the export, or the records that failed

    @property
    def has_ended(self) -> bool:
        return self.status in ("COMPLETED", "FAILED", "CANCELLED")

    def end(self, status: str, at: float, error: str | None = None) -> None:
        self.status, self.completed, self.error = status, at, error


class Jobs:
    def __init__(self) -> None:
        self._by_id: dict[str, Job] = {}

    def __iter__(self) -> Iterator[Job]:
        return iter(self._by_id.values())

    def get(self, job_id: str) -> Job | None:
        return self._by_id.get(job_id)

    def add(self, job: Job, what: str) -> None:
        """Raises ApiError if too many jobs are running."""
        if sum(not other.has_ended for other in self) >= MOST_RUNNING:
            raise limit_exceeded(
                f"There are too many {what} jobs running - either cancel one of the jobs or wait for it to complete "
                "before resubmitting."
            )
        self._by_id[job.id] = job
        self._forget()

    def _forget(self) -> None:
        size = sum(len(job.file) for job in self)
        for job in list(self):
            if len(self._by_id) <= _MOST_KEPT and size <= _MOST_BYTES:
                return
            if job.has_ended:
                size -= len(job.file)
                del self._by_id[job.id]


class JobState:
    def __init__(self, home: str | None) -> None:
        self.imports = Jobs()
        self.exports = Jobs()
        self.files = S3Directory(home)  #: what imports read


def by_age(job: Job) -> str:
    return f"{job.created:017.6f}{job.id}"


def newest_first(job: Job) -> str:
    return f"{1e10 - job.created:017.6f}{job.id}"
