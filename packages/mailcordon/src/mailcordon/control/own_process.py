"""Much work in a process of its own, for a caller who waits: it ends with its caller, and when that is cancelled."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from mailcordon.core.errors import Unavailable

A = TypeVar("A")
R = TypeVar("R")


async def run(
    work: Callable[[A], R], argument: A, *, name: str, most_seconds: float, too_slow: str, died: str
) -> R:
    """`work` is a function of a module, and argument and result can be pickled. Raises Unavailable with one of the sentences
    if it takes too long or dies."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, work, argument), daemon=True, name=name)
    given_up = threading.Event()

    def wait_for_it() -> R | None:
        try:
            process.start()  # pickles the argument, which may be large
            sender.close()
            if given_up.is_set():  # while it started, when there was nothing to kill yet
                process.kill()
            return receiver.recv()
        except EOFError:
            return None
        finally:
            receiver.close()

    try:
        answer = await asyncio.wait_for(asyncio.to_thread(wait_for_it), most_seconds)
    except TimeoutError:
        raise Unavailable(too_slow, code="too-slow") from None
    finally:
        given_up.set()
        if process.pid is not None:
            process.kill()
    if answer is None:
        raise Unavailable(died, code="died")
    return answer


def _work(sender: Connection, work: Callable[[Any], Any], argument: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: it ends with its caller
    threading.Thread(target=_end_with_caller, daemon=True).start()
    os.nice(10)  # mail comes first
    sender.send(work(argument))
    sender.close()


def _end_with_caller() -> None:
    caller = multiprocessing.parent_process()
    assert caller is not None
    wait([caller.sentinel])
    os._exit(1)
