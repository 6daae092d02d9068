"""Migrations run once, by the first process, and never partly; the passwords of roles are never lost."""

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from mailcordon.adapters.db import embedded, engine, migrate, roles
from mailcordon.adapters.db.migrate import Migration
from mailcordon_fixtures import embedded_postgres

PEOPLE = Migration(
    "0001-people",
    """
    -- A semicolon; in a comment, and one in a body, must not tear a statement apart.
    create table person (id int primary key, name text not null);
    create function greet(who text) returns text language plpgsql as $$
    declare words text;
    begin
        -- even here;
        if who is null then return 'nobody;'; end if;
        words := 'hello ' || who;
        return words;
    end $$;
    grant select, insert on person to {{send}};
    grant select on person to {{ reader }};
    alter table person enable row level security;
    """,
)
PETS = Migration("0002-pets", "create table pet (id int primary key, owner int references person);")


class Fresh:
    """A database that was never migrated, and the home for its DSNs."""

    def __init__(self, dsn: str, home: Path) -> None:
        self.dsn = dsn
        self.home = home

    async def migrate(self, *migrations: Migration, **options: object) -> migrate.Migrated:
        quiet = {"home": self.home, "say": lambda line: None, "migrations": migrations}
        return await migrate.migrate(self.dsn, **(quiet | options))  # type: ignore[arg-type]

    @asynccontextmanager
    async def grown_from(self, name: str) -> AsyncIterator[engine.Connection]:
        """The database as it was before the shipped migration of this number; then all others run."""
        shipped = migrate.shipped_migrations()
        await self.migrate(*(one for one in shipped if one.name < name))
        connection = await engine.connect(self.dsn)
        try:
            yield connection
        finally:
            await connection.close()
        await self.migrate(*shipped)

    async def value(self, query: str, dsn: str | None = None) -> object:
        connection = await engine.connect(dsn or self.dsn)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()


@pytest.fixture
async def fresh(postgres, tmp_path: Path) -> AsyncIterator[Fresh]:
    name = f"mct_fresh_{secrets.token_hex(4)}"
    yield Fresh(postgres.database_dsn(name), tmp_path)
    admin = await asyncpg.connect(postgres.dsn)
    await admin.execute(f"drop database if exists {name} with (force)")
    for role in roles.role_names(name).values():
        await admin.execute(f"drop role if exists {role}")
    await admin.close()


async def test_the_database_is_made_and_each_role_gets_what_its_grants_say(fresh: Fresh):
    made = await fresh.migrate(PEOPLE)
    assert made.applied == ("0001-people",)
    assert await fresh.value("select greet('kim')", made.dsns["send"]) == "hello kim"
    assert await fresh.value("select tableowner from pg_tables where tablename = 'person'") == (
        f"{await fresh.value('select current_database()')}_owner"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await fresh.value("insert into person values (1, 'kim')", made.dsns["reader"])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await fresh.value("create table mine ()", made.dsns["send"])


async def test_running_it_again_changes_nothing(fresh: Fresh):
    first = await fresh.migrate(PEOPLE)
    again = await fresh.migrate(PEOPLE)
    assert again.applied == ()
    assert again.dsns == first.dsns


async def test_no_login_keeps_a_snapshot_for_long(fresh: Fresh):
    done = await fresh.migrate(PEOPLE)
    for dsn in done.dsns.values():
        assert await fresh.value("show idle_in_transaction_session_timeout", dsn) == "10s"
        limit = await fresh.value("select current_setting('transaction_timeout', true)", dsn)
        assert limit in (None, "2min"), "PostgreSQL 17 and later"


async def test_the_dsns_can_be_read_by_their_owner_alone(fresh: Fresh):
    await fresh.migrate(PEOPLE)
    file = fresh.home / migrate.DSN_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(file.read_text())) == set(roles.LOGINS)


async def test_many_that_start_at_once_migrate_once(fresh: Fresh):
    script = """
import asyncio, sys
from pathlib import Path
from mailcordon.adapters.db import migrate

made = asyncio.run(migrate.migrate(sys.argv[1], home=Path(sys.argv[2]), say=lambda line: None))
print(len(made.applied))
"""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, fresh.dsn, str(fresh.home)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    answers = [(await asyncio.to_thread(each.communicate))[0].strip() for each in started]
    shipped = len(migrate.shipped_migrations())
    assert [each.returncode for each in started] == [0] * 6
    assert sorted(int(answer) for answer in answers) == [0] * 5 + [shipped]
    for dsn in json.loads((fresh.home / migrate.DSN_FILE).read_text()).values():
        assert await fresh.value("select 1", dsn) == 1


