"""What a migrated database needs before the first role starts: the installation's row, and the operator's key.

Both are created once; asking again changes nothing.
"""

from mailcordon.adapters.db import connect_errors, engine
from mailcordon.adapters.db.installation import load_or_create_installation
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.config import Config, login_setting
from mailcordon.control import keys


async def ensure_installation(config: Config) -> None:
    """Creates the installation's row and its keys if they do not exist. Call it after migrating."""
    url = config.login_url("control")
    with connect_errors.explained(url, login_setting("control")):
        connection = await engine.connect(url)
    try:
        await load_or_create_installation(connection, config.secret_keys, config.installation)
    finally:
        await connection.close()


async def platform_key(config: Config, held: str | None, *, replace: bool = False) -> str:
    """The command line's key: `held` if it is valid, else a new one. `replace` revokes the held one first."""
    async with await engine.create_pool(config.login_url("control"), max_size=1) as pool:
        store = KeyStore(pool)
        maker = keys.Keys(store)
        if held is not None:
            found = await store.find(keys.hash_of(held))
            if found.principal is not None and not replace:
                return held
            if found.principal is not None:
                await maker.revoke(found.principal.prefix, actor="mailcordon up --new-key")
        _, text = await maker.mint_platform_key("cli", actor="mailcordon up")
        return text
