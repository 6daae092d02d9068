"""The row of the installation: written once, by the first process of the control role, and read by all others.

If several start at once, the primary key lets one of them write and the others read its row. A different name given later is
ignored: mail under the first one is still on its way.

Its MAC key is rotated with an overlap. The new key is accepted from the first moment on, and signs only after `SETTLE_SECONDS`:
by then every process has read it (app/mac_keys.py), so none takes our own mail for a forgery. The former key is accepted until it
is dropped, for the mail that it signed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from mailcordon.adapters.db import (
    access_key_store,
    alert_store,
    contact_store,
    dkim_key_store,
    queries,
    unsubscribe_keys,
    webhook_store,
)
from mailcordon.adapters.db.engine import Connection, PooledConnection
from mailcordon.adapters.db.secrets import Vault
from mailcordon.control import installation as installations
from mailcordon.core.errors import Conflict, Refused, Unavailable
from mailcordon.core.installation import Installation
from mailcordon.messages import database, observing, system

SETTLE_SECONDS = 90.0  #: several times the pause after which a process reads the row again
_SECRETS = ("mac_key", "former_mac_key", "hash_key")
_ELSEWHERE = {
    "dkim_key": dkim_key_store.SECRETS,
    "alert_channel": alert_store.SECRETS,
    "tenant_contact": contact_store.SECRETS,
    "access_key": access_key_store.SECRETS,
    "unsubscribe_key": unsubscribe_keys.SECRETS,
    "webhook_endpoint": webhook_store.SECRETS,
}  #: by table

_SQL = queries.load("installation.sql")
_SHARED = queries.load("shared.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecrets:
    """What the installation's row holds, as an operator needs to know it."""

    by_first_key: tuple[
        str, ...
    ]  #: names of the secrets that the first key of MAILCORDON_SECRET_KEYS encrypted
    by_other_keys: tuple[str, ...]  #: of those that another one did: they need it
    has_former_mac_key: bool
    mac_rotated_at: datetime | None


async def load_installation(
    conn: Connection | PooledConnection, secret_keys: Sequence[str]
) -> Installation | None:
    """None if the control role has not created it yet."""
    row = await conn.fetchrow(_SQL.installation, SETTLE_SECONDS)
    return None if row is None else _installation(row, Vault(secret_keys))


def _installation(row: asyncpg.Record, vault: Vault) -> Installation:
    newest = vault.decrypt(row["mac_key"])
    former = None if row["former_mac_key"] is None else vault.decrypt(row["former_mac_key"])
    signs, other = (former, newest) if former is not None and row["settling"] else (newest, former)
    return Installation(
        name=row["name"],
        mac_key=signs,
        other_mac_key=other,
        hash_key=vault.decrypt(row["hash_key"]),
        observe_only=row["observe_only"],
    )


async def load_or_create_installation(
    conn: Connection | PooledConnection, secret_keys: Sequence[str], name: str
) -> Installation:
    """Needs the control role or the owner. Secrets that an older key encrypted are rewritten with the first one."""
    vault = Vault(secret_keys)
    if await conn.fetchrow(_SQL.installation, SETTLE_SECONDS) is None:
        fresh = installations.create(name)
        await conn.execute(
            _SQL.insert_installation, fresh.name, vault.encrypt(fresh.mac_key), vault.encrypt(fresh.hash_key)
        )
    found = await load_installation(conn, secret_keys)
    if found is None:
        raise Unavailable(system.installation_gone())
    await unsubscribe_keys.ensure_first(conn, vault)
    await _reencrypt(conn, vault)
    return found


async def declare_mode(conn: Connection | PooledConnection, *, observe_only: bool, actor: str) -> None:
    """Remembers whether the installation observes only. Raises Refused if it is to, and has lanes that send. Needs the control
    role."""
    async with conn.transaction():
        await conn.execute(_SQL.lock_installation)
        if observe_only and await conn.fetchval(_SQL.sends):
            raise Refused(observing.sends_already(), code="sends-already")
        changed = await conn.fetchrow(_SQL.declare_mode, observe_only)
        if changed is not None:
            await conn.execute(
                _SHARED.write_audit,
                actor,
                "installation.mode",
                None,
                "installation",
                json.dumps({"observe_only": changed["before"]}),
                json.dumps({"observe_only": observe_only}),
                None,
            )


