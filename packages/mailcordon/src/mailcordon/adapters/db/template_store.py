"""Templates, as the control role; a tenant's key reads as the reader role. Also what a message is rendered with."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, queries, row_level_security
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control.templates import Owner, Shown, Summary, bound
from mailcordon.core.template import (
    MOST_KEPT,
    MOST_TEMPLATES,
    MOST_VERSIONS,
    Reference,
    Source,
    Version,
    label,
)
from mailcordon.messages import templates

_SQL = queries.load("template_store.sql")
_SHARED = queries.load("shared.sql")
_NEWEST = 2**31 - 1
MOST_ASKED = 200  #: names in one statement
_KEPT = 500  #: versions in memory
_MOST_KEPT = 16 * 1024 * 1024  #: bytes of their sources


class TemplateStore:
    def __init__(self, control: Pool, reader: Pool | None = None) -> None:
        """`reader`: a pool of the reader login, for tenants' keys."""
        self._control = control
        self._reader = reader or control

    async def put(
        self,
        owner: Owner,
        name: str,
        source: Source,
        compiled: str | None,
        *,
        actor: str,
        because: str | None,
    ) -> tuple[int, bool]:
        async with connection_pool.transaction(self._control) as conn:
            await conn.execute(_SQL.lock_owner, owner.tenant)
            found = await conn.fetchrow(_SQL.find, owner.tenant, name)
            if found is not None and found["retired_at"] is None and found["latest"]:
                row = await conn.fetchrow(_SQL.version, found["id"], found["latest"])
                if row is not None and _source(row) == source:
                    return found["latest"], False
            await _check_bounds(conn, owner, _size(source, compiled), 0 if found is None else found["latest"])
            id = await conn.fetchval(_SQL.add, owner.tenant, name, actor) if found is None else found["id"]
            version = 1 if found is None else found["latest"] + 1
            await conn.execute(
                _SQL.add_version,
                *(id, version, owner.tenant, source.dialect, source.subject, source.text, source.html, source.mjml),
                *(compiled, json.dumps(dict(source.parts)), source.size, actor, because),
            )  # fmt: skip
            await conn.execute(_SQL.set_latest, id, version)
            after = json.dumps({"version": version, "dialect": source.dialect, "bytes": source.size})
            await _audit(conn, "template.put", owner, label(name, version), actor, after, because)
            return version, True

    async def retire(self, owner: Owner, name: str, *, actor: str, because: str | None) -> bool:
        async with connection_pool.transaction(self._control) as conn:
            latest = await conn.fetchval(_SQL.retire, owner.tenant, name, actor)
            if latest is None:
                return False
            await _audit(conn, "template.retire", owner, name, actor, None, because)
            return True

    async def shown(self, owner: Owner, name: str, version: int | None) -> Shown | None:
        async with self._reading(owner) as conn:
            row = await conn.fetchrow(_SQL.shown, owner.tenant, name, version)
        return None if row is None else Shown(**_summary(row), source=_source(row), compiled=row["compiled"])

    async def page(self, owner: Owner, *, after: int, limit: int) -> list[Summary]:
        async with self._reading(owner) as conn:
            return [
                Summary(**_summary(row)) for row in await conn.fetch(_SQL.list, owner.tenant, after, limit)
            ]

    async def versions(self, owner: Owner, name: str, *, before: int, limit: int) -> list[Summary]:
        async with self._reading(owner) as conn:
            found = await conn.fetchrow(_SQL.shown, owner.tenant, name, None)
            if found is None:
                return []
            rows = await conn.fetch(_SQL.versions, found["id"], min(before, _NEWEST), limit)
        return [Summary(**_summary({**dict(found), **dict(row)})) for row in rows]

    def _reading(self, owner: Owner) -> Any:
        who = owner.tenant if owner.as_tenant else None
        return row_level_security.read_transaction(self._control, self._reader, who, snapshot=False)


