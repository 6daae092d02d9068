"""Real mail clients, unchanged but for the address and the credentials: their mail arrives as if it had gone to SES directly.

`./dev conformance doors` runs more of them.
"""

from collections.abc import Iterator

import pytest

from conformance.server import seslocal
from mailcordon_fixtures import systems
from real_clients import clients, mails, world
from real_clients.running import Ends, differences


@pytest.fixture(scope="module")
def ends(system: systems.System) -> Iterator[Ends]:
    with seslocal() as direct, world.sink() as sink:
        yield Ends(world.Direct(direct.url), sink, world.tenant_of(system))


@pytest.mark.parametrize("client", [one for one in clients.ALL if one.short], ids=lambda one: one.name)
def test_what_a_client_sends_arrives_as_it_meant_it(ends: Ends, client: clients.Client):
    assert differences(client, ends, mails.SHORT) == []