async def stored_secrets(conn: Connection, secret_keys: Sequence[str]) -> StoredSecrets:
    """Raises SecretsUnreadable if none of the keys decrypts one of them, Unavailable without an installation."""
    vault = Vault(secret_keys)
    row = await _row(conn)
    held = [name for name in _SECRETS if row[name] is not None]
    for name in held:
        vault.decrypt(row[name])
    by_first = [name for name in held if vault.is_current(row[name])]
    by_others = [name for name in held if not vault.is_current(row[name])]
    for table, rows in _ELSEWHERE.items():
        current, others = await rows.count(conn, vault)
        by_first += [table] * current
        by_others += [table] * others
    return StoredSecrets(
        by_first_key=tuple(by_first),
        by_other_keys=tuple(by_others),
        has_former_mac_key=row["former_mac_key"] is not None,
        mac_rotated_at=row["mac_rotated_at"],
    )


async def reencrypt(conn: Connection, secret_keys: Sequence[str], *, actor: str) -> None:
    """Encrypts every stored secret with the first key, so that the others are not needed any more. Needs the control role."""
    async with conn.transaction():
        await conn.execute(_SQL.lock_installation)
        if await _reencrypt(conn, Vault(secret_keys)):
            await _audit(conn, actor, "installation.reencrypt")


async def rotate_mac_key(conn: Connection, secret_keys: Sequence[str], *, actor: str) -> None:
    """A new key signs after `SETTLE_SECONDS`; the present one stays accepted. Raises Conflict if a former one still is."""
    vault = Vault(secret_keys)
    async with conn.transaction():
        await conn.execute(_SQL.lock_installation)
        row = await _row(conn)
        _installation(row, vault)  # readable: else a process would not start with what is written here
        if row["former_mac_key"] is not None:
            raise Conflict(system.mac_key_still_rotating(), code="mac-rotating")
        await conn.execute(_SQL.rotate_mac_key, vault.encrypt(installations.mac_key()))
        await _audit(conn, actor, "installation.rotate-mac")


async def drop_former_mac_key(conn: Connection, *, actor: str) -> None:
    """Raises Conflict if there is none, or it still signs."""
    async with conn.transaction():
        await conn.execute(_SQL.lock_installation)
        row = await _row(conn)
        if row["former_mac_key"] is None:
            raise Conflict(system.no_former_mac_key(), code="no-former-mac-key")
        if row["settling"]:
            raise Conflict(system.mac_key_settles(seconds=SETTLE_SECONDS), code="mac-rotating")
        await conn.execute(_SQL.drop_former_mac_key)
        await _audit(conn, actor, "installation.drop-mac")


async def rotate_unsubscribe_key(conn: Connection, secret_keys: Sequence[str], *, actor: str) -> int:
    """A new key makes links to unsubscribe; every older one stays accepted. Returns its number."""
    async with conn.transaction():
        await conn.execute(_SQL.lock_installation)
        await unsubscribe_keys.load_keyring(conn, secret_keys)  # readable
        number = await unsubscribe_keys.add_key(conn, Vault(secret_keys))
        await _audit(conn, actor, "installation.rotate-unsubscribe")
        return number


async def _row(conn: Connection | PooledConnection) -> asyncpg.Record:
    row = await conn.fetchrow(_SQL.installation, SETTLE_SECONDS)
    if row is None:
        raise Unavailable(database.installation_missing())
    return row


async def _reencrypt(conn: Connection | PooledConnection, vault: Vault) -> bool:
    """Whether anything had to be rewritten."""
    rewritten = False
    for rows in _ELSEWHERE.values():
        rewritten |= await rows.reencrypt(conn, vault)
    row = await _row(conn)
    if all(row[name] is None or vault.is_current(row[name]) for name in _SECRETS):
        return rewritten
    mac, former, hashing = (
        None if row[name] is None else vault.encrypt(vault.decrypt(row[name])) for name in _SECRETS
    )
    return await conn.fetchval(_SQL.rewrite_secrets, mac, hashing, former, row["mac_key"]) is not None


async def _audit(conn: Connection, actor: str, action: str) -> None:
    await conn.execute(_SHARED.write_audit, actor, action, None, "installation", None, None, None)
