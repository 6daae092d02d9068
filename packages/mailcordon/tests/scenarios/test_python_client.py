"""`mailcordon-client` against a running system: what it sends arrives, and what it is told is what happened."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from mailcordon_client import (
    Accepted,
    AsyncClient,
    Client,
    Conflict,
    Forbidden,
    Invalid,
    Message,
    Unauthorised,
)
from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

TYPE = "receipt"


@pytest.fixture(scope="module")
def tenant(system: systems.System) -> str:
    slug = f"client-{secrets.token_hex(3)}"

    async def onboard() -> None:
        async with traffic.on(system) as mail:
            await mail.onboard({slug: [TYPE]})

    asyncio.run(onboard())
    return slug


@pytest.fixture
def client(system: systems.System) -> Iterator[Client]:
    with Client(system.url, system.key) as client:
        yield client


def message(slug: str, to: str = "kim@example.com", subject: str = "hello") -> Message:
    return Message(
        tenant=slug,
        type=TYPE,
        from_=f"a@{traffic.domain(slug, TYPE)}",
        to=to,
        subject=subject,
        text="Hallo, Zoë",
    )


async def test_a_message_arrives_and_shows_what_became_of_it(client: Client, tenant: str, mail: Traffic):
    accepted = client.send(message(tenant))
    assert [one.state for one in accepted.deliveries] == ["queued"]

    async def delivered() -> bool:
        return client.message(accepted.id).deliveries[0].state == "delivered"

    await mail.until(delivered, "it is delivered")
    assert client.message(accepted.id).deliveries[0].timeline[0].at.tzinfo is not None
    assert client.cancel(accepted.id).left == 1


async def test_a_message_handed_over_twice_with_one_key_is_sent_once(
    system: systems.System, tenant: str, mail: Traffic
):
    key, subject = secrets.token_hex(8), secrets.token_hex(8)
    async with AsyncClient(system.url, system.key) as client:
        first, *others = await asyncio.gather(
            *(client.send(message(tenant, subject=subject), idempotency_key=key) for _ in range(4))
        )
        assert {one.id for one in others} == {first.id}
        assert sum(not one.replayed for one in (first, *others)) == 1
        with pytest.raises(Conflict):
            await client.send(message(tenant, subject="another"), idempotency_key=key)
    await mail.all_final(tenant)
    assert [one["subject"] for one in await mail.sent(tenant)].count(subject) == 1


def test_a_batch_answers_for_each_message_and_counts_a_repetition_once(client: Client, tenant: str):
    keys = [secrets.token_hex(8), secrets.token_hex(8)]
    batch = [message(tenant), message(tenant, to="nobody")]
    good, bad = client.send_batch(batch, idempotency_keys=keys)
    again, _ = client.send_batch(batch, idempotency_keys=keys)
    assert isinstance(good, Accepted)
    assert isinstance(bad, Invalid)
    assert isinstance(again, Accepted)
    assert (again.id, again.replayed) == (good.id, True)


def test_each_refusal_is_an_error_of_its_own(system: systems.System, client: Client, tenant: str):
    with pytest.raises(Invalid) as invalid:
        client.send(message(tenant, to="nobody"))
    assert [one.field for one in invalid.value.errors] == ["to[0]"]
    with Client(system.url, "mck_nobody") as stranger, pytest.raises(Unauthorised):
        stranger.send(message(tenant))
    with Client(system.url, system.send_key) as sender, pytest.raises(Forbidden):
        sender.message(client.send(message(tenant)).id)
