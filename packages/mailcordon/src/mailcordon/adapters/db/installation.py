"""The row of the installation: written once, by the first process of the control role, and read by all others.

If several start at once, the primary key lets one of them write and the others read its row. A different name given later is
ignored: mail under the first one is still on its way.
"""

from collections.abc import Sequence

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import Connection, PooledConnection
from mailcordon.adapters.db.secrets import Vault
from mailcordon.control import installation as installations
from mailcordon.core.errors import Unavailable
from mailcordon.core.installation import Installation
from mailcordon.messages import system

_SQL = queries.load("installation.sql")


async def load_installation(
    conn: Connection | PooledConnection, secret_keys: Sequence[str]
) -> Installation | None:
    """None if the control role has not created it yet."""
    row = await conn.fetchrow(_SQL.installation)
    if row is None:
        return None
    vault = Vault(secret_keys)
    return Installation(
        name=row["name"], mac_key=vault.decrypt(row["mac_key"]), hash_key=vault.decrypt(row["hash_key"])
    )


async def load_or_create_installation(
    conn: Connection | PooledConnection, secret_keys: Sequence[str], name: str
) -> Installation:
    """Needs the control role or the owner. Secrets that an older key encrypted are rewritten with the first one."""
    vault = Vault(secret_keys)
    if await conn.fetchrow(_SQL.installation) is None:
        fresh = installations.create(name)
        await conn.execute(
            _SQL.insert_installation, fresh.name, vault.encrypt(fresh.mac_key), vault.encrypt(fresh.hash_key)
        )
    found = await load_installation(conn, secret_keys)
    if found is None:
        raise Unavailable(system.installation_gone())
    row = await conn.fetchrow(_SQL.installation)
    assert row is not None
    if not vault.is_current(row["mac_key"]):
        mac, hashing = vault.encrypt(found.mac_key), vault.encrypt(found.hash_key)
        await conn.execute(_SQL.rewrite_secrets, mac, hashing, row["mac_key"])
    return found
