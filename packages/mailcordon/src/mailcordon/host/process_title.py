"""What other programs read about this process in /proc: its command line and its environment. Linux only.

A process that was forked shows those of the process that forked it. They are set by PR_SET_MM_MAP (prctl(2)), which moves the
kernel's notion of where both lie in our memory.
"""

import ctypes
import mmap
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_PR_SET_MM = 35
_PR_SET_MM_MAP = 14
_PR_SET_MM_MAP_SIZE = 15
_NO_FILE = 2**32 - 1  #: the program's file stays as it is

_kept: list[mmap.mmap] = []  #: the kernel reads from it as long as we live


class _Map(ctypes.Structure):
    """`struct prctl_mm_map` of <linux/prctl.h>."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("start_code", "end_code", "start_data", "end_data")),
        *((name, ctypes.c_uint64) for name in ("start_brk", "brk", "start_stack")),
        *((name, ctypes.c_uint64) for name in ("arg_start", "arg_end", "env_start", "env_end", "auxv")),
        *((name, ctypes.c_uint32) for name in ("auxv_size", "exe_fd")),
    )


def can_be_set() -> bool:
    """Whether this kernel lets a process without special rights set them."""
    if sys.platform != "linux":
        return False
    size = ctypes.c_uint(0)
    done = _prctl(_PR_SET_MM, _PR_SET_MM_MAP_SIZE, ctypes.addressof(size), 0)
    return done == 0 and size.value == ctypes.sizeof(_Map)


def set_both(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Sets the command line and the environment that /proc shows. `os.environ` stays as it is. Raises OSError."""
    arguments = _strings(command)
    settings = _strings(f"{name}={value}" for name, value in environment.items())
    # The kernel shows private memory only.
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    memory = mmap.mmap(-1, len(arguments) + len(settings) + 1, flags=flags)
    memory.write(arguments + settings)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    middle = start + len(arguments)
    # proc(5): the first field after the name is number 3.
    fields = [0, 0, 0, *Path("/proc/self/stat").read_text().rpartition(")")[2].split()]
    libc = ctypes.CDLL(None)
    libc.sbrk.restype = ctypes.c_void_p
    new = _Map(
        start_code=int(fields[26]),
        end_code=int(fields[27]),
        start_stack=int(fields[28]),
        start_data=int(fields[45]),
        end_data=int(fields[46]),
        start_brk=int(fields[47]),
        brk=libc.sbrk(0),
        arg_start=start,
        arg_end=middle,
        env_start=middle,
        env_end=middle + len(settings),
        exe_fd=_NO_FILE,
    )
    if _prctl(_PR_SET_MM, _PR_SET_MM_MAP, ctypes.addressof(new), ctypes.sizeof(new)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    _kept.append(memory)


def _strings(texts: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(text) + b"\0" for text in texts)


def _prctl(option: int, second: int, third: int, fourth: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.prctl(option, *(ctypes.c_ulong(one) for one in (second, third, fourth, 0))))
