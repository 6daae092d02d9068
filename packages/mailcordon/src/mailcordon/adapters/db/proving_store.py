"""The mails of proofs, as the send role. Implements `send.ports.ProvingStore`."""

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.core.proof import What
from mailcordon.core.route import Route
from mailcordon.send.ports import ProofMail

_SQL = queries.load("proving_store.sql")


class ProvingStore:
    def __init__(self, dsn: str) -> None:
        self._connection = PinnedConnection(dsn, "proving")

    async def close(self) -> None:
        await self._connection.close()

    async def asked(self, most: int) -> list[ProofMail]:
        async with self._connection.use() as connection:
            rows = await connection.fetch(_SQL.asked, most)
        return [ProofMail(row["id"], row["lane"], What(row["what"])) for row in rows]

    async def begin(self, mail: ProofMail, route: Route) -> int | None:
        async with self._connection.use() as connection:
            return await connection.fetchval(
                _SQL.begin, mail.id, route.ses_tenant, route.domain, route.configuration_set
            )

    async def put_back(self, mail: ProofMail, said: str | None) -> None:
        async with self._connection.use() as connection:
            await connection.execute(_SQL.put_back, mail.id, said)

    async def answered(self, mail: ProofMail, state: str, *, ses_id: str | None, said: str | None) -> None:
        async with self._connection.use() as connection:
            await connection.execute(_SQL.answered, mail.id, state, ses_id, said)
