"""The installation's one row: made by the first role of the control plane that starts, read by all others.

Several may start at once; the primary key lets one win, and the others read what it wrote. A name given later changes
nothing: mail under the old one is still on its way.
"""

from collections.abc import Sequence

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import Connection, PooledConnection
from mailcordon.adapters.db.secrets import Vault
from mailcordon.control import installation as beginnings
from mailcordon.core.errors import Unavailable
from mailcordon.core.installation import Installation

_SQL = queries.load("installation.sql")


async def load_installation(
    conn: Connection | PooledConnection, secret_keys: Sequence[str]
) -> Installation | None:
    """None while control has not made it yet."""
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
    """Needs the control role (or the owner). Secrets of an older key are written anew under the first one."""
    vault = Vault(secret_keys)
    if await conn.fetchrow(_SQL.installation) is None:
        fresh = beginnings.begin(name)
        await conn.execute(
            _SQL.insert_installation, fresh.name, vault.encrypt(fresh.mac_key), vault.encrypt(fresh.hash_key)
        )
    found = await load_installation(conn, secret_keys)
    if found is None:
        raise Unavailable("The installation's row vanished while it was being read.")
    row = await conn.fetchrow(_SQL.installation)
    assert row is not None
    if not vault.is_current(row["mac_key"]):
        mac, hashing = vault.encrypt(found.mac_key), vault.encrypt(found.hash_key)
        await conn.execute(_SQL.rewrite_secrets, mac, hashing, row["mac_key"])
    return found
