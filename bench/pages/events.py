"""What has happened to the tenants of a large installation: incidents, holds, stops, decisions, audit, plans, drift and more.

The statements (`events.sql`) make rows from numbers, so that a size is a parameter. Words of people and of SES come
from `words`, one after the other: the tests give hostile ones.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

PLAIN = (
    "wrong prices in the mail",
    "asked for by the tenant",
    "too many bounces since the import",
    "checked with the tenant",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """Rows in all. Of what can be open, `open_` rows are."""

    open_: int = 20
    incidents: int = 2_000
    holds: int = 5_000
    stops: int = 500
    decisions: int = 5_000
    suppressions: int = 300_000
    audit: int = 100_000
    plans: int = 1_000
    findings: int = 1_000
    others: int = 200  #: of everything else

    @classmethod
    def of(cls, tenants: int) -> "Amounts":
        """As many as an installation of so many tenants has: the defaults are those of 10,000."""
        share = min(1.0, tenants / 10_000)

        def some(rows: int, least: int) -> int:
            return max(least, int(rows * share))

        return cls(
            open_=some(20, 4),
            incidents=some(2_000, 24),
            holds=some(5_000, 24),
            stops=some(500, 12),
            decisions=some(5_000, 24),
            suppressions=some(300_000, 60),
            audit=some(100_000, 120),
            plans=some(1_000, 12),
            findings=some(1_000, 12),
            others=some(200, 12),
        )


async def write(
    owner: asyncpg.Connection, amounts: Amounts, *, now_ms: int, words: Sequence[str] = PLAIN
) -> None:
    """As the owner, in one transaction. There are lanes already."""
    async with owner.transaction():
        await _write(owner, amounts, now_ms, words)
    await owner.execute("analyze")


async def _write(owner: asyncpg.Connection, amounts: Amounts, now_ms: int, words: Sequence[str]) -> None:
    await owner.execute(
        "create temporary table word as select n, said from unnest($1::text[]) with ordinality x (said, n)",
        list(words),
    )
    await owner.execute(
        "create function pg_temp.say(n bigint) returns text language sql stable as"
        f" $$ select said from word where word.n = 1 + $1 % {len(words)} $$"
    )
    # The n-th of the lanes that something happens to, far from each other, so that every page has some.
    await owner.execute(
        "create temporary table place as select l.id as lane, l.tenant, t.slug, y.name as type, l.class,"
        " row_number() over (order by (l.id * 7919) % 100003, l.id) - 1 as place"
        " from lane l join tenant t on t.id = l.tenant join message_type y on y.id = l.type"
    )
    await owner.execute("create index on place (place)")
    await owner.execute("analyze place")
    run = {name: functools.partial(owner.execute, statement) for name, statement in _statements().items()}
    for name, count in (
        ("incidents", amounts.incidents),
        ("holds", amounts.holds),
        ("stops", amounts.stops),
    ):
        await run[name](now_ms, count, amounts.open_)
    lanes = await owner.fetchval("select count(*) from place")
    await run["decisions"](
        now_ms, amounts.decisions, min(amounts.open_, lanes)
    )  # one of a lane and signal is open
    await run["held_lanes"]()
    await run["stopped_lanes"]()
    await run["alarms"](now_ms)
    await run["entries"]()
    await run["suppressions"](now_ms, amounts.suppressions)
    await run["audit"](0, amounts.audit, amounts.audit)
    await run["plans"](amounts.plans, amounts.open_)
    await run["changes"]()
    await run["findings"](amounts.findings, amounts.open_)
    for name in ("ses_findings", "ungoverned", "rollouts", "signals", "webhooks"):
        await run[name](now_ms, amounts.others)
    for name in ("quarantine", "pools", "members", "rollout_steps"):
        await run[name](amounts.others)
    await run["rollout_lanes"]()
    await run["ungoverned_hours"](now_ms)
    await run["keys"](10 * amounts.others)
    await run["identities"]()
    if words is not PLAIN:
        for name in ("campaigns", "events", "outcomes", "reasons", "contents"):
            await run[f"mail_{name}"]()
        await run["waiting_campaigns"]()


def _statements() -> dict[str, str]:
    found: dict[str, str] = {}
    for part in (Path(__file__).parent / "events.sql").read_text().split("-- name: ")[1:]:
        title, _, statement = part.partition("\n")
        found[title.partition("(")[0]] = statement
    return found
