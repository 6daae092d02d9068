"""The clocks of this host."""

import time

_SINCE_BOOT: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_time() -> float:
    """Seconds since boot, including sleep where the system supports it."""
    return time.clock_gettime(_SINCE_BOOT)


def host_ms() -> int:
    """The time of day in milliseconds since 1970. It may be set back."""
    return time.time_ns() // 1_000_000