async def test_a_migration_that_fails_leaves_nothing_behind_and_can_be_corrected(fresh: Fresh):
    broken = Migration(PETS.name, PETS.text + "\ncreate table broken (id no_such_type);")
    with pytest.raises(migrate.MigrationFailed, match="0002-pets.*no_such_type"):
        await fresh.migrate(PEOPLE, broken)
    assert await fresh.value("select to_regclass('person') is not null and to_regclass('pet') is null")
    assert (await fresh.migrate(PEOPLE, PETS)).applied == ("0002-pets",)


async def test_a_migration_that_cannot_be_recorded_is_not_applied(fresh: Fresh):
    unrecordable = Migration("0002-" + "x" * 300, PETS.text)  # longer than the table's column
    with pytest.raises(migrate.MigrationFailed, match="0002-x"):
        await fresh.migrate(PEOPLE, unrecordable)
    assert await fresh.value("select to_regclass('person') is not null and to_regclass('pet') is null")


async def test_a_database_of_a_newer_version_is_refused(fresh: Fresh):
    await fresh.migrate(PEOPLE, PETS)
    with pytest.raises(migrate.MigrationFailed, match="0002-pets.*newer Mailcordon"):
        await fresh.migrate(PEOPLE)


async def test_an_unknown_role_is_refused_before_anything_runs(fresh: Fresh):
    with pytest.raises(migrate.MigrationFailed, match="0002-bad names the role {{nobody}}"):
        await fresh.migrate(PEOPLE, Migration("0002-bad", "grant select on person to {{nobody}};"))
    assert await fresh.value("select to_regclass('person')") is None


async def test_passwords_that_another_home_has_are_replaced_only_on_request(fresh: Fresh, tmp_path: Path):
    first = await fresh.migrate(PEOPLE)
    with pytest.raises(migrate.MigrationFailed, match="--new-passwords"):
        await fresh.migrate(PEOPLE, home=tmp_path / "other")
    assert await fresh.value("select 1", first.dsns["send"]) == 1
    other = await fresh.migrate(PEOPLE, home=tmp_path / "other", new_passwords=True)
    assert await fresh.value("select 1", other.dsns["send"]) == 1
    with pytest.raises(asyncpg.InvalidPasswordError):
        await fresh.value("select 1", first.dsns["send"])


async def test_a_dsn_that_the_operator_sets_decides_the_password(fresh: Fresh):
    database = urlsplit(fresh.dsn).path.removeprefix("/")
    given = roles.role_dsn(fresh.dsn, f"{database}_send", "it's a \\ secret")
    made = await fresh.migrate(PEOPLE, given={"send": given})
    assert made.dsns["send"] == given
    assert await fresh.value("select current_user", given) == f"{database}_send"


