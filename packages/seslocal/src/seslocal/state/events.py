"""Where events go: SNS topics, the event bus, Firehose streams and CloudWatch, and what is on its way there."""

from __future__ import annotations

from collections.abc import Callable

from seslocal.clock import Clock
from seslocal.state.cloudwatch import Metrics
from seslocal.state.event_log import EventLog
from seslocal.state.firehose_streams import FirehoseStream
from seslocal.state.outbox import Outbox
from seslocal.state.settings import Settings
from seslocal.state.topics import Topic


class Events:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.topics: dict[str, Topic] = {}  #: those made through SNS, by name
        self.raw_topics: set[str] = set()  #: names of topics whose queue gets the bare document
        self.sns_url = settings.sns_url  #: base of the URLs in SNS messages; None: as AWS writes it
        self.bus_queue: str | None = None  #: queue that a rule on the default bus feeds
        self.management_queue: str | None = None  #: queue that a rule for management calls feeds
        self.data_events = (
            False  #: the trail logs data events too: each call that sends mail goes to that queue
        )
        self.streams: dict[str, FirehoseStream] = {}  #: those that have an endpoint, by name
        self.cloudwatch = Metrics()  #: counts of the CloudWatch destinations
        self.log = EventLog()
        self.outbox = Outbox(clock)
        self.held_back: list[Callable[[], None]] = []  #: deliveries that a reordering fault gathers
