"""`mailcordon up`: one system, from start to drain. `commands.py` has the options and loads this when it runs."""

import asyncio
import contextlib
import shlex
import signal
import sys
from collections.abc import Generator

from mailcordon.config import Config
from mailcordon.core.errors import Refused
from mailcordon.messages import system
from mailcordon.run.supervisor import Addresses, System


async def up(config: Config, *, new_key: bool) -> int:
    with _stop_signals() as stop:
        supervised = System(config, _say, new_key=new_key)
        stopped = asyncio.create_task(stop.wait())
        starting = asyncio.create_task(supervised.start())
        try:
            _say(system.starting(home=str(config.home)))
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                starting.cancel()
                return 0
            _show(_welcome(await starting, config))
            refused = asyncio.create_task(supervised.wait_refused())
            await asyncio.wait({refused, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                raise Refused(refused.result(), code="role-refused")
            refused.cancel()
            return 0
        finally:
            _say(system.stopping())
            with contextlib.suppress(asyncio.CancelledError):
                if not starting.done():
                    await starting
            await supervised.stop()
            _say(system.stopped())


@contextlib.contextmanager
def _stop_signals() -> Generator[asyncio.Event]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _welcome(addresses: Addresses, config: Config) -> str:
    return system.welcome(
        cli=_command(),
        api=addresses.api,
        home=str(config.home),
        ses=addresses.ses,
        smtp=addresses.smtp,
        dashboard=addresses.dashboard,
        region=config.region,
        observe_only=addresses.observe_only,
    )


def _command() -> str:
    """How to start this command line again, as one would type it."""
    first = sys.argv[0]
    if first.endswith("__main__.py"):
        return "./dev mailcordon"
    return shlex.quote(first.rpartition("/")[2] or "mailcordon")


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it any more; that is no reason to stop
        print(line, file=sys.stderr, flush=True)


def _show(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, flush=True)