class TestARunningRoleIsRefused:
    async def check(self, dsn: str) -> None:
        connection = await engine.connect(dsn)
        try:
            await roles.check_running(connection)
        finally:
            await connection.close()

    async def test_as_superuser(self, fresh: Fresh):
        await fresh.migrate(PEOPLE)
        with pytest.raises(roles.UnfitDatabase, match="superuser"):
            await self.check(fresh.dsn)

    async def test_as_a_member_of_the_owner(self, fresh: Fresh):
        made = await fresh.migrate(PEOPLE)
        send, owner = roles.login_of(made.dsns["send"])[0], made.dsns["send"]
        await fresh.value(f"grant {send.removesuffix('_send')}_owner to {send}")
        with pytest.raises(roles.UnfitDatabase, match="owner"):
            await self.check(owner)

    @pytest.mark.parametrize(("power", "words"), [("bypassrls", "row-level"), ("createrole", "create roles")])
    async def test_with_a_right_that_no_role_needs(self, fresh: Fresh, power: str, words: str):
        made = await fresh.migrate(PEOPLE)
        await fresh.value(f"alter role {roles.login_of(made.dsns['reader'])[0]} {power}")
        with pytest.raises(roles.UnfitDatabase, match=words):
            await self.check(made.dsns["reader"])

    @pytest.mark.parametrize("whose", ["role", "database"])
    async def test_where_synchronous_commit_is_off(self, fresh: Fresh, whose: str):
        made = await fresh.migrate(PEOPLE)
        await self.check(made.dsns["send"])
        name = roles.login_of(made.dsns["send"])[0]
        name = name if whose == "role" else name.removesuffix("_send")
        await fresh.value(f"alter {whose} {name} set synchronous_commit = off")
        with pytest.raises(roles.UnfitDatabase, match="synchronous_commit is off"):
            await self.check(made.dsns["send"])

    async def test_where_fsync_is_off(self, short_home, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(embedded.SETTINGS, "fsync", "off")
        with short_home() as home:
            async with embedded_postgres.running(home) as server:
                fresh = Fresh(server.dsn("mailcordon"), home)
                made = await fresh.migrate(PEOPLE)
                with pytest.raises(roles.UnfitDatabase, match="fsync=off"):
                    await self.check(made.dsns["send"])

    async def test_before_anything_was_migrated(self, fresh: Fresh):
        await fresh.migrate()
        await fresh.value("drop schema mailcordon")
        dsn = json.loads((fresh.home / migrate.DSN_FILE).read_text())["send"]
        with pytest.raises(roles.UnfitDatabase, match="mailcordon migrate"):
            await self.check(dsn)


async def test_a_database_name_too_long_for_role_names_is_refused(postgres, tmp_path: Path):
    name = "x" * 60
    try:
        with pytest.raises(roles.UnfitDatabase, match="too long"):
            await migrate.migrate(postgres.database_dsn(name), home=tmp_path)
    finally:
        admin = await asyncpg.connect(postgres.dsn)
        await admin.execute(f"drop database if exists {name}")
        await admin.close()


async def test_no_password_gets_into_the_servers_log(fresh: Fresh, postgres):
    """Whatever the server logs of the statements of `migrate`, which is its superuser."""
    if not postgres.ours:
        pytest.skip("the log of the server that MAILCORDON_TEST_DATABASE_URL names is not here")
    await fresh.migrate(PEOPLE)
    database = await fresh.value("select current_database()")
    await fresh.value(f"alter database {database} set log_statement = 'all'")
    made = await fresh.migrate(PEOPLE, new_passwords=True)
    log = (postgres.home / "log" / "postgres.log").read_text()
    assert f"alter role {database}_send password" in log
    for dsn in made.dsns.values():
        assert await fresh.value("select 1", dsn) == 1
        assert roles.login_of(dsn)[1] not in log


async def exposed(dsn: str) -> set[str]:
    """On a server whose own setting is that every error is logged in full."""
    connection = await engine.connect(dsn)
    try:
        return {one.setting for one in await roles.exposures(connection)}
    finally:
        await connection.close()


async def test_migrate_works_without_superuser_if_the_login_may_create_roles_and_databases(
    postgres, tmp_path: Path
):
    name = f"mct_plain_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(postgres.dsn)
    try:
        await admin.execute(f"create role {name}_migrate login createrole createdb password 'plain'")
        await admin.execute(f"create database {name} owner {name}_migrate")
        await admin.execute(f"alter database {name} set log_error_verbosity = 'default'")
        dsn = roles.role_dsn(postgres.database_dsn(name), f"{name}_migrate", "plain")
        fresh = Fresh(dsn, tmp_path)
        made = await fresh.migrate(PEOPLE)
        assert (await fresh.migrate(PEOPLE, PETS)).applied == ("0002-pets",)
        assert await fresh.value("select greet('kim')", made.dsns["observe"]) == "hello kim"
        # It may not set what the server logs, until it is granted; until then `doctor` names each setting.
        assert await exposed(made.dsns["send"]) == {"log_min_messages", "log_error_verbosity"}
        await admin.execute(f"grant set on parameter log_min_messages to {name}_migrate")
        await fresh.migrate(PEOPLE, PETS)
        assert await exposed(made.dsns["send"]) == {"log_error_verbosity"}
        await admin.execute(f"grant temporary on database {name} to {name}_send")
        assert await exposed(made.dsns["send"]) == {"log_error_verbosity", "TEMPORARY"}
    finally:
        await admin.execute(f"drop database if exists {name} with (force)")
        await admin.execute(f"drop owned by {name}_migrate")
        for role in [*roles.role_names(name).values(), f"{name}_migrate"]:
            await admin.execute(f"drop role if exists {role}")
        await admin.close()


async def test_a_database_with_mail_in_every_state_is_migrated_and_loses_none(fresh: Fresh):
    """As 0003 left it: every state that was ever written passes the CHECKs or is converted."""
    async with fresh.grown_from("0004") as connection:
        await connection.execute(
            "insert into tenant (key, slug) values ('mc-acme0000', 'acme');"
            "insert into turn (tenant, class, next_at) values (1, 0, 7), (1, 1, null);"
            "insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend) values (1, 1, 0, 1, 1000, 1000, true);"
        )
        start = await connection.fetchval("select (now_ms() - 1767225600000) << 22")
        ready = [(0, 0, None, None), (0, 1, None, 5), (1, 1, 3, 5)]  # new; requeued; on the wire
        for n, (state, attempt, worker, called_at) in enumerate(ready):
            await connection.execute(
                "insert into ready (lane, id, tenant, state, attempt, worker, called_at, hash)"
                " values (1, $1, 1, $2, $3, $4, $5, 'h')",
                start + n, state, attempt, worker, called_at,
            )  # fmt: skip
        waiting = [(1, None), (2, None), (3, 4), (3, None), (4, None), (5, None)]
        for n, (why, hold) in enumerate(waiting):
            await connection.execute(
                "insert into waiting (lane, id, tenant, why, attempt, called_at, hash, hold, reason, since)"
                " values (1, $1, 1, $2, 1, 5, 'h', $3, 'r', 5)",
                start + 10 + n, why, hold,
            )  # fmt: skip
        ledger = [10, 11, 12, 13, 14, 20, 28]
        for n, state in enumerate(ledger):
            await connection.execute(
                "insert into ledger (id, tenant, lane, state, attempt, provider, at) values ($1, 1, 1, $2, 1, 0, 5)",
                start + 20 + n, state,
            )  # fmt: skip
        await connection.execute(
            "insert into outcome select $1::bigint + n, 1, 1, n, 5, 1, 1, 's', null, null, 0, 5 from generate_series(20, 28) n;",
            start,
        )
        await connection.execute(
            "insert into event select $1::bigint + n, 'k', 1, 1, n, 1, 5, 's', '{}' from generate_series(0, 11) n",
            start,
        )
        await connection.execute("insert into lane_finished values (1, -1, 3, 30), (1, 0, 4, 40)")
    assert await fresh.value("select count(*) from ready") == len(ready)
    assert await fresh.value("select array_agg(why order by id) from waiting") == [1, 2, 3, 1, 4, 5]
    assert await fresh.value("select array_agg(code order by id) from waiting") == [
        "retry", "outcome-unknown", "held", "retry", "scheduled", "provider-cap",
    ]  # fmt: skip
    assert await fresh.value("select array_agg(state order by id) from ledger") == ledger
    assert await fresh.value("select count(*) from outcome") == 9
    assert await fresh.value("select count(*) from event") == 12
    assert await fresh.value("select sum(deliveries) from lane_finished") == 7
    assert await fresh.value("select count(*) from turn where next_at = 7000") == 1


async def test_holds_for_ses_are_lifted_and_their_lanes_open_unless_another_hold_stops_them(fresh: Fresh):
    """Nothing ended such a hold. What SES still refuses is a stop after the next call."""
    async with fresh.grown_from("0004") as connection:
        await connection.execute(
            "insert into tenant (key, slug) values ('mc-acme0000', 'acme'), ('mc-zen00000', 'zen');"
            "insert into turn (tenant, class) values (1, 0), (1, 1), (2, 0);"
            "insert into lane (tenant, type, class, turn, held, expiry_ms, grace_ms, resend)"
            " values (1, 1, 0, 1, true, 1000, 1000, true), (1, 4, 1, 2, true, 1000, 1000, true),"
            " (2, 1, 0, 3, true, 1000, 1000, true);"
            "insert into hold (tenant, lane, owner, because, by, since)"
            " values (1, 1, 'ses', 'refused', 'dispatch', 5), (1, 2, 'ses', 'refused', 'dispatch', 5),"
            " (1, 2, 'person', 'x', 'ann', 5);"
        )
    assert await fresh.value("select array_agg(held order by id) from lane") == [False, True, True]
    assert await fresh.value("select array_agg(owner) from hold where lifted_at is null") == ["person"]
    assert await fresh.value("select count(*) from lane where stopped") == 0


async def test_keys_that_could_mint_any_scope_keep_that_and_no_other_key_gets_it(fresh: Fresh):
    async with fresh.grown_from("0010") as connection:
        await connection.execute(
            "insert into tenant (key, slug) values ('mc-acme0000', 'acme');"
            "insert into api_key (tenant, prefix, hash, name, scopes, created_by) values"
            " (null, 'operator', '1', 'n', '{send,read,operate,admin}', 'b'), (null, 'adminkey', '2', 'n', '{admin}', 'b'),"
            " (null, 'sendkeys', '3', 'n', '{send,read,operate}', 'b'), (1, 'acmekeys', '4', 'n', '{send,read}', 'b')"
        )
    found = await fresh.value("select jsonb_object_agg(prefix, to_jsonb(also_mints))::text from api_key")
    assert {prefix: sorted(scopes) for prefix, scopes in json.loads(str(found)).items()} == {
        "operator": ["events"], "adminkey": ["events", "operate", "read", "send"], "sendkeys": [], "acmekeys": [],
    }  # fmt: skip


async def test_entries_of_quarantine_that_a_replay_settled_before_are_settled(fresh: Fresh):
    rows = [
        ("double", 1, "counted: hard-bounce of dlv_1, attempt 1 (newsletter of mc-acme0000)"),
        ("double", 3, "nothing to do: the same event was counted before"),
        ("disagreement", 1, "still disagreement: no lane"),
        ("malformed", 1, None),
        ("ungoverned", 1, "counted: delivery of dlv_2, attempt 1 (newsletter of mc-acme0000)"),
        ("ungoverned", 2, "counted: delivery of dlv_3, attempt 1 (newsletter of mc-acme0000)"),
    ]
    async with fresh.grown_from("0016") as connection:
        for n, (why, copies, resolution) in enumerate(rows):
            await connection.execute(
                "insert into quarantine (digest, why, detail, document, source, copies, replayed_at, resolution)"
                " values ($1, $2, '', '', 'q', $3, case when $4::text is null then null else now() end, $4)",
                bytes([n]), why, copies, resolution,
            )  # fmt: skip
    settled = await fresh.value("select array_agg(resolved_at is not null order by id) from quarantine")
    assert settled == [True, True, False, False, True, False]


async def test_domains_of_before_claims_are_held_by_their_tenants_and_none_lapses_on_the_day_of_the_upgrade(
    fresh: Fresh,
):
    async with fresh.grown_from("0020") as connection:
        await connection.execute(
            "insert into tenant (key, slug) values ('mc-acme0000', 'acme'), ('mc-zen00000', 'zen');"
            "insert into identity (tenant, domain, status, checked_at, created_at) values"
            " (1, 'a.example', 'verified', '2025-01-01', '2024-01-01'), (1, 'b.example', 'pending', null, '2024-01-01'),"
            " (2, 'c.example', 'failed', now(), '2024-01-01')"
        )
    found = await fresh.value(
        "select jsonb_agg(jsonb_build_array(c.domain, t.slug, c.proof, c.holds, c.claimed_at > now() - interval '1 hour',"
        " length(c.token)) order by c.domain)::text from domain_claim c join tenant t on t.id = c.tenant"
    )
    assert json.loads(str(found)) == [
        ["a.example", "acme", "ses", True, True, 64],
        ["b.example", "acme", None, True, True, 64],
        ["c.example", "zen", None, True, True, 64],
    ]
    assert (
        await fresh.value("select count(*) from identity where mail_from is not null or freed_at is not null")
        == 0
    )


async def test_counts_of_before_cohorts_are_kept_by_minute_hour_day_and_lane_as_long_as_each_is_kept(
    fresh: Fresh,
):
    async with fresh.grown_from("0025") as connection:
        await connection.execute(
            "insert into tenant (key, slug) values ('mc-acme0000', 'acme');"
            "insert into turn (tenant, class) values (1, 0);"
            "insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend) values (1, 1, 0, 1, 1000, 1000, true);"
        )
        # An hour, 20 days, 200 days and 4 years ago; a second provider; a lane without a route; a minute ahead of the clock.
        await connection.execute(
            "insert into metric_minute (lane, provider, minute, tenant, sent, delivered, hard_bounced)"
            " select 1, p, (n.minute / 1440) * 1440 + 5 - d * 1440, 1, 10, 9, 1"
            " from (select (now_ms() / 60000)::int as minute) n, unnest(array[0, 20, 200, 1460]) d, unnest(array[0, 1]) p;"
            "insert into metric_minute (lane, provider, minute, tenant, sent) select 1, 0, (now_ms() / 60000)::int + 100000, 1, 5"
        )
    sums = "select array[count(*), sum(sent), sum(send_events), sum(delivered), sum(hard_bounced), sum(complained)] from "
    assert await fresh.value(sums + "cohort_minute") == [3, 25, 25, 18, 2, None]
    assert await fresh.value(sums + "cohort_hour") == [5, 45, 45, 36, 4, None]
    assert await fresh.value(sums + "cohort_day") == [7, 65, 65, 54, 6, None]
    assert await fresh.value(sums + "cohort_slice") == [2, 85, 85, 72, 8, None]
    assert await fresh.value("select count(*) from cohort_hour_default") == 1  # the one ahead
    assert await fresh.value("select array[tenant, lane] from slice where path = 'isolated'") == [1, 1]
    assert await fresh.value("select to_regclass('metric_minute') is null") is True
