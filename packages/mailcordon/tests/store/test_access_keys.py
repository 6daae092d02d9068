"""Access keys of the SES door in the database: encrypted, renewed with the other secrets, and gone with their revocation."""

import dataclasses
from typing import Any

import pytest

from mailcordon.adapters.db import engine, installation
from mailcordon.adapters.db.access_key_store import AccessKeyStore
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.secrets import SecretsUnreadable, make_secret_key
from mailcordon.control.access_keys import MOST_OF_A_KEY, AccessKeys
from mailcordon.control.keys import Keys
from mailcordon.core.errors import Conflict, Forbidden, NotFound
from mailcordon.core.principal import SCOPES, Principal

OPERATOR = Principal(
    key_id=0,
    prefix="operator",
    name="t",
    holder="test",
    tenant_id=None,
    tenant_slug=None,
    scopes=frozenset(SCOPES),
)


async def test_a_secret_is_stored_encrypted_renewed_with_the_others_and_gone_when_revoked(
    database: Any,
) -> None:
    old, new = make_secret_key(), make_secret_key()
    pool = await engine.create_pool(database.dsn("control"))
    conn = await engine.connect(database.dsn("control"))
    await installation.load_or_create_installation(conn, [old], "local")
    key, _ = await Keys(KeyStore(pool)).create(tenant=None, name="app", scopes=["send"], actor="test")
    store = AccessKeyStore(pool, [old])
    made, secret = await AccessKeys(store).create(OPERATOR, key.prefix)

    stored = await conn.fetchval("select secret from access_key")
    assert secret.encode() not in stored
    assert secret not in str([tuple(row) for row in await conn.fetch("select * from audit")])
    assert "access_key" in (await installation.stored_secrets(conn, [new, old])).by_other_keys
    await installation.reencrypt(conn, [new, old], actor="test")
    assert "access_key" in (await installation.stored_secrets(conn, [new])).by_first_key
    found = await AccessKeyStore(pool, [new]).find(made.id)
    assert found.secret == secret.encode()
    assert secret not in repr(found)
    with pytest.raises(SecretsUnreadable):
        await store.find(made.id)

    epoch = found.epoch
    revoked = await AccessKeys(store).revoke(made.id, actor="test")
    assert revoked.revoked_at is not None
    assert await conn.fetchval("select secret from access_key") is None
    after = await store.find(made.id)
    assert (after.principal, after.secret) == (None, None)
    assert after.epoch > epoch
    await conn.close()
    await pool.close()


async def test_an_access_key_is_made_by_who_holds_what_its_key_holds_and_for_a_key_that_works(
    database: Any,
) -> None:
    pool = await engine.create_pool(database.dsn("control"))
    keys = Keys(KeyStore(pool))
    key, _ = await keys.create(tenant=None, name="app", scopes=["send"], actor="test")
    access_keys = AccessKeys(AccessKeyStore(pool, [make_secret_key()]))
    with pytest.raises(Forbidden):
        await access_keys.create(dataclasses.replace(OPERATOR, scopes=frozenset({"admin"})), key.prefix)
    made, _ = await access_keys.create(OPERATOR, key.prefix)
    for _ in range(MOST_OF_A_KEY - 1):
        await access_keys.create(OPERATOR, key.prefix)
    with pytest.raises(Conflict):
        await access_keys.create(OPERATOR, key.prefix)
    await access_keys.revoke(made.id, actor="test")
    await access_keys.create(OPERATOR, key.prefix)
    assert len(await access_keys.list(key.prefix)) == MOST_OF_A_KEY + 1
    await keys.revoke(key.prefix, actor="test")
    with pytest.raises(Conflict):
        await access_keys.create(OPERATOR, key.prefix)
    for call in (access_keys.create(OPERATOR, "abcdefgh"), access_keys.list("abcdefgh")):
        with pytest.raises(NotFound):
            await call
    for id in ("MCAK" + "A" * 16, "nonsense"):
        with pytest.raises(NotFound):
            await access_keys.revoke(id, actor="test")
    await pool.close()
