"""The shared system's mail, for scenarios that leave the system running well."""

from collections.abc import AsyncIterator

import pytest

from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic


@pytest.fixture
async def mail(system: systems.System) -> AsyncIterator[Traffic]:
    async with traffic.on(system) as mail:
        yield mail
