"""When the account's quota ends, from what left in the last 24 hours and how mail leaves now."""

from mailcordon.adapters.db import engine, queries
from mailcordon.guard.policy import forecast
from mailcordon.guard.policy.forecast import Forecast, Usage

_SQL = queries.load("quota_forecast.sql")


async def read(
    conn: engine.Connection | engine.PooledConnection, *, now: int, quota: float, used: float
) -> Forecast | None:
    """`now`: milliseconds since 1970. None: nothing leaves, or the quota is unlimited."""
    if quota < 0:
        return None
    pace: int = await conn.fetchval(_SQL.pace)
    if pace <= 0:
        return None
    hours = [0] * forecast.HOURS
    for row in await conn.fetch(_SQL.hours):
        # The current hour is the last one: it gives back last.
        ago = row["now"] - row["hour"]
        if 0 <= ago < forecast.HOURS:
            hours[forecast.HOURS - 1 - ago] = row["sent"]
    return forecast.of(Usage(quota=quota, used=used, hours=hours, pace=pace), now)
