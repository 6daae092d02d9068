"""When a process counts as running: each writes a row every two seconds."""

from typing import Literal

Role = Literal["api", "dispatch", "observe", "control"]
ROLES: tuple[Role, ...] = ("api", "dispatch", "observe", "control")

BEAT_EVERY = 2.0  #: seconds between two reports of a process
#: Four reports missed: a garbage collection or a slow commit is no silence. Milliseconds.
SILENT_AFTER_MS = 10_000
FORGET_AFTER_MS = 3_600_000  #: the row of a process that ended is kept this long, to be seen


def silent(beat: int | None, now: int) -> bool:
    """Whether a process whose last report is this old counts as not running. Times are milliseconds since 1970.

    A report from the future says nothing of now: the database's clock was set back after it.
    """
    return beat is None or abs(now - beat) > SILENT_AFTER_MS
