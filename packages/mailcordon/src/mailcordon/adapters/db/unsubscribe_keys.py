"""Keys of links to unsubscribe, encrypted under MAILCORDON_SECRET_KEYS. The newest makes links; none is ever deleted, since links
do not expire (send/unsubscribe.py)."""

import secrets
import time
from collections.abc import Callable, Sequence

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Connection, Pool, PooledConnection
from mailcordon.adapters.db.secret_rows import SecretRows
from mailcordon.adapters.db.secrets import Vault
from mailcordon.send.unsubscribe import SECRET_BYTES, Keyring, Named, UnknownKey

_SQL = queries.load("unsubscribe_keys.sql")
_READ_EVERY = 5.0  #: seconds between two reads: whoever makes tokens up must not make us read for each


async def load_keyring(conn: Connection | PooledConnection, secret_keys: Sequence[str]) -> Keyring:
    """Every key. Empty before the control role has made the first one. Raises SecretsUnreadable."""
    vault = Vault(secret_keys)
    return Keyring({row["number"]: vault.decrypt(row["secret"]) for row in await conn.fetch(_SQL.all_keys)})


class TokenReader:
    """Reads tokens with every key there is: one that was made since is read when the first token of it comes."""

    def __init__(
        self, control: Pool, secret_keys: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._control = control
        self._secret_keys = secret_keys
        self._clock = clock
        self._ring = Keyring({})
        self._read_at = float("-inf")

    async def read(self, token: str) -> Named | None:
        """Whom it names; None for a text that none of our keys made. Raises Unavailable."""
        try:
            return self._ring.read(token)
        except UnknownKey:
            pass
        now = self._clock()
        if now - self._read_at < _READ_EVERY:
            return None
        async with connection_pool.acquire(self._control) as connection:
            self._ring = await load_keyring(connection, self._secret_keys)
        self._read_at = now
        try:
            return self._ring.read(token)
        except UnknownKey:
            return None


async def ensure_first(conn: Connection | PooledConnection, vault: Vault) -> None:
    """Makes the first key, unless there is one. Needs the control role."""
    await conn.execute(_SQL.insert_first_key, vault.encrypt(secrets.token_bytes(SECRET_BYTES)))


async def add_key(conn: Connection | PooledConnection, vault: Vault) -> int:
    """A new key, which makes links from now on, and its number. Needs the control role."""
    return await conn.fetchval(_SQL.insert_key, vault.encrypt(secrets.token_bytes(SECRET_BYTES)))


SECRETS = SecretRows(_SQL.secrets, lambda row: (_SQL.rewrite_secret, row["number"]))
