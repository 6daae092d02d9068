"""`mailcordon secrets`: the keys that encrypt what is stored, and the key that signs attempt tags. `commands.py` has the options.

Each command says first what is stored, and changes nothing without --yes.
"""

import contextlib
from collections.abc import AsyncGenerator

from mailcordon.adapters.db import connect_errors, engine, unsubscribe_keys
from mailcordon.adapters.db import installation as installations
from mailcordon.adapters.db.installation import StoredSecrets
from mailcordon.adapters.db.secrets import Vault
from mailcordon.config import Config, login_setting
from mailcordon.messages import system, unsubscribe

_ACTOR = "mailcordon secrets"


async def rotate(config: Config, *, yes: bool) -> int:
    """Encrypts everything stored with the first key."""
    async with _connected(config) as connection:
        stored = await installations.stored_secrets(connection, config.secret_keys)
        _say_encryption(stored, len(config.secret_keys))
        if not stored.by_other_keys:
            return 0
        if not yes:
            print(system.secrets_dry_run())
            return 0
        await installations.reencrypt(connection, config.secret_keys, actor=_ACTOR)
        _say_encryption(
            await installations.stored_secrets(connection, config.secret_keys), len(config.secret_keys)
        )
    return 0


async def rotate_mac(config: Config, *, yes: bool) -> int:
    """A new key signs the tags of mail; the present one stays accepted."""
    async with _connected(config) as connection:
        stored = await installations.stored_secrets(connection, config.secret_keys)
        _say_mac(stored)
        if not yes and not stored.has_former_mac_key:
            print(system.secrets_dry_run())
            return 0
        await installations.rotate_mac_key(connection, config.secret_keys, actor=_ACTOR)
        print(system.mac_key_rotated(seconds=installations.SETTLE_SECONDS))
    return 0


async def rotate_unsubscribe(config: Config, *, yes: bool) -> int:
    """A new key makes links to unsubscribe; those of older ones stay valid."""
    async with _connected(config) as connection:
        stored = sum(await unsubscribe_keys.SECRETS.count(connection, Vault(config.secret_keys)))
        print(unsubscribe.keys_stored(keys=stored))
        if not yes:
            print(system.secrets_dry_run())
            return 0
        number = await installations.rotate_unsubscribe_key(connection, config.secret_keys, actor=_ACTOR)
        print(unsubscribe.key_rotated(number=number))
    return 0


async def drop_mac(config: Config, *, yes: bool) -> int:
    """The former key proves nothing any more."""
    async with _connected(config) as connection:
        stored = await installations.stored_secrets(connection, config.secret_keys)
        _say_mac(stored)
        if not yes and stored.has_former_mac_key:
            print(system.secrets_dry_run())
            return 0
        await installations.drop_former_mac_key(connection, actor=_ACTOR)
        print(system.former_mac_key_dropped())
    return 0


@contextlib.asynccontextmanager
async def _connected(config: Config) -> AsyncGenerator[engine.Connection]:
    config.require_logins("control")
    url = config.login_url("control")
    with connect_errors.explained(url, login_setting("control")):
        connection = await engine.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def _say_encryption(stored: StoredSecrets, keys: int) -> None:
    names = [system.secret_name(name=name) for name in stored.by_other_keys]
    print(system.secrets_stored(current=len(stored.by_first_key), others=names, keys=keys))


def _say_mac(stored: StoredSecrets) -> None:
    rotated = stored.mac_rotated_at
    print(
        system.mac_key_stored(
            rotated=None if rotated is None else rotated.isoformat(" ", "seconds"),
            former=stored.has_former_mac_key,
        )
    )
