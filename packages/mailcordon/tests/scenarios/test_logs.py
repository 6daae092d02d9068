"""The logs of a running system. With MAILCORDON_LOG=json every line of a role is a JSON object. No log holds mail or keys: of
slow statements, of statements that fail, of our own errors.

On a system that is shared with others who kill its processes (`shaken_system`).
"""

import base64
import contextlib
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import engine, roles
from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

#: What a login may do wrong, with the canary wherever PostgreSQL may show it: keys, rows, values, parts of arrays and JSON.
MISTAKES: dict[str, list[tuple[str, type[asyncpg.PostgresError]]]] = {
    "send": [
        (
            "insert into idempotency select t.id, $1::text::bytea, 'b', 1"
            " from (select min(id) as id from tenant) t, generate_series(1, 2)",
            asyncpg.UniqueViolationError,
        ),
        (
            "insert into waiting (lane, id, tenant, why, attempt, hash, reason, code, since)"
            " values (1, 1, 1, 9, 1, 'h', $1, 'x', 1)",
            asyncpg.CheckViolationError,
        ),
        (
            "insert into urgent_content (id, body) values (null, $1::text::bytea)",
            asyncpg.NotNullViolationError,
        ),
        ("select $1::text::bigint", asyncpg.DataError),
        ("select ('{' || $1::text)::text[]", asyncpg.DataError),
        ("select ('{\"a\": ' || $1::text || '}')::jsonb", asyncpg.DataError),
        ("select pg_sleep(0.01), $1::text", asyncpg.PostgresError),
    ],
    "observe": [("select $1::text::timestamptz", asyncpg.DataError)],
    "control": [("select to_regclass($1::text || '.a.b.c.d')", asyncpg.PostgresError)],
}


def shapes_of(canary: str) -> list[bytes]:
    """The canary as it may stand in a log: as it is, in hex, and in base64 wherever it begins."""
    raw = canary.encode()
    coded = [base64.b64encode(b"x" * n + raw)[4:-4] for n in range(3)]
    return [raw, raw.hex().encode(), raw.hex().upper().encode(), *coded]


def logs_with(home: Path, canary: str) -> list[str]:
    files = [home / "up.txt", *(home / "log").iterdir()]
    found: list[str] = []
    for file in files:
        text = file.read_bytes()
        for shape in shapes_of(canary):
            if (at := text.find(shape)) >= 0:
                found.append(f"{file.name}: ...{text[max(0, at - 300) : at + 40].decode(errors='replace')}")
    return found


@contextlib.asynccontextmanager
async def every_statement_logged(mail: Traffic) -> AsyncIterator[None]:
    """As after a day of slow disks: every statement is slow."""
    try:
        await log_statements_from(mail, "0")
        yield
    finally:
        await log_statements_from(mail, "default")


async def log_statements_from(mail: Traffic, milliseconds: str) -> None:
    await mail.db.execute(f"alter database mailcordon set log_min_duration_statement = {milliseconds}")
    await mail.db.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    # What comes before the API has noticed is answered with 503, to be sent again.
    await mail.until(lambda: mail.put("acme", "receipt"), "the API has connections again")


async def test_no_log_holds_a_body_or_a_key_however_slow_or_wrong_a_statement_is(
    shaken_system: systems.System,
) -> None:
    canary = "canary" + secrets.token_hex(12)
    async with traffic.on(shaken_system) as mail:
        await mail.onboard({"acme": ["password-reset", "receipt"]})
        async with every_statement_logged(mail):
            assert await send(mail, canary, "password-reset") == 202
            assert await send(mail, canary, "receipt") == 202
            await mail.all_final("acme")
            # And what our own processes fail at, with the rows that they could not write.
            for table in ("urgent_content", "content", "idempotency"):
                await mail.db.execute(f"alter table {table} add constraint broken check (false) not valid")
                assert await send(mail, canary, "password-reset") >= 500 or table == "content"
                assert await send(mail, canary, "receipt") >= 500 or table == "urgent_content"
                await mail.db.execute(f"alter table {table} drop constraint broken")
            for login, mistakes in MISTAKES.items():
                connection = await engine.connect(shaken_system.dsn(login))
                for statement, kind in mistakes:
                    with contextlib.suppress(kind):
                        await connection.execute(statement, canary)
                        assert kind is asyncpg.PostgresError, f"this is no mistake: {statement}"
                await connection.close()
    log = shaken_system.log("postgres")
    assert " duration: " in log
    assert "insert into urgent_content" in log, "the statements are logged"
    assert logs_with(shaken_system.home, canary) == []


def test_every_line_of_a_running_systems_roles_is_json(shaken_system: systems.System) -> None:
    """With a restarted API, a request without a key, and PostgreSQL killed under all of them."""
    shaken_system.wait_replaced("api", shaken_system.kill("api"))
    systems.wait_until(shaken_system.healthy, "the API is back")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{shaken_system.url}/v1/tenants", timeout=60)
    shaken_system.wait_replaced("postgres", shaken_system.kill("postgres"))
    systems.wait_until(shaken_system.healthy, "the database is back")
    for role in ("api", "dispatch", "observe", "control"):
        lines = [json.loads(line) for line in shaken_system.log(role).splitlines()]
        assert all({"timestamp", "level", "role", "event"} <= set(line) for line in lines)
        assert "started" in [line["event"] for line in lines]


async def send(mail: Traffic, canary: str, type: str) -> int:
    body: dict[str, Any] = {
        "tenant": "acme",
        "type": type,
        "from": f"a@{type}.acme.example",
        "to": ["kim@example.com"],
        "subject": f"subject {canary}",
        "text": f"body {canary} of {secrets.token_hex(3)}",
    }
    key = f"key-{canary}-{secrets.token_hex(3)}"
    return (await mail.call("POST", "/v1/messages", body, **{"idempotency-key": key}))[0]


async def test_every_login_is_quiet_by_its_own_settings(shaken_system: systems.System) -> None:
    for login in roles.LOGINS:
        connection = await asyncpg.connect(shaken_system.dsn(login))
        assert await roles.exposures(connection) == []
        for setting, value in roles.QUIET.items():
            assert await connection.fetchval(f"show {setting}") == value, (login, setting)
        await connection.close()
