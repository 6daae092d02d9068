"""What a migrated database needs before the first role starts: the installation's row, and the keys in cli.json.

All are created once; asking again changes nothing.
"""

import getpass
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailcordon.adapters.db import connect_errors, engine
from mailcordon.adapters.db.installation import declare_mode, load_or_create_installation
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.config import Config, login_setting
from mailcordon.control import keys
from mailcordon.core import names
from mailcordon.core.principal import SCOPES, SEND


async def ensure_installation(config: Config) -> bool:
    """Creates the installation's row and its keys if they do not exist, and remembers whether it is to observe only. Returns
    whether it does. Call it after migrating."""
    url = config.login_url("control")
    with connect_errors.explained(url, login_setting("control")):
        connection = await engine.connect(url)
    try:
        found = await load_or_create_installation(connection, config.secret_keys, config.installation)
        if config.observe_only is None:
            return found.observe_only
        await declare_mode(connection, observe_only=config.observe_only, actor="settings")
        return config.observe_only
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalKeys:
    """The keys in cli.json."""

    key: str  #: the operator's, with every scope: for the command line alone
    send_key: str  #: can only send: for `mailcordon env` and what is pasted


async def local_keys(config: Config, held: Mapping[str, Any], *, replace: bool = False) -> LocalKeys:
    """Those of cli.json that are valid, and new ones for the others. `replace` revokes the held ones first."""
    async with await engine.create_pool(config.login_url("control"), max_size=1) as pool:
        store = KeyStore(pool)
        return LocalKeys(
            key=await _ensure(store, held.get("key"), "cli", SCOPES, replace=replace),
            send_key=await _ensure(store, held.get("send_key"), "env", (SEND,), replace=replace),
        )


async def _ensure(store: KeyStore, held: object, name: str, scopes: tuple[str, ...], *, replace: bool) -> str:
    maker = keys.Keys(store)
    found = await store.find(keys.hash_of(held)) if isinstance(held, str) else None
    if isinstance(held, str) and found is not None and found.principal is not None:
        ended = found.expires_at is not None and found.expires_at <= time.time()
        if not replace and not ended and found.principal.scopes <= set(scopes):
            return held
        if replace:
            await maker.revoke(found.principal.prefix, actor="mailcordon up --new-key")
    _, text = await maker.create(tenant=None, name=name, scopes=scopes, actor="mailcordon up", holder=_user())
    return text


def _user() -> str | None:
    """Who uses the keys in cli.json: the user of this machine. None if there is no name that a holder can have."""
    try:
        return names.holder(getpass.getuser())
    except (OSError, KeyError, ValueError):
        return None
