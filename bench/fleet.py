"""Counts of a large fleet, written by COPY: lanes of very different volume over many days, as cohorts by day, hour and minute.

Days go back as far as asked, hours 9 days, minutes 3 hours: partitions of older hours and minutes exist in a real system, but no
query about now reads them. The sums by lane and of the fleet are computed by what computes them after an upgrade.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import asyncpg

from mailcordon.core.provider import Provider

DAY = 1440  #: minutes
_HOUR_DAYS = 9
_MINUTES = 180
_PROVIDERS = (
    (Provider.GMAIL, 45),
    (Provider.MICROSOFT, 20),
    (Provider.YAHOO, 12),
    (Provider.OTHER, 10),
    (Provider.APPLE, 8),
    (Provider.GMX, 5),
)
_COLUMNS = (
    *("sent", "send_events", "delivered", "hard_bounced", "soft_bounced", "complained", "delayed"),
    *("opened", "clicked", "machine_opened", "recipient_gone", "sender_reputation"),
)
_TYPES = 6
_BATCH = 200_000  #: rows of one COPY


@dataclass(frozen=True, slots=True)
class Fleet:
    tenants: int
    lanes: int
    rows: dict[str, int]  #: by table


@dataclass(frozen=True, slots=True)
class _Lane:
    id: int
    tenant: int
    slice: int
    daily: float  #: mails a day
    bounces: float
    complaints: float


async def write(
    connection: asyncpg.Connection,
    *,
    lanes: int,
    days: int,
    now: int,
    tenants: int | None = None,
    types: Sequence[str] = (),
) -> Fleet:
    """`now`: minutes since 1970. The connection is the owner's, and the database is migrated and has no tenant. `tenants`: a
    quarter of the lanes, unless given; `types`: six, unless named."""
    chance = random.Random(7)
    await connection.execute("set statement_timeout = 0")
    made = await _lanes(connection, lanes, tenants or max(1, lanes // 4), types, chance)
    await _partitions(connection, now)
    today = now // DAY
    # A week of days and a day of hours, which repeat.
    await _template(connection, "week", _days(made, 7, chance))
    await _template(connection, "clock", _short(made, range(24), 24, chance))
    names = ", ".join(_COLUMNS)
    await connection.execute(
        f"insert into cohort_day (day, lane, provider, tenant, {names}) select d, s.lane, t.provider, s.tenant, {names}"
        " from generate_series($1::int, $2::int) d join week t on t.time = d % 7 join slice s on s.id = t.slice order by d",
        today - days + 1,
        today,
    )
    await connection.execute(
        f"insert into cohort_hour (hour, slice, provider, {names}) select h, t.slice, t.provider, {names}"
        " from generate_series($1::int, $2::int) h join clock t on t.time = h % 24 order by h",
        (today - _HOUR_DAYS) * 24,
        now // 60,
    )
    minutes = range(now - _MINUTES, now + 1)
    await _copy(
        connection, "cohort_minute", ("minute", "slice", "provider"), _short(made, minutes, DAY, chance)
    )
    await connection.execute("select rebuild_cohort_sums(0)")
    await _older_sums(connection, (today - _HOUR_DAYS) * DAY)
    await connection.execute("vacuum analyze")
    tables = ("cohort_day", "cohort_hour", "cohort_minute", "cohort_lane", "cohort_fleet")
    rows = {name: await connection.fetchval(f"select count(*) from {name}") for name in tables}
    return Fleet(len({lane.tenant for lane in made}), len(made), rows)


async def _template(connection: asyncpg.Connection, name: str, rows: Iterator["Row"]) -> None:
    await connection.execute(
        f"create temporary table {name} (time int, slice int, provider smallint, {', '.join(f'{one} int' for one in _COLUMNS)})"
    )
    await _copy(connection, name, ("time", "slice", "provider"), rows)
    await connection.execute(f"analyze {name}")


async def _lanes(
    connection: asyncpg.Connection, count: int, tenants: int, names: Sequence[str], chance: random.Random
) -> list[_Lane]:
    types = [
        tuple(row)
        for row in await connection.fetch(
            "select id, class from message_type where name = any ($1) or $1 = '{}' order by id limit $2",
            list(names),
            _TYPES,
        )
    ]
    await connection.execute(
        "insert into tenant (key, slug) select 'mc-' || lpad(n::text, 10, '0'), 'tenant-' || n from generate_series(1, $1) n",
        tenants,
    )
    await connection.execute(
        "insert into turn (tenant, class) select t.id, c from tenant t cross join generate_series(0, 2) c"
    )
    await connection.execute(
        "insert into identity (tenant, domain, status) select id, 'mail.' || slug || '.example', 'verified' from tenant"
    )
    await connection.execute(
        "insert into configuration_set (name, kind) values ('mc-bench', 'shared') on conflict do nothing"
    )
    ids = [row[0] for row in await connection.fetch("select id from tenant order by id")]
    wanted = [(ids[index % tenants], *types[index // tenants % len(types)]) for index in range(count)]
    await connection.execute(
        "insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend)"
        " select w.tenant, w.type, w.class, (select id from turn where tenant = w.tenant and class = w.class), 86400000, 60000,"
        " true"
        " from unnest($1::int[], $2::smallint[], $3::smallint[]) w (tenant, type, class)",
        *(list(column) for column in zip(*wanted, strict=True)),
    )
    await connection.execute(
        "insert into route (lane, tenant, path, ses_tenant, identity, domain, configuration_set, ip_pool)"
        " select l.id, l.tenant, 'shared', 'bench', i.id, i.domain, 'mc-bench', 'pool-' || l.tenant % 3"
        " from lane l join identity i on i.tenant = l.tenant"
    )
    await connection.execute(
        "insert into slice (tenant, lane, path, first_minute) select tenant, id, 'shared', 0 from lane order by id"
    )
    rows = await connection.fetch("select lane, tenant, id from slice order by lane")
    # A few lanes send half of the mail: the n-th of them about 1/n of what the first sends, 1 to 400,000 a day.
    return [
        _Lane(
            row[0],
            row[1],
            row[2],
            max(4.0, 400_000 / chance.randint(1, count)),
            chance.choice((0.002, 0.004, 0.008, 0.03)),
            chance.choice((0.0001, 0.0003, 0.002)),
        )
        for row in rows
    ]


async def _partitions(connection: asyncpg.Connection, now: int) -> None:
    await connection.execute("select ensure_partitions(2)")
    for table, days in (("cohort_hour", _HOUR_DAYS), ("cohort_minute", 1)):
        for back in range(days + 1):
            await connection.execute(
                "select make_partition($1, date '1970-01-01' + $2::int)", table, now // DAY - back
            ) if await connection.fetchval(
                "select exists (select from pg_partitioned_table where partrelid = $1::text::regclass)", table
            ) else None


Row = tuple[int | None, ...]


def _days(lanes: list[_Lane], days: int, chance: random.Random) -> Iterator[Row]:
    for day in range(days):
        for lane in lanes:
            for provider, share in _PROVIDERS:
                if sent := _some(lane.daily * share / 100, chance):
                    yield (day, lane.slice, provider, *_counts(lane, provider, sent, chance))


def _short(lanes: list[_Lane], times: range, parts: int, chance: random.Random) -> Iterator[Row]:
    for time in times:
        for lane in lanes:
            each = lane.daily / parts
            if each < 0.3 and chance.random() > 3 * each:
                continue
            for provider, share in _PROVIDERS:
                if sent := _some(max(each, 0.3) * share / 100, chance):
                    yield (time, lane.slice, provider, *_counts(lane, provider, sent, chance))


def _some(mean: float, chance: random.Random) -> int:
    """About as many; rarely any of less than one."""
    whole = int(mean)
    return whole + (chance.random() < mean - whole)


def _counts(lane: _Lane, provider: Provider, sent: int, chance: random.Random) -> Row:
    hard = _some(sent * lane.bounces, chance)
    complained = 0 if provider is Provider.GMAIL else _some(sent * lane.complaints, chance)
    soft, blocked = _some(sent * 0.004, chance), _some(sent * 0.001, chance)
    found = (
        *(sent, sent, sent - hard, hard, soft, complained, _some(sent * 0.003, chance)),
        *(_some(sent * 0.2, chance), _some(sent * 0.02, chance), _some(sent * 0.3, chance), hard, blocked),
    )
    return tuple(value or None for value in found)


async def _copy(
    connection: asyncpg.Connection, table: str, key: tuple[str, ...], rows: Iterator[Row]
) -> None:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            await connection.copy_records_to_table(table, records=batch, columns=(*key, *_COLUMNS))
            batch = []
    await connection.copy_records_to_table(table, records=batch, columns=(*key, *_COLUMNS))


async def _older_sums(connection: asyncpg.Connection, before: int) -> None:
    """The sums of days of which no hours were written, from the days."""
    sums = ", ".join(f"nullif(sum({name}), 0)" for name in _COLUMNS)
    silent = "nullif(sum(sent) filter (where provider = 1), 0)"
    names = ", ".join((*_COLUMNS, "silent_sent"))
    added = ", ".join(f"nullif(sum({name}), 0)" for name in (*_COLUMNS, "silent_sent"))
    await connection.execute(
        f"insert into cohort_lane (span, minute, lane, isolated, tenant, {names})"
        f" select {DAY}, day * {DAY}, lane, false, tenant, {sums}, {silent} from cohort_day"
        f" where day < {before // DAY} group by 2, 3, 5 order by 2, 3"
    )
    await connection.execute(f"delete from cohort_lane where span > {DAY}")
    for part, span in ((DAY, 7 * DAY), (7 * DAY, 28 * DAY)):
        await connection.execute(
            f"insert into cohort_lane (span, minute, lane, isolated, tenant, {names})"
            f" select {span}, minute - minute % {span}, lane, isolated, tenant, {added} from cohort_lane"
            f" where span = {part} group by 2, 3, 4, 5 order by 2, 3"
        )
    await connection.execute(
        f"insert into cohort_fleet (span, minute, type, provider, {', '.join(_COLUMNS)}, silent_sent)"
        f" select {DAY}, day * {DAY}, type, provider, {sums}, {silent} from cohort_day c join lane l on l.id = c.lane"
        f" where day < {before // DAY} group by 2, 3, 4"
    )
