"""The database as a second lock: what a login may make the owner do, and what PUBLIC may do (docs/control.md, "Logins")."""

import secrets
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import engine, migrate, roles
from mailcordon.adapters.db.engine import Connection

SAFE = "search_path=pg_catalog, mailcordon, pg_temp"
#: The functions that run as the owner. A new one needs the same care: its search path, bounds on its arguments, its own grants.
DEFINERS = {
    "days_in_default",
    "rows_in_default",
    "make_partition",
    "ensure_partitions",
    "drop_day",
    "erase_some",
    "forget_address",
    "forget_some",
    "request_erasure",
    "audit_chained",
    "audit_erase_personal",
    "proof_parts",
    "fold_cohorts",
    "resum_cohorts",
    "resum_slices",
    "purge_slices",
    "move_unknown",
    "want_domains",
    "add_cohort_sums",
    "count_wrong_cohort_sums",
    "rebuild_cohort_sums",
    "keep_route_moved",
    "begin_release",
    "move_path",
    "meet_each",
    "place_observed",
    "observed_lane",
    "webhook_left",
    "webhook_lane",
    "webhook_suppressed",
    "webhook_forget",
    "split_entry_erased",
}

#: A type of the caller's own that stands before PostgreSQL's `text`, and runs a function whenever a value becomes one.
TRAP = """
create function pg_temp.spring(pg_catalog.text) returns boolean language plpgsql as $$
begin
    perform set_config('trap.sprung_as', current_user, false);
    return true;
end $$;
create domain pg_temp.text as pg_catalog.text check (pg_temp.spring(value));
"""


@pytest.fixture
async def control(database: Any) -> AsyncIterator[Connection]:
    connection = await engine.connect(database.dsn("control"))
    yield connection
    await connection.close()


@pytest.fixture
async def owner(database: Any) -> AsyncIterator[Connection]:
    connection = await engine.connect(database.dsn("owner"))
    yield connection
    await connection.close()


# The catalogue ------------------------------------------------------------------------------------------------------------


async def test_every_function_of_the_owner_looks_names_up_in_postgresqls_schema_first(
    owner: Connection,
) -> None:
    rows = await owner.fetch(
        "select p.proname, p.prosecdef, coalesce(p.proconfig, '{}') as config from pg_proc p"
        " join pg_namespace n on n.oid = p.pronamespace where n.nspname not in ('pg_catalog', 'information_schema')"
    )
    assert {row["proname"] for row in rows if row["prosecdef"]} == DEFINERS
    for row in rows:
        paths = [one for one in row["config"] if one.startswith("search_path=")]
        if row["prosecdef"] or paths:
            assert paths == [SAFE], row["proname"]


async def test_public_has_no_right_in_the_database_but_to_connect_and_look(owner: Connection) -> None:
    found = await owner.fetch(
        """
        with ours as (select oid, nspacl, nspowner from pg_namespace where nspname = 'mailcordon'), granted as (
            select 'database' as what, datname::text as name, aclexplode(coalesce(datacl, acldefault('d', datdba))) as acl
              from pg_database where datname = current_database()
            union all
            select 'schema', nspname, aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
              from pg_namespace where nspname not in ('pg_catalog', 'information_schema') and nspname !~ '^pg_(toast|temp)'
            union all
            select 'function', p.oid::regprocedure::text, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner)))
              from pg_proc p join ours on ours.oid = p.pronamespace
            union all
            select 'relation', c.relname,
                   aclexplode(coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner)))
              from pg_class c join ours on ours.oid = c.relnamespace
            union all
            select 'column', c.relname || '.' || a.attname, aclexplode(a.attacl)
              from pg_attribute a join pg_class c on c.oid = a.attrelid join ours on ours.oid = c.relnamespace
             where a.attacl is not null
            union all
            select 'type', t.typname, aclexplode(coalesce(t.typacl, acldefault('T', t.typowner)))
              from pg_type t join ours on ours.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
             where t.typelem = 0 and (c.oid is null or c.relkind = 'c')
            union all
            select 'large object', l.oid::text, aclexplode(coalesce(l.lomacl, acldefault('L', l.lomowner)))
              from pg_largeobject_metadata l
            union all
            select 'foreign server', f.srvname, aclexplode(coalesce(f.srvacl, acldefault('S', f.srvowner)))
              from pg_foreign_server f
            union all
            select 'default of ' || d.defaclobjtype::text, d.defaclrole::regrole::text, aclexplode(d.defaclacl)
              from pg_default_acl d
        )
        select what, name, (acl).privilege_type as privilege from granted where (acl).grantee = 0 order by 1, 2, 3
        """
    )
    database = await owner.fetchval("select current_database()")
    # On a server that was upgraded from PostgreSQL 14 PUBLIC may also create in `public`: no path of ours leads there.
    assert {tuple(row) for row in found} - {("schema", "public", "CREATE")} == {
        ("database", database, "CONNECT"),
        ("schema", "public", "USAGE"),
    }


