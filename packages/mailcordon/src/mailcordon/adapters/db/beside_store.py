"""What stands beside our resources at SES, as the control role."""

import json
from collections.abc import Mapping, Sequence, Set

from mailcordon.adapters.db import finding_store, plan_store, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control import desired, observed
from mailcordon.control.administration import Whole
from mailcordon.control.beside import Stranger
from mailcordon.control.desired import Kind, Resource
from mailcordon.control.difference import Found, Owner
from mailcordon.control.plan import Change

_SQL = queries.load("finding_store.sql")
_PROVISION = queries.load("provision_store.sql")
_SHARED = queries.load("shared.sql")


class BesideStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def want_account(self, cell: str) -> None:
        await self._pool.execute(_SQL.want_account, cell)

    async def strangers(self, kind: Kind, names: Sequence[str]) -> list[str]:
        return [row["name"] for row in await self._pool.fetch(_SQL.strangers, kind.word, list(names))]

    async def keep(
        self, kind: Kind, found: Sequence[Stranger], *, listed: Sequence[str] | None = None
    ) -> None:
        names = [each.name for each in found]
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(_SQL.keep_beside, kind.word, names, [json.dumps(each.whole) for each in found])
            if listed is not None:
                await conn.execute(_SQL.forget_beside, kind.word, list(listed))

    async def known_strangers(self, kind: Kind) -> list[str]:
        return [row["name"] for row in await self._pool.fetch(_SQL.known_beside, kind.word)]

    async def new_members(self) -> Mapping[str, str]:
        return {row["name"]: row["resource"] for row in await self._pool.fetch(_SQL.new_members)}

    async def forget_members(self, known: Sequence[str]) -> None:
        if known:
            await self._pool.execute(_SQL.forget_members, list(known))

    async def domains_near(self, above: Sequence[str], domains: Sequence[str]) -> Mapping[str, Owner]:
        rows = await self._pool.fetch(_SQL.domains_near, list(above), list(domains))
        return {row["domain"]: Owner(tenant=row["tenant"], slug=row["slug"]) for row in rows}

    async def accepted(self) -> Set[tuple[str, str]]:
        return {(row["kind"], row["name"]) for row in await self._pool.fetch(_SQL.accepted_beside)}

    async def owners(self, resources: Sequence[str]) -> Mapping[str, Owner]:
        names: dict[str, list[str]] = {"identity": [], "configuration-set": []}
        for each in resources:
            kind, _, name = each.partition("/")
            names.setdefault(kind, []).append(name)
        rows = await self._pool.fetch(_PROVISION.owners, names["identity"], names["configuration-set"])
        return {row["resource"]: Owner(tenant=row["tenant"], slug=row["slug"] or "") for row in rows}

    async def see(
        self,
        look: tuple[str, str],
        found: Sequence[Found],
        *,
        only: str | None = None,
        most: int | None = None,
    ) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            if most is not None:
                found = await finding_store.bounded(conn, look, found, most)
            await finding_store.see(conn, look, found, left={each.key for each in found}, only=only)

    async def entities(self, policies: Mapping[str, Whole], *, again_in: float) -> None:
        members = {name: observed.members(Kind.POLICY, name, whole) for name, whole in policies.items()}
        await self._pool.execute(
            _SQL.entities,
            list(policies),
            [each["policy"] for each in members.values()],
            [each["status"] for each in members.values()],
            [json.dumps(whole) for whole in policies.values()],
            again_in,
        )

    async def statuses(self, statuses: Mapping[str, str]) -> None:
        await self._pool.execute(_SQL.statuses, list(statuses), list(statuses.values()))

    async def hinted(
        self, after: int | None, most: int, *, concerns_us: bool
    ) -> tuple[int, list[tuple[str, str]]]:
        last = await self._pool.fetchval(_SQL.last_hint)
        if after is None or after >= last:  # the first round reads all
            return last, []
        rows = await self._pool.fetch(_SQL.hinted, after, last, most, concerns_us)
        if concerns_us and len(rows) == most:
            last = rows[-1]["id"]
        return last, [(row["kind"], row["name"]) for row in rows]

    async def approved(self) -> list[Change]:
        return [
            Change(
                Resource(desired.parse_kind(row["kind"]), row["name"], {}, row["tenant"] is None),
                row["action"],
                row["member"] or None,
            )
            for row in await self._pool.fetch(_SQL.approved)
        ]

    async def recorded(self, change: Change, error: str | None) -> None:
        kind, name = change.resource.kind.word, change.resource.name
        async with self._pool.acquire() as conn, conn.transaction():
            if error is not None:
                await plan_store.record(conn, kind, name, (), [(change, error)], is_settled=False)
                return
            await plan_store.record(conn, kind, name, [change], (), is_settled=False)
            await conn.execute(
                _SHARED.write_audit,
                finding_store.ACTOR,
                f"ses.{change.action}",
                None,
                str(change),
                None,
                None,
                None,
            )
            if change.resource.kind == Kind.EVENT_DESTINATION:
                await conn.execute(_SQL.look_at_set, name.partition("/")[0])

    async def tenant_arn(self, key: str) -> str | None:
        return await self._pool.fetchval(_PROVISION.tenant_arn, key)

    async def attribute(self) -> None:
        await self._pool.execute(_SQL.attribute)
