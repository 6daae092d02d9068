"""How long mail took is counted once, from its acceptance, whatever is told again or comes at the same time."""

from mailcordon.core import provider
from mailcordon.guard.objectives import TIME_CLASSES, time_class

from .conftest import World


async def counted(world: World) -> dict[int, int]:
    """By class of time, in all changes."""
    found: dict[int, int] = {}
    for row in await world.owner.fetch("select counts from pending_time order by id"):
        for place, count in enumerate(row["counts"]):
            if count:
                found[place] = found.get(place, 0) + count
    return found


async def test_a_delivery_counts_once_in_the_class_of_its_time(world: World) -> None:
    quick = await world.sent("acme", "newsletter", "kim@gmail.com")
    slow = await world.sent("acme", "newsletter", "lee@example.com")
    never = await world.sent("acme", "newsletter", "max@example.com")
    await world.tell(quick.send(), quick.delivery_event(after=1_500), never.bounce())
    await world.tell(slow.delivery_event(after=45_500), quick.delivery_event(after=1_500))
    await world.tell(
        slow.delivery_event(after=45_500), quick.complaint(after=60_000), slow.bounce(after=90_000)
    )
    # An open changes the row of a mail that was delivered before.
    read = await world.sent("acme", "newsletter", "ann@example.com")
    await world.tell(read.delivery_event(after=8_000))
    await world.tell(read.document("Open", after=200_000))
    assert await counted(world) == {time_class(1.5): 1, time_class(8): 1, time_class(45.5): 1}
    row = await world.owner.fetchrow("select * from pending_time order by id limit 1")
    assert row is not None
    assert (row["lane"], row["tenant"]) == (world.lanes["acme", "newsletter"], world.tenants["acme"])
    assert (row["provider"], len(row["counts"])) == (provider.Provider.GMAIL, TIME_CLASSES)
    assert row["minute"] == (world.now + 1_500) // 600_000 * 10


async def test_a_time_counts_for_the_path_that_the_delivery_took(world: World) -> None:
    """Of a message on the shared path whose recipient takes the other one."""
    one = await world.sent("acme", "newsletter", "kim@gmail.com")
    await world.owner.execute(
        "update message set path = 'shared', other_path = 1 where id = $1", one.delivery & -64
    )
    await world.tell(one.delivery_event(after=1_500))
    assert await world.owner.fetchval("select array_agg(path) from pending_time") == ["isolated"]