async def test_no_login_may_make_anything_in_the_database(database: Any) -> None:
    for login in roles.LOGINS:
        connection = await engine.connect(database.dsn(login))
        for statement in (
            "create temporary table t ()",
            "create domain pg_temp.text as pg_catalog.text",
            "create table mailcordon.t ()",
            "create function mailcordon.f() returns int language sql as 'select 1'",
            "create schema s",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()


async def test_a_function_of_a_later_migration_is_nobodys_until_it_is_granted(
    postgres: Any, tmp_path: Path
) -> None:
    later = migrate.Migration("9999-later", "create function later() returns int language sql as 'select 1';")
    name = f"mct_later_{secrets.token_hex(4)}"  # not a copy: its roles own nothing in one
    made = await migrate.migrate(
        postgres.database_dsn(name),
        home=tmp_path,
        say=lambda _: None,
        migrations=[*migrate.shipped_migrations(), later],
    )
    connection = await engine.connect(made.dsns["send"])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetchval("select later()")
    await connection.close()
    await postgres.administer(f"drop database {name} with (force)")
    for role in roles.role_names(name).values():
        await postgres.administer(f"drop role if exists {role}")


# What a login may make the owner do ---------------------------------------------------------------------------------------


async def test_a_type_of_a_callers_own_never_runs_as_the_owner(
    owner: Connection, control: Connection
) -> None:
    """Whether or not PUBLIC may make temporary objects: a server's owner may grant it again."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await control.execute(TRAP)
    database = await owner.fetchval("select current_database()")
    await owner.execute(f"grant temporary on database {database} to public")
    await control.execute(TRAP)
    today = await control.fetchval("select (now() at time zone 'UTC')::date")
    await owner.execute(
        "with t as (insert into tenant (key, slug, retiring_at, retired_at) values ('mc-aaaaaaaa', 'gone', now(), now())"
        " returning id)"
        " insert into erasure (tenant, requested_by, because) select id, 'ann', 'asked to' from t"
    )
    for path in (engine.SEARCH_PATH, "mailcordon", "pg_temp, mailcordon, pg_catalog"):
        await control.execute(f"set search_path = {path}")
        await control.execute("select set_config('trap.sprung_as', '', false)")
        for call in (
            "mailcordon.ensure_partitions(1)",
            "mailcordon.days_in_default()",
            "mailcordon.rows_in_default(1)",
            f"mailcordon.make_partition('ledger', '{today}')",
            f"mailcordon.drop_day('ledger', '{date(2026, 1, 1)}')",
            "mailcordon.request_erasure((select tenant from mailcordon.erasure), 'ann', 'asked to')",
            "mailcordon.erase_some((select tenant from mailcordon.erasure), 1, 'gone')",
            "mailcordon.forget_address((select tenant from mailcordon.erasure), decode(repeat('00', 16), 'hex'), 'a@b', 'ann')",
            "mailcordon.forget_some((select tenant from mailcordon.erasure), decode(repeat('00', 16), 'hex'), 1, 'gone')",
            "mailcordon.write_audit('a', 'b', null, 'o', null, null, null)",
            "mailcordon.audit_erase_personal(1)",
        ):
            await control.execute(f"select {call}")
        assert await control.fetchval("select current_setting('trap.sprung_as')") == "", path
    # The trap works: with the search path of older versions it runs, as the owner.
    await owner.execute("alter function days_in_default() set search_path = mailcordon")
    await owner.execute("alter function daily_tables() set search_path = mailcordon")
    await control.execute("select mailcordon.days_in_default()")
    assert await control.fetchval("select current_setting('trap.sprung_as')") == await owner.fetchval(
        "select pg_get_userbyid(nspowner)::text from pg_namespace where nspname = 'mailcordon'"
    )


async def test_a_table_of_a_callers_own_is_never_taken_for_ours(
    owner: Connection, control: Connection
) -> None:
    database = await owner.fetchval("select current_database()")
    await owner.execute(f"grant temporary on database {database} to public")
    await control.execute("create temporary table lane (id int, expiry_ms bigint)")
    day = await control.fetchval("select (now() at time zone 'UTC')::date - 2")
    tenant = "insert into tenant (key, slug) values ('mc-aaaaaaaa', 'a') returning id"
    await owner.execute(
        f"with t as ({tenant}), u as (insert into turn (tenant, class) select id, 1 from t returning id)"
        " insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend)"
        " select t.id, (select id from message_type limit 1), 1, u.id, 5 * 86400000, 1, true from t, u"
    )
    with pytest.raises(asyncpg.InvalidParameterValueError, match="may not have expired"):
        await control.fetchval("select drop_day('ledger', $1)", day)


OUT_OF_BOUNDS = (
    "ensure_partitions(100000)",
    "ensure_partitions(32)",
    "ensure_partitions(-1)",
    "ensure_partitions(null)",
    "ensure_partitions(31, now_ms() + 86400000 * 3)",
    "ensure_partitions(1, 253402300799000)",
    "ensure_partitions(1, now_ms() - 400 * 86400000::bigint)",
    "make_partition('ledger', current_date + 40)",
    "make_partition('ledger', '5874897-12-31')",
    "make_partition('ledger', current_date - 400)",
    "make_partition('ledger', null)",
    "make_partition('audit', current_date)",
    "make_partition(null, current_date)",
    "drop_day('ledger', current_date)",
    "drop_day('ledger', null)",
    "drop_day('audit', '2026-01-01')",
    "erase_some(1, 1, 'gone')",  # nobody asked for it
    "erase_some(1, 0, 'gone')",
    "erase_some(1, 10001, 'gone')",
    "erase_some(null, 1, 'gone')",
    "erase_some(1, 1, null)",
    "forget_address(1, null, 'a@b', 'ann')",
    "forget_address(1, 'short', 'a@b', 'ann')",
    "forget_address(1, decode(repeat('00', 16), 'hex'), 'no address', 'ann')",
    "forget_some(1, decode(repeat('00', 16), 'hex'), 1, 'gone')",  # nobody asked for it
    "forget_some(1, decode(repeat('00', 16), 'hex'), 10001, 'gone')",
    "fold_cohorts(0)",
    "fold_cohorts(100001)",
    "fold_cohorts(null)",
    "resum_cohorts(1, 1441, true)",
    "resum_cohorts(0, 1440 * 41, true)",
    "resum_cohorts(null, 1440, true)",
    "resum_cohorts(0, 1440, null)",
    "resum_slices(null, true)",
    "resum_slices(0, null)",
    "purge_slices(1439, 1440, 1)",
    "purge_slices(1440, 1440, 10001)",
    "purge_slices(1440, 1440, null)",
    "move_unknown(null, 1)",
    "move_unknown('{}', 0)",
    "want_domains(null, null)",
    "count_wrong_cohort_sums(null)",
    "rebuild_cohort_sums(null)",
)


async def test_an_argument_out_of_bounds_is_refused_and_makes_nothing(control: Connection) -> None:
    relations = "select count(*) from pg_class where relnamespace = 'mailcordon'::regnamespace"
    before = await control.fetchval(relations)
    for call in OUT_OF_BOUNDS:
        try:
            await control.execute(f"select {call}")
        except (asyncpg.InvalidParameterValueError, asyncpg.DataError):
            continue
        pytest.fail(f"{call} was not refused")
    assert await control.fetchval(relations) == before


async def test_rows_far_ahead_get_no_partition_and_stay_readable(
    owner: Connection, control: Connection
) -> None:
    """A login that writes ids of any day must not make us make partitions for each."""
    year = 365 * 86_400_000 << 22
    await owner.execute(
        "insert into send_event select first_id_at(now_ms()) + $1::bigint * n, 1, 's', 0 from generate_series(1, 9) n",
        year,
    )
    assert await control.fetchval("select ensure_partitions(1)") == 0
    assert await owner.fetchval("select count(*) from send_event") == 9
    assert {
        row["rows"] for row in await control.fetch("select rows from rows_in_default(5) where rows > 0")
    } == {5}


async def test_a_session_cannot_shift_the_clock_by_which_days_are_dropped(
    owner: Connection, control: Connection
) -> None:
    today = await owner.fetchval("select (now() at time zone 'UTC')::date")
    await control.execute(f"set mailcordon.clock_offset_ms = {100 * 86_400_000}")
    with pytest.raises(asyncpg.InvalidParameterValueError, match="may not have expired"):
        await control.fetchval("select drop_day('ledger', $1)", today)
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await control.fetchval("select make_partition('ledger', $1)", today + timedelta(days=100))
