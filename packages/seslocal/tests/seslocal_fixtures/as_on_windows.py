"""`python as_on_windows.py OPTIONS` runs `python -m seslocal` without what Windows lacks: fcntl, resource and uvloop; the event
loop's signal handlers, readers and unix sockets; text files in UTF-8 unless a call says so; replacing a file that is open.
Nothing was run on Windows."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn


def _not_there(*_: object, **__: object) -> NoReturn:
    raise NotImplementedError


_refused: Any = _not_there


class Loop(asyncio.SelectorEventLoop):
    """What ProactorEventLoop refuses."""

    add_signal_handler = remove_signal_handler = _refused
    add_reader = remove_reader = add_writer = remove_writer = _refused
    create_unix_server = create_unix_connection = _refused


class Policy(asyncio.DefaultEventLoopPolicy):
    _loop_factory = Loop


def _is_open(path: Any) -> bool:
    wanted = os.path.realpath(path)
    return any(os.path.realpath(each) == wanted for each in Path("/proc/self/fd").iterdir())


def refusing_open_files(act: Any) -> Any:
    """Returns `act`, which raises PermissionError if one of its paths is open in this process."""

    def checked(*paths: Any, **more: Any) -> Any:
        if any(_is_open(path) for path in paths):
            raise PermissionError(
                13, "The process cannot access the file because it is being used by another process"
            )
        return act(*paths, **more)

    return checked


def run() -> int:
    for absent in ("fcntl", "resource", "uvloop"):
        sys.modules[absent] = None  # type: ignore[assignment]
    del socket.SO_REUSEPORT
    warnings.filterwarnings(
        "error", category=EncodingWarning, module=r"seslocal(\.|$)"
    )  # it follows the locale
    asyncio.set_event_loop_policy(Policy())
    for name in ("replace", "rename", "unlink", "remove"):
        setattr(os, name, refusing_open_files(getattr(os, name)))

    from seslocal.__main__ import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
