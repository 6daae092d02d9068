"""`mailcordon metrics rebuild`: computes counts of mail again, from ledger and outcomes. `commands.py` has the options."""

import json

from mailcordon.adapters.db import cohort_rebuild, connect_errors, engine, queries
from mailcordon.adapters.db.cohort_rebuild import Compared, Difference
from mailcordon.config import Config, login_setting
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.errors import BadConfig
from mailcordon.messages import database, system, times

SHOWN = 20  #: differences, as sentences

_SHARED = queries.load("shared.sql")
_MINUTE_MS = 60_000


async def rebuild(config: Config, *, since_seconds: float, check: bool, as_json: bool) -> int:
    """Prints what differs. Returns 1 if something differs and was not corrected."""
    url = config.login_urls.get("control")
    if url is None:
        raise BadConfig(system.login_without_url(login="control"))
    with connect_errors.explained(url, login_setting("control")):
        connection = await engine.connect(url)
    try:
        now = await connection.fetchval(_SHARED.now)
        since = int(now - since_seconds * 1000) // _MINUTE_MS
        found = await cohort_rebuild.rebuild(connection, since, check=check)
    finally:
        await connection.close()
    whole = not found.number and not found.sums
    if as_json:
        print(json.dumps(_document(found, ok=whole or not check, corrected=not check and not whole)))
    else:
        for sentence in _sentences(found, check=check):
            print(sentence)
    return 1 if check and not whole else 0


def _sentences(found: Compared, *, check: bool) -> list[str]:
    since = times.minute(found.first_minute * _MINUTE_MS)
    if not found.number and not found.sums:
        return [database.counts_whole(since=since)]
    lines = [_line(one) for one in found.differences[:SHOWN]]
    if found.number > SHOWN:
        lines.append(database.counts_more(number=found.number - SHOWN))
    number, sums = found.number, found.sums
    return [*lines, database.counts_differ(since=since, number=number, sums=sums, corrected=not check)]


def _line(one: Difference) -> str:
    missing = ", ".join(
        f"{name} {count:+,}" for name, count in zip(COLUMNS, one.counts, strict=True) if count
    )
    return database.counts_of_cohort(
        lane=one.cell.lane,
        minute=times.minute(one.cell.minute * _MINUTE_MS),
        campaign=one.cell.campaign,
        missing=missing,
    )


def _document(found: Compared, *, ok: bool, corrected: bool) -> dict[str, object]:
    return {
        "ok": ok,
        "corrected": corrected,
        "first_minute": found.first_minute * _MINUTE_MS,
        "last_minute": found.last_minute * _MINUTE_MS,
        "sums": found.sums,
        "number": found.number,
        "differences": [
            one.cell._asdict() | {"missing": {n: c for n, c in zip(COLUMNS, one.counts, strict=True) if c}}
            for one in found.differences
        ],
    }
