"""What SES tells CloudWatch by itself: counts of the account's mail, and of each tenant's (ses.md 1.9). Counts by configuration
set or by tags are those of CloudWatch destinations (cloudwatch.py); both are in the namespace AWS/SES."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seslocal.state.accepted_mail import Mail
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.hourly_counts import HourlyCounts
from seslocal.state.outcomes import Outcome, Plan

SET: Final = "ses:configuration-set"  #: dimension, and tag of SES
TENANT: Final = "TenantName"
_OF_ACCOUNT: Final = frozenset({"Send", "Delivery", "Bounce", "Complaint", "Reject", "Open", "Click"})
_OF_TENANT: Final = {"Send": "Sends", "Bounce": "Bounces", "Complaint": "Complaints"}


class SesMetrics:
    """A mail observer."""

    def __init__(self) -> None:
        self.counts = HourlyCounts()
        self.of_sets = HourlyCounts()  #: of every set, for the rates of those that publish them

    def accepted(
        self, mail: Mail, configuration_set: ConfigurationSet | None, plans: list[tuple[str, Plan]]
    ) -> None:
        pass

    def happened(
        self, mail: Mail, event: str, outcome: Outcome | None, recipients: Sequence[str], at: float
    ) -> None:
        if event not in _OF_ACCOUNT:
            return
        number = len(recipients) or len(mail.destination)
        self.counts.add((event, ()), at, number)
        if event not in _OF_TENANT:
            return
        if mail.tenant is not None:
            self.counts.add((_OF_TENANT[event], ((TENANT, mail.tenant),)), at, number)
        for name in mail.tags.get(SET, ())[:1]:
            self.of_sets.add((event, ((SET, name),)), at, number)
