"""The loop of incidents, and the sources of its alarms. It runs in control, and in api while no control process reports."""

from mailcordon.adapters.db.engine import Pool
from mailcordon.config import Config
from mailcordon.observe.incidents.sources import Source


def sources(config: Config, control: Pool) -> list[Source]:
    """Everything that raises alarms. `control`: connections of the control login, for these sources only."""
    del config, control
    found: list[Source] = []
    return found
