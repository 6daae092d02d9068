"""The platform as it is read from the database, whole and in part."""

import itertools
from typing import Any

import pytest

from mailcordon.adapters.db import engine, platform_reader
from mailcordon.control.platform import Domain, Lane, Tenant
from mailcordon.core.priority import Class
from mailcordon_fixtures.cases import case

from .test_control_onboarding import World
from .test_control_onboarding import world as world


@pytest.fixture
async def two(world: World) -> World:
    await world.onboard(dedicated=True)
    await world.onboard("zen", {"invoice": "zen.example"})
    return world


async def test_the_whole_platform_is_every_tenant_with_its_domains_and_lanes(
    two: World, database: Any
) -> None:
    await two.owner.execute(
        "update identity set mail_from = 'b.' || domain where domain = 'mail.acme.example'"
    )
    pool = await engine.create_pool(database.dsn("control"))
    async with pool, pool.acquire() as conn:
        read = await platform_reader.whole(conn)
    platform = read.platform
    keys = {row["slug"]: row["key"] for row in await two.owner.fetch("select slug, key from tenant")}
    assert platform.tenants["acme"] == Tenant(
        slug="acme",
        key=keys["acme"],
        dedicated=True,
        domains={
            "mail.acme.example": Domain(name="mail.acme.example", mail_from="b.mail.acme.example"),
            "news.acme.example": Domain(name="news.acme.example"),
        },
        lanes={
            "password-reset": Lane(type="password-reset", class_=Class.URGENT, domain="mail.acme.example"),
            "newsletter": Lane(type="newsletter", class_=Class.MARKETING, domain="news.acme.example"),
        },
    )
    assert set(platform.tenants) == {"acme", "zen"}
    assert platform.types["invoice"] is Class.TRANSACTIONAL
    assert read.ids["zen"] == await two.owner.fetchval("select id from tenant where slug = 'zen'")


async def test_a_part_of_the_platform_knows_which_asked_domains_touch_anothers(
    two: World, database: Any
) -> None:
    """However many are asked for."""
    pool = await engine.create_pool(database.dsn("control"))
    async with pool, pool.acquire() as conn:
        for asked, others in itertools.product(("zen.example", "mail.zen.example", "example"), (1, 50)):
            with case((asked, others)):
                more = [f"n{n}.example.net" for n in range(others)]
                read = await platform_reader.some(conn, ["acme", "nobody"], [asked, *more])
                assert set(read.platform.tenants) == {"acme"}
                assert read.platform.elsewhere == {"zen.example"}
