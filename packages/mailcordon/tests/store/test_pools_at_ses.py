"""IP pools against the local SES: a plan puts a tenant's mail into one and takes it out, and mail really leaves from there."""

import asyncpg
import pytest

from mailcordon.adapters.db.pool_store import PoolStore
from mailcordon.control import steps
from mailcordon.control.ip_pools import NewPool
from mailcordon.control.platform import SHARED_IPS
from mailcordon.core.drift import Drift
from mailcordon.core.priority import Class

from .test_control_reconcile import World, ask
from .test_control_reconcile import world as world
from .test_plans_at_ses import apply, follow

OWN_SETS = steps.set_topology("acme", dedicated=True, ses_tenants="one")
JOIN = steps.set_pool("acme", Class.MARKETING, "bulk")
LEAVE = steps.set_pool("acme", Class.MARKETING, None)


async def make_pool(world: World, name: str = "bulk", *, marketing: bool = True) -> None:
    await world.owner.execute(
        "insert into ip_pool (name, managed, marketing, owner, because, created_by)"
        " values ($1, false, $2, 'ops', 'volume', 'ann')",
        name,
        marketing,
    )
    await world.plans.want_everything(world.plans.settings)


async def at_ses(world: World, set_name: str) -> str | None:
    found = await ask(world.ses.get_configuration_set, ConfigurationSetName=set_name)
    return found["DeliveryOptions"].get("SendingPoolName")


async def routes(world: World) -> dict[str, str | None]:
    rows = await world.owner.fetch(
        "select t.name, r.ip_pool from route r join lane l on l.id = r.lane join message_type t on t.id = l.type"
    )
    return {row["name"]: row["ip_pool"] for row in rows}


async def test_mail_of_a_class_goes_into_a_pool_and_comes_back(world: World) -> None:
    key = await world.onboard()
    await make_pool(world)
    await apply(world, OWN_SETS, JOIN)
    assert await routes(world) == {"password-reset": None, "newsletter": None}, "SES does not have it yet"
    await follow(world)
    assert await at_ses(world, f"{key}-marketing") == "bulk"
    assert await at_ses(world, f"{key}-urgent") is None
    await world.plans.follow()
    assert await routes(world) == {"password-reset": None, "newsletter": "bulk"}
    found = await ask(world.ses.get_configuration_set, ConfigurationSetName=f"{key}-marketing")
    assert found["DeliveryOptions"]["MaxDeliverySeconds"] == 50_400, "a PUT replaces its group"

    await apply(world, LEAVE)
    await world.settle()
    await world.plans.follow()
    assert await at_ses(world, f"{key}-marketing") == SHARED_IPS
    assert await routes(world) == {"password-reset": None, "newsletter": None}
    kept = await world.owner.fetch("select pool, added_by, ended_by from ip_pool_member")
    assert [tuple(row) for row in kept] == [("bulk", "ann", "ann")]


async def test_a_set_whose_pool_does_not_exist_yet_waits_for_it(world: World) -> None:
    """What SES has of the set changes nothing until the pool is there: the next tries make it so."""
    key = await world.onboard()
    await make_pool(world)
    await world.settle()
    await ask(world.ses.delete_dedicated_ip_pool, PoolName="bulk")
    await world.owner.execute(
        "update ses_resource set next_try_at = now() + interval '1 hour' where kind = 'ip-pool'"
    )
    await apply(world, OWN_SETS, JOIN)
    await world.reconciler.step(100)
    assert await routes(world) == {"password-reset": None, "newsletter": None}
    await world.owner.execute("update ses_resource set next_try_at = now() where kind = 'ip-pool'")
    for _ in range(3):
        await follow(world)
    assert await at_ses(world, f"{key}-marketing") == "bulk"
    assert (await routes(world))["newsletter"] == "bulk"


async def test_somebody_who_takes_a_set_out_of_its_pool_is_found_and_it_goes_back(world: World) -> None:
    key = await world.onboard()
    await make_pool(world)
    await apply(world, OWN_SETS, JOIN)
    await follow(world)
    name = f"{key}-marketing"
    await ask(
        world.ses.put_configuration_set_delivery_options, ConfigurationSetName=name, TlsPolicy="OPTIONAL"
    )
    await world.owner.execute("update ses_resource set next_try_at = now() where name = $1", name)
    await world.settle()
    assert await at_ses(world, name) == "bulk"
    kinds = {
        row["kind"] for row in await world.owner.fetch("select kind from finding where resource = $1", name)
    }
    assert Drift.SENDING_POOL in kinds