class TemplateLookup:
    """Finds what messages name. Implements `send.ports.TemplateLookup`.

    Which version is the newest is asked for every message, so a message is made with what was stored before it was handed in,
    by whichever process; those that wait meanwhile share a statement. Versions never change and are kept in memory.
    """

    def __init__(self, pool: Pool) -> None:
        """`pool`: of the control login."""
        self._pool = pool
        self._asked: dict[tuple[str, Reference], asyncio.Future[tuple[int, int] | None]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._kept: OrderedDict[tuple[int, int], Version] = OrderedDict()
        self._size = 0

    async def find(self, slug: str, reference: Reference) -> Version | None:
        """The tenant's own template, or else the platform's."""
        answer = self._asked.get((slug, reference))
        if answer is None:
            answer = self._asked[slug, reference] = asyncio.get_running_loop().create_future()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        key = await asyncio.shield(answer)
        return None if key is None else await self._version(key)

    async def _ask(self) -> None:
        """Answers what is asked, all of it at once; what is asked meanwhile comes next."""
        await asyncio.sleep(0)
        while self._asked:
            asked = dict(list(self._asked.items())[:MOST_ASKED])
            for one in asked:
                del self._asked[one]
            try:
                found = await self._newest(list(asked))
            except Exception as problem:
                for answer in asked.values():
                    answer.set_exception(problem)
                continue
            for index, answer in enumerate(asked.values()):
                answer.set_result(found.get(index))

    async def _newest(self, asked: Sequence[tuple[str, Reference]]) -> dict[int, tuple[int, int]]:
        slugs = [slug for slug, _ in asked]
        names, versions = [one.name for _, one in asked], [one.version or 0 for _, one in asked]
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.newest, slugs, names, versions)
        return {row["o"] - 1: (row["id"], row["version"]) for row in rows}

    async def _version(self, key: tuple[int, int]) -> Version:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.version, *key)
        assert row is not None
        found = Version(
            id=key[0], name=row["name"], version=key[1], source=_source(row), compiled=row["compiled"]
        )
        if key not in self._kept:
            self._kept[key] = found
            self._size += _weight(found)
            while len(self._kept) > 1 and (len(self._kept) > _KEPT or self._size > _MOST_KEPT):
                self._size -= _weight(self._kept.popitem(last=False)[1])
        return found


def _weight(version: Version) -> int:
    return _size(version.source, version.compiled)


def _size(source: Source, compiled: str | None) -> int:
    return source.size + len((compiled or "").encode())


async def _check_bounds(conn: PooledConnection, owner: Owner, size: int, latest: int) -> None:
    """Raises Invalid."""
    if latest >= MOST_VERSIONS:
        raise bound("name", templates.too_many_versions(MOST_VERSIONS))
    kept = await conn.fetchrow(_SQL.kept, owner.tenant)
    assert kept is not None
    if not latest and kept["templates"] >= MOST_TEMPLATES:
        raise bound("name", templates.too_many_templates(MOST_TEMPLATES))
    if kept["bytes"] + size > MOST_KEPT:
        raise bound("html", templates.too_much_kept(MOST_KEPT))


async def _audit(
    conn: PooledConnection,
    action: str,
    owner: Owner,
    about: str,
    actor: str,
    after: str | None,
    because: str | None,
) -> None:
    what = f"template {about}" + ("" if owner.slug is None else f" of {owner.slug}")
    await conn.execute(_SHARED.write_audit, actor, action, owner.tenant, what, None, after, because)


def _source(row: asyncpg.Record) -> Source:
    return Source(
        dialect=row["dialect"],
        subject=row["subject"],
        text=row["text"],
        html=row["html"],
        mjml=row["mjml"],
        parts=json.loads(row["parts"]),
    )


def _summary(row: Any) -> dict[str, Any]:
    return {name: row[name] for name in Summary.__dataclass_fields__}
