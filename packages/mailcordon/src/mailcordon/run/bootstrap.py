"""What has to exist in a migrated database before the first role starts: the installation, and the key its operator holds.

Both can be asked for again at any time and are only made once.
"""

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.installation import load_or_create_installation
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.config import Config
from mailcordon.control import keys


async def begin_installation(config: Config) -> None:
    """After migrating, before any role starts: the installation's row and its keys exist."""
    connection = await engine.connect(config.login_url("control"))
    try:
        await load_or_create_installation(connection, config.secret_keys, config.installation)
    finally:
        await connection.close()


async def platform_key(config: Config, held: str | None, *, anew: bool = False) -> str:
    """The CLI's key: the one it holds while that is good, else a new one. `anew` revokes the held one first."""
    async with await engine.create_pool(config.login_url("control"), max_size=1) as pool:
        store = KeyStore(pool)
        maker = keys.Keys(store)
        if held is not None:
            found = await store.find(keys.hash_of(held))
            if found.principal is not None and not anew:
                return held
            if found.principal is not None:
                await maker.revoke(found.principal.prefix, actor="mailcordon up --new-key")
        _, text = await maker.mint_platform_key("cli", actor="mailcordon up")
        return text
