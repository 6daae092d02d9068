"""The source of alarms about rates: a lane, list, campaign or mailbox provider whose bounces or complaints are above the ceiling.

It follows the feed of folded counts, and reads the mail of a lane only after new bounces or complaints of it, so a round on a
quiet system reads one row. What is an alarm is decided in rate_alarms.py.
"""

import dataclasses
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mailcordon.core.hold import Hold
from mailcordon.core.incident import Action, Alarm, Kind, Scope, ScopeKind
from mailcordon.messages import rate_alarms as messages
from mailcordon.observe import rate_alarms
from mailcordon.observe.delays import Signal
from mailcordon.observe.rate_alarms import MINUTE_MS, SIGNALS, WINDOW, Cell, Count, LaneMail, Part, Share

EVENTS_AT_ONCE = 5  #: new events of a lane after which it is judged at once
MOST_LANES = 40  #: judged in a round; the rest have their turn in the next
MOST_ALARMS = 5  #: of one lane and signal at a time; of more parts, the whole lane is at fault
SUSPECTS_MS = 60 * MINUTE_MS  #: between two looks for lanes with events in the last days
