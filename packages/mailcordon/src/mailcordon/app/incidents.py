"""The loop of incidents, and the sources of its alarms. It runs in control, and in api while no control process reports."""

from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.rate_alarm_store import RateAlarmStore
from mailcordon.config import Config
from mailcordon.observe import rate_watch
from mailcordon.observe.incidents.sources import Source
from mailcordon.observe.rate_watch import RateWatch


def sources(config: Config, control: Pool) -> list[Source]:
    """Everything that raises alarms. `control`: connections of the control login, for these sources only."""
    rates = RateWatch(RateAlarmStore(control), rate_watch.LOCAL if config.local else None)
    found: list[Source] = [Source(name="rates", read=rates.read)]
    return found
