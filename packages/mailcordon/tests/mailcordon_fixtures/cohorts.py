"""Counts of cohorts as sender and observer would append them, folded as the processes do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mailcordon.core.cohort import COLUMNS

MOST = 10_000


@dataclass(frozen=True)
class Cohorts:
    """Of the test's database. `connection` is the owner's or a superuser's."""

    connection: Any

    async def add(
        self,
        lane: int,
        *,
        minute: int | None = None,
        path: str = "isolated",
        campaign: str | None = None,
        list: str | None = None,
        provider: int = 0,
        domain: str | None = None,
        fold: bool = True,
        **counts: int,
    ) -> None:
        """Appends one change of a lane's counts, named as in COLUMNS, and folds it. `minute`: since 1970; default: now."""
        assert counts.keys() <= set(COLUMNS), counts
        await self.connection.execute(
            "insert into cohort_change (tenant, lane, minute, path, campaign, list, provider, domain, counts)"
            " values ((select tenant from lane where id = $1), $1, coalesce($2, now_ms() / 60000)::int, $3, $4, $5, $6, $7, $8)",
            lane,
            minute,
            path,
            campaign,
            list,
            provider,
            domain,
            [counts.get(name, 0) for name in COLUMNS],
        )
        if fold:
            await self.fold()

    async def fold(self) -> int:
        """Folds all that is committed. Returns the number of changes."""
        folded = 0
        while n := await self.connection.fetchval("select fold_cohorts($1)", MOST):
            folded += n
        return folded

    async def rows(self, *columns: str, table: str = "cohort_minute") -> list[tuple[Any, ...]]:
        """Of all cohorts, in the order of their key, after a fold. Counts that are null are 0. Columns of the slice as well."""
        await self.fold()
        names = ", ".join(f"coalesce(c.{name}, 0)" if name in COLUMNS else name for name in columns)
        key = {"cohort_minute": "minute", "cohort_hour": "hour", "cohort_slice": "first_minute"}[table]
        rows = await self.connection.fetch(
            f"select {names} from {table} c join slice s on s.id = c.slice"
            f" order by c.{key}, s.lane, s.path, s.campaign, s.list, c.provider"
        )
        return [tuple(row) for row in rows]


MakeCohorts = Callable[[Any], Cohorts]


@pytest.fixture
def cohorts() -> MakeCohorts:
    """`cohorts(world.connection)`."""
    return Cohorts
