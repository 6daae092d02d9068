"""Records of the accepted mails: ledger, mails under way and in the world, tracking, insights, statistics and metrics."""

from __future__ import annotations

from seslocal.clock import Clock
from seslocal.state.attributes import Attributes
from seslocal.state.insights import Insights
from seslocal.state.journeys import Journeys
from seslocal.state.ledger import Ledger
from seslocal.state.observers import MailObserver
from seslocal.state.ses_metrics import SesMetrics
from seslocal.state.settings import Settings
from seslocal.state.statistics import Statistics
from seslocal.state.tracking import Tracking
from seslocal.state.under_way import UnderWay


class MailRecords:
    def __init__(self, settings: Settings, clock: Clock, attributes: Attributes, secret: bytes) -> None:
        self.ledger = Ledger(settings.ledger, settings.ledger_bytes)
        self.under_way = UnderWay(clock)
        self.journeys = Journeys(clock)
        self.tracking = Tracking(secret)
        self.insights = Insights(attributes, self.tracking, settings.ledger)
        self.statistics = Statistics()
        self.ses_metrics = SesMetrics()
        self.observers: tuple[MailObserver, ...] = (self.insights, self.statistics, self.ses_metrics)
