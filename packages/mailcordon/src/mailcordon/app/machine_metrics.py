"""Serves the metrics of a role process beside its work.

Monitoring must not stop what it watches: a port that is in use is said in the log and tried again.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

import structlog

import mailcordon
from mailcordon.adapters.prometheus import exposition, families, samples
from mailcordon.adapters.prometheus.endpoint import Endpoint
from mailcordon.adapters.prometheus.samples import Sample
from mailcordon.app.heartbeat import Facts
from mailcordon.config import Config
from mailcordon.config.metrics import USUAL_PORTS
from mailcordon.core.health import Role
from mailcordon.host import listening
from mailcordon.host.listening import PortTaken
from mailcordon.messages import machine_metrics

PORT_RETRY = 5.0  #: seconds

State = Callable[[], Awaitable[Iterable[Sample]]]

_log = structlog.get_logger("mailcordon.app")


@contextlib.asynccontextmanager
async def served(
    config: Config,
    role: Role,
    facts: Facts,
    more: Callable[[], Iterable[Sample]] = lambda: (),
    *,
    state: State | None = None,
) -> AsyncGenerator[Facts]:
    """Yields `facts` with the address of the endpoint, for the heartbeat. `more`: samples that are not in the facts.
    `state`: those of the whole installation."""
    address: list[str] = []
    serving = asyncio.create_task(_serve(config, role, _Page(config, role, facts, more, state), address))
    try:
        yield lambda: {**facts(), "metrics": address[0] if address else None}
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def _serve(config: Config, role: Role, page: "_Page", address: list[str]) -> None:
    if config.metrics is None:
        return
    endpoint = Endpoint(page.make, token=config.metrics.token)
    wanted = listening.metrics(config.metrics.host, config.metrics.port, USUAL_PORTS[role])
    while True:
        try:
            listener = listening.listen_quietly(wanted)
            break
        except PortTaken as problem:
            _log.error(str(problem), code=problem.code)
            await asyncio.sleep(PORT_RETRY)
    with listener:
        async with await endpoint.start(listener) as server:
            address.append(_address(listener))
            _log.info(machine_metrics.listening(address[0]))
            await server.serve_forever()


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Page:
    def __init__(
        self,
        config: Config,
        role: Role,
        facts: Facts,
        more: Callable[[], Iterable[Sample]],
        state: State | None,
    ) -> None:
        self._config, self._facts, self._more = config, facts, more
        self._role: Role = role
        self._state = state

    async def make(self, accept: str) -> tuple[bytes, str]:
        await exposition.load()
        found = [
            Sample(
                "process_info",
                (self._role, self._config.cell, self._config.installation, mailcordon.__version__),
                1,
            ),
            *samples.of_role(self._role, self._facts(), self._more()),
        ]
        if self._state is not None:
            found += await self._state()
        return exposition.render(families.OF_ROLE[self._role], found, accept)