async def test_a_pool_that_somebody_chose_for_a_set_by_hand_is_left_alone(world: World) -> None:
    key = await world.onboard()
    await apply(world, OWN_SETS)
    await follow(world)
    await ask(world.ses.create_dedicated_ip_pool, PoolName="theirs")
    name = f"{key}-marketing"
    await ask(
        world.ses.put_configuration_set_delivery_options,
        ConfigurationSetName=name,
        SendingPoolName="theirs",
        MaxDeliverySeconds=50_400,
    )
    await world.owner.execute("update ses_resource set next_try_at = now() where name = $1", name)
    await world.settle()
    assert await at_ses(world, name) == "theirs"


async def test_a_pool_that_is_deleted_goes_at_ses_too_and_can_be_made_again(world: World) -> None:
    await world.onboard()
    store = PoolStore(world.control)
    new = NewPool(name="bulk", managed=True, marketing=True, owner="ops", minimum=1000, escalation="")
    for _ in range(2):
        await store.create(new, actor="ann", because="volume")
        await world.settle()
        assert "bulk" in (await ask(world.ses.list_dedicated_ip_pools))["DedicatedIpPools"]
        await store.delete("bulk", actor="ann", because="small")
        await world.settle()
        assert "bulk" not in (await ask(world.ses.list_dedicated_ip_pools))["DedicatedIpPools"]
        rows = "select count(*) from ses_resource where kind = 'ip-pool'"
        assert await world.owner.fetchval(rows) == 0


async def test_the_database_keeps_a_pool_that_mail_is_in(world: World) -> None:
    """The second lock: whoever was in it before does not keep it, and the pool may be made again for other mail."""
    await world.onboard()
    await make_pool(world)
    await world.owner.execute(
        "insert into ip_pool_member (pool, marketing, tenant, class, because, added_by) values ('bulk', true, 1, 2, 'x', 'ann')"
    )
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await world.owner.execute("delete from ip_pool")
    await world.owner.execute("update ip_pool_member set ended_at = 1, ended_by = 'ann'")
    await world.owner.execute("delete from ip_pool")
    await make_pool(world, marketing=False)


async def test_the_database_refuses_other_mail_in_a_pool(world: World) -> None:
    """The second lock: whatever code writes the row."""
    await world.onboard()
    await make_pool(world)
    put = "insert into ip_pool_member (pool, marketing, tenant, class, because, added_by) values ('bulk', $1, 1, 1, 'x', 'ann')"
    with pytest.raises(asyncpg.CheckViolationError):
        await world.owner.execute(put, True)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await world.owner.execute(put, False)


async def test_a_route_follows_its_set_into_a_pool_only_if_every_condition_holds(world: World) -> None:
    key = await world.onboard()
    await make_pool(world)
    await make_pool(world, "receipts", marketing=False)
    await apply(world, OWN_SETS, JOIN)
    await follow(world)
    own = f"{key}-marketing"
    put, at = "update ses_resource set", f"where kind = 'configuration-set' and name = '{own}'"
    member = "update ip_pool_member set"

    async def followed() -> str | None:
        """What the newsletter's route says after a look, if it said nothing before."""
        await world.owner.execute("update route set ip_pool = null")
        await world.plans.follow()
        return (await routes(world))["newsletter"]

    async def epoch() -> int:
        return await world.owner.fetchval("select value from epoch where name = 'control'")

    assert await followed() == "bulk"
    for break_it, mend_it in (
        (f"{put} state = 'pending' {at}", f"{put} state = 'applied' {at}"),
        (
            f"""{put} desired = desired || '{{"sending_pool": "other"}}' {at}""",
            f"""{put} desired = desired || '{{"sending_pool": "bulk"}}' {at}""",
        ),
        (
            f"{put} observed = observed - 'sending_pool' {at}",
            f"""{put} observed = observed || '{{"sending_pool": "bulk"}}' {at}""",
        ),
        (
            f"{member} pool = 'receipts', class = 1, marketing = false",
            f"{member} pool = 'bulk', class = 2, marketing = true",
        ),
        (
            f"update route set configuration_set = '{key}-urgent' where configuration_set = '{own}'",
            f"update route r set configuration_set = '{own}' from lane l where l.id = r.lane and l.class = 2",
        ),
    ):
        await world.owner.execute(break_it)
        assert await followed() is None, break_it
        await world.owner.execute(mend_it)
        assert await followed() == "bulk", mend_it

    before = await epoch()
    await world.plans.follow()
    assert await epoch() == before, "what says so already is not written again"
    await world.owner.execute(f"""{put} desired = desired || '{{"sending_pool": "{SHARED_IPS}"}}',
        observed = observed || '{{"sending_pool": "{SHARED_IPS}"}}' {at}""")
    await world.plans.follow()
    assert (await routes(world))["newsletter"] is None, "the shared addresses are no pool"
    assert await epoch() == before + 1
