"""`mailcordon doctor`: looks at settings, home, database and processes, and says what is well, what is not, and what to do.

It changes nothing and needs nothing to run: each finding stands by itself, and what cannot be looked at is a finding too.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

import asyncpg

from mailcordon import config as configs
from mailcordon.adapters.db import engine, roles
from mailcordon.config import BadConfig, Config
from mailcordon.core.errors import Refused
from mailcordon.run import home_lock

State = Literal["ok", "warn", "bad"]

FEWEST_DAYS = 3  #: partitions ahead below which doctor alarms
LONGEST_SNAPSHOT = 60  #: seconds; an older snapshot bloats the queue


@dataclass(frozen=True, slots=True)
class Finding:
    about: str
    state: State
    says: str  #: a sentence: what is so, and, unless it is ok, what to do


async def examine(environ: Mapping[str, str], *, as_json: bool) -> int:
    """Prints the findings; answers 0 when nothing is bad, else 1."""
    findings = await find(environ)
    well = all(finding.state != "bad" for finding in findings)
    if as_json:
        print(json.dumps({"ok": well, "findings": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            mark = {"ok": " ok ", "warn": "warn", "bad": "BAD "}[finding.state]
            print(f"[{mark}] {finding.about}: {finding.says}")
    return 0 if well else 1


async def find(environ: Mapping[str, str]) -> list[Finding]:
    try:
        config = configs.read(environ)
    except BadConfig as wrong:
        return [Finding("settings", "bad", sentence) for sentence in wrong.sentences]
    findings = [
        Finding(
            "settings",
            "ok",
            f"{'Amazon SES' if not config.local else 'the local SES'}, region {config.region}.",
        )
    ]
    findings += _home(config)
    for login in configs.LOGINS:
        findings.append(await _login(config, login))
    findings += await _database(config)
    return findings


def _home(config: Config) -> list[Finding]:
    home = config.home
    if not home.exists():
        return [Finding("home", "warn", f"{home} is not there yet: `mailcordon up` or `migrate` makes it.")]
    if not os.access(home, os.W_OK):
        return [
            Finding("home", "bad", f"{home} cannot be written: run as its owner, or set MAILCORDON_HOME.")
        ]
    found = [Finding("home", "ok", f"{home}.")]
    pid = home_lock.holder(home)
    if pid is None:
        found.append(Finding("up", "warn", "nothing runs in this home: `mailcordon up` starts it."))
        return found
    facts = home_lock.read(home / home_lock.RUN)
    found.append(
        Finding("up", "ok", f"process {pid} runs here; the API is {facts.get('url', 'not ready yet')}.")
    )
    for name, process in facts.get("processes", {}).items():
        if process is None:
            found.append(
                Finding(name, "bad", f"it is down at the moment; see {home / 'log' / (name + '.log')}.")
            )
        else:
            found.append(Finding(name, "ok", f"process {process}."))
    return found


async def _login(config: Config, login: str) -> Finding:
    about = f"database login {login}"
    url = config.login_urls.get(login)
    if url is None:
        return Finding(about, "bad", "it has no address: run `mailcordon migrate`.")
    try:
        connection = await engine.connect(url)
    except asyncpg.InvalidAuthorizationSpecificationError:
        return Finding(about, "bad", "its password is refused: run `mailcordon migrate --new-passwords`.")
    except (OSError, TimeoutError, asyncpg.PostgresError) as trouble:
        return Finding(about, "bad", f"the database does not answer ({trouble}): is it up?")
    try:
        await roles.check_running(connection)
    except Refused as unfit:
        return Finding(about, "bad", str(unfit))
    finally:
        await connection.close()
    return Finding(about, "ok", "it connects, and may do no more than it should.")


async def _database(config: Config) -> list[Finding]:
    url = config.login_urls.get("control")
    if url is None:
        return []
    try:
        connection = await engine.connect(url)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return []  # said above
    try:
        return [await _partitions(connection), await _snapshots(connection)]
    finally:
        await connection.close()


async def _partitions(connection: engine.Connection) -> Finding:
    """Partitions are named by their day; the furthest one has to be some days ahead."""
    last = await connection.fetchval(
        "select max(right(c.relname, 8)) from pg_inherits i join pg_class c on c.oid = i.inhrelid "
        "where i.inhparent = to_regclass('message') and c.relname ~ '_p[0-9]{8}$'"
    )
    if last is None:
        return Finding("partitions", "bad", "there are none: run `mailcordon migrate`.")
    ahead = (datetime.strptime(last, "%Y%m%d").replace(tzinfo=UTC).date() - datetime.now(UTC).date()).days
    if ahead < FEWEST_DAYS:
        return Finding(
            "partitions", "bad", f"they reach {ahead} days ahead only: is the role `control` running?"
        )
    return Finding("partitions", "ok", f"they reach {ahead} days ahead.")


async def _snapshots(connection: engine.Connection) -> Finding:
    age = await connection.fetchval(
        "select coalesce(max(extract(epoch from now() - xact_start)), 0)::int from pg_stat_activity "
        "where backend_xmin is not null and pid <> pg_backend_pid()"
    )
    if age > LONGEST_SNAPSHOT:
        return Finding(
            "snapshots",
            "bad",
            f"one is {age} s old, which makes every queue slow: end that query (pg_stat_activity).",
        )
    return Finding("snapshots", "ok", f"the oldest is {age} s old.")
