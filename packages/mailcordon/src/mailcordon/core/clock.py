"""The clocks of this host."""

import time


def boot_time() -> float:
    """Seconds since boot, including sleep where the system supports it."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def host_ms() -> int:
    """The time of day in milliseconds since 1970. It may be set back."""
    return time.time_ns() // 1_000_000
