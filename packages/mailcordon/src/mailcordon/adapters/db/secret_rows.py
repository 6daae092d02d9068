"""Secrets in a table's rows, encrypted: counting them, and encrypting them anew, is the same for every table."""

from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from mailcordon.adapters.db.engine import Connection, PooledConnection
from mailcordon.adapters.db.secrets import Vault


@dataclass(frozen=True, slots=True)
class SecretRows:
    """`select` brings the rows that have a secret, in a column of that name. `rewrite` says how one is written again: a statement
    and its arguments, but for the last, which is the secret encrypted anew."""

    select: str
    rewrite: Callable[[asyncpg.Record], tuple[object, ...]]

    async def count(self, conn: Connection | PooledConnection, vault: Vault) -> tuple[int, int]:
        """How many secrets the first key of MAILCORDON_SECRET_KEYS encrypted, and how many another one did."""
        return vault.count([row["secret"] for row in await conn.fetch(self.select)])

    async def reencrypt(self, conn: Connection | PooledConnection, vault: Vault) -> bool:
        """Whether anything had to be rewritten."""
        rewritten = False
        for row in await conn.fetch(self.select):
            if (renewed := vault.renewed(row["secret"])) is not None:
                statement, *arguments = self.rewrite(row)
                await conn.execute(str(statement), *arguments, renewed)
                rewritten = True
        return rewritten
