"""Gives freed memory back to the operating system, where the C library can (glibc keeps what it may need again)."""

import ctypes


def give_back() -> None:
    """Takes some milliseconds for each 100 MB that the process has."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
