"""Times as people read them in a message: UTC, with the year, since reasons are kept for as long as their rows."""

import functools
from datetime import UTC, datetime


def day(ms: int) -> str:
    """`28 Nov 2026`, from milliseconds since 1970."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{moment.day} {moment:%b %Y}"


@functools.lru_cache(maxsize=1024)  # one hold's time is in the reason of each mail that it defers
def minute(ms: int) -> str:
    """`28 Nov 2026 15:23 UTC`, from milliseconds since 1970."""
    return f"{day(ms)} {datetime.fromtimestamp(ms / 1000, UTC):%H:%M} UTC"


def second(ms: int) -> str:
    """`15:23:07 UTC`, from milliseconds since 1970: for times within the next minutes."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%H:%M:%S} UTC"


def span(seconds: float) -> str:
    """`30 s`, `12 min`, `6 h`, `3 days`."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7_200:
        return f"{whole // 60} min"
    if whole < 172_800:
        return f"{whole // 3600} h"
    return f"{whole // 86_400} days"
