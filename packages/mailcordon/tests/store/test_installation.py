"""The row of the installation: created once, by the first process, and readable only with the key that wrote it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mailcordon.adapters.db import engine, installation
from mailcordon.adapters.db.installation import load_installation, load_or_create_installation
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.adapters.db.secrets import SecretsUnreadable, make_secret_key
from mailcordon.app import mac_keys
from mailcordon.config import Config
from mailcordon.core import tags
from mailcordon.core.errors import Conflict, Refused
from mailcordon.core.event import Attempt
from mailcordon.run import secrets as run_secrets

ATTEMPT = Attempt(
    installation="local",
    tenant_key="mc-acme",
    type="receipt",
    delivery=1 << 40,
    attempt=1,
    called_at=5,
    canary=False,
)


async def test_several_that_start_at_once_agree_on_one_installation(database: Any) -> None:
    keys = [make_secret_key()]
    pool = await engine.create_pool(database.dsn("control"))

    async def start(name: str) -> Any:
        async with pool.acquire() as conn:
            return await load_or_create_installation(conn, keys, name)

    found = await asyncio.gather(*(start(f"one-{n}") for n in range(6)))
    await pool.close()
    assert len({(each.name, each.mac_key, each.hash_key) for each in found}) == 1
    assert len(found[0].mac_key) == len(found[0].hash_key) == 32
    assert found[0].mac_key != found[0].hash_key


async def test_the_keys_are_stored_encrypted_and_read_only_with_the_key_that_wrote_them(
    database: Any,
) -> None:
    keys = [make_secret_key()]
    conn = await engine.connect(database.dsn("control"))
    made = await load_or_create_installation(conn, keys, "local")
    stored = await conn.fetchrow("select mac_key, hash_key from installation")
    assert stored is not None
    assert made.mac_key not in stored["mac_key"]
    with pytest.raises(SecretsUnreadable, match="MAILCORDON_SECRET_KEYS"):
        await load_installation(conn, [make_secret_key()])
    with pytest.raises(Refused, match="at least one key"):
        await load_installation(conn, [])
    await conn.close()


async def test_a_new_first_key_takes_over_what_the_old_one_wrote(database: Any) -> None:
    old, new = make_secret_key(), make_secret_key()
    conn = await engine.connect(database.dsn("control"))
    made = await load_or_create_installation(conn, [old], "local")
    assert await load_or_create_installation(conn, [new, old], "other") == made
    assert await load_installation(conn, [new]) == made
    await conn.close()


async def test_planes_that_only_read_find_no_installation_before_it_is_created(database: Any) -> None:
    conn = await engine.connect(database.dsn("send"))
    assert await load_installation(conn, [make_secret_key()]) is None
    await conn.close()


async def age(database: Any, seconds: float) -> None:
    """The rotation was this long ago."""
    owner = await engine.connect(database.dsn("owner"))
    await owner.execute(
        "update installation set mac_rotated_at = mac_rotated_at - make_interval(secs => $1)", seconds
    )
    await owner.close()


async def test_a_new_mac_key_is_accepted_at_once_signs_later_and_the_former_stays_until_dropped(
    database: Any,
) -> None:
    keys = [make_secret_key()]
    conn = await engine.connect(database.dsn("control"))
    made = await load_or_create_installation(conn, keys, "local")
    tags_before = tags.sign(made.mac_key, ATTEMPT)
    await installation.rotate_mac_key(conn, keys, actor="ann")
    fresh = await load_installation(conn, keys)
    assert fresh is not None
    assert fresh.mac_key == made.mac_key
    new = fresh.other_mac_key
    assert new not in (None, made.mac_key)
    for actual in (
        installation.rotate_mac_key(conn, keys, actor="ann"),
        installation.drop_former_mac_key(conn, actor="ann"),
    ):
        with pytest.raises(Conflict):
            await actual
    await age(database, installation.SETTLE_SECONDS)
    settled = await load_installation(conn, keys)
    assert settled is not None
    assert (settled.mac_key, settled.other_mac_key) == (new, made.mac_key)
    for signed in (tags_before, tags.sign(settled.mac_key, ATTEMPT)):
        assert tags.verify(fresh.mac_keys, signed) == tags.verify(settled.mac_keys, signed) == ATTEMPT
    await installation.drop_former_mac_key(conn, actor="ann")
    alone = await load_installation(conn, keys)
    assert alone is not None
    assert alone.mac_keys == (new,)
    assert alone.hash_key == made.hash_key
    with pytest.raises(ValueError, match="signature"):
        tags.verify(alone.mac_keys, tags_before)
    with pytest.raises(Conflict):
        await installation.drop_former_mac_key(conn, actor="ann")
    actions = [row["action"] for row in await conn.fetch("select action from audit order by id")]
    assert actions == ["installation.rotate-mac", "installation.drop-mac"]
    await conn.close()


async def test_rotating_secret_keys_rewrites_every_stored_secret_with_the_first(database: Any) -> None:
    old, new = make_secret_key(), make_secret_key()
    conn = await engine.connect(database.dsn("control"))
    await load_or_create_installation(conn, [old], "local")
    await installation.rotate_mac_key(conn, [old], actor="ann")
    before = await load_installation(conn, [old])
    stored = await installation.stored_secrets(conn, [new, old])
    assert stored.by_first_key == ()
    assert stored.by_other_keys == ("mac_key", "former_mac_key", "hash_key", "unsubscribe_key")
    with pytest.raises(SecretsUnreadable):
        await installation.reencrypt(conn, [new], actor="ann")
    await installation.reencrypt(conn, [new, old], actor="ann")
    assert (await installation.stored_secrets(conn, [new])).by_other_keys == ()
    assert await load_installation(conn, [new]) == before
    with pytest.raises(SecretsUnreadable):
        await load_installation(conn, [old])
    await installation.reencrypt(
        conn, [new, old], actor="ann"
    )  # nothing is left to do, and nothing is audited
    assert await conn.fetchval("select count(*) from audit where action = 'installation.reencrypt'") == 1
    await conn.close()


async def test_secrets_rotate_makes_a_new_key_of_links_only_when_it_is_confirmed(
    database: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = (make_secret_key(),)
    conn = await engine.connect(database.dsn("control"))
    await load_or_create_installation(conn, keys, "local")
    logins = {login: database.dsn(login) for login in ("control", "governor")}
    config = Config(home=tmp_path, login_urls=logins, secret_keys=keys)
    count = "select count(*) from unsubscribe_key"
    assert await run_secrets.rotate_unsubscribe(config, yes=False) == 0
    assert "Nothing was changed" in capsys.readouterr().out
    assert await conn.fetchval(count) == 1
    assert await run_secrets.rotate_unsubscribe(config, yes=True) == 0
    assert "Key 2 makes links" in capsys.readouterr().out
    assert await conn.fetchval(count) == 2
    actions = [row["action"] for row in await conn.fetch("select action from audit")]
    assert actions == ["installation.rotate-unsubscribe"]
    await conn.close()


async def test_a_running_process_takes_over_a_rotated_mac_key(database: Any, tmp_path: Path) -> None:
    keys = (make_secret_key(),)
    conn = await engine.connect(database.dsn("control"))
    ours = await load_or_create_installation(conn, keys, "local")
    old = ours.mac_key
    config = Config(home=tmp_path, login_urls={"observe": database.dsn("observe")}, secret_keys=keys)
    session = PinnedConnection(database.dsn("observe"), "keys", index_plans=False)
    await installation.rotate_mac_key(conn, keys, actor="ann")
    await mac_keys.refresh(ours, config, session)
    assert len(ours.mac_keys) == 2
    assert ours.mac_key == old
    await age(database, installation.SETTLE_SECONDS)
    await mac_keys.refresh(ours, config, session)
    assert ours.mac_key != old
    await session.close()
    await conn.close()


async def test_the_mode_is_remembered_and_one_that_sends_cannot_observe_only(database: Any) -> None:
    keys = [make_secret_key()]
    conn = await engine.connect(database.dsn("control"))
    made = await load_or_create_installation(conn, keys, "local")
    assert not made.observe_only
    for _ in range(2):
        await installation.declare_mode(conn, observe_only=True, actor="test")
    found = await load_installation(conn, keys)
    assert found is not None
    assert found.observe_only
    actions = "select count(*) from audit where action = 'installation.mode'"
    assert await conn.fetchval(actions) == 1, "only what changes is audited"

    await installation.declare_mode(conn, observe_only=False, actor="test")
    owner = await engine.connect(database.dsn("owner"))
    await owner.execute(
        "with t as (insert into tenant (key, slug) values ('mc-acmeacme', 'acme') returning id),"
        " i as (insert into identity (tenant, domain) select id, 'acme.example' from t returning id, tenant),"
        " s as (insert into configuration_set (name, kind, class) values ('mc-urgent', 'shared', 0) returning name),"
        " u as (insert into turn (tenant, class) select id, 0 from t returning id, tenant),"
        " l as (insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend)"
        "       select tenant, 1, 0, id, 1, 1, false from u returning id, tenant)"
        " insert into route (lane, tenant, path, ses_tenant, identity, domain, configuration_set)"
        " select l.id, l.tenant, 'isolated', 'mc-acmeacme', i.id, 'acme.example', s.name from l, i, s"
    )
    with pytest.raises(Refused) as refused:
        await installation.declare_mode(conn, observe_only=True, actor="test")
    assert refused.value.code == "sends-already"
    assert not await conn.fetchval("select observe_only from installation")
    await owner.close()
    await conn.close()
