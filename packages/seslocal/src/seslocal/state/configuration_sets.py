"""Configuration sets and their event destinations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from seslocal.wire.params import Params

#: eventType -> its name in MatchingEventTypes
MATCHING: Final = {
    "Send": "SEND",
    "Delivery": "DELIVERY",
    "Bounce": "BOUNCE",
    "Complaint": "COMPLAINT",
    "Reject": "REJECT",
    "Open": "OPEN",
    "Click": "CLICK",
    "Rendering Failure": "RENDERING_FAILURE",
    "DeliveryDelay": "DELIVERY_DELAY",
    "Subscription": "SUBSCRIPTION",
}


@dataclass(slots=True)
class EventDestination:
    name: str
    enabled: bool
    types: frozenset[str]  #: MatchingEventTypes
    definition: Params  #: as given
    topic: str | None  #: ARN of the SNS topic
    bus: bool  #: goes to EventBridge


@dataclass(slots=True)
class ConfigurationSet:
    name: str
    arn: str
    tags: dict[str, str]
    options: dict[str, Params]  #: option group -> its members as given
    destinations: dict[str, EventDestination] = field(default_factory=dict[str, EventDestination])

    @property
    def sending_enabled(self) -> bool:
        return self.options["SendingOptions"].get("SendingEnabled", False)

    @property
    def tracks_engagement(self) -> bool:
        """Whether the set's VDM options track opens and clicks, independently of its destinations."""
        dashboard: Params = self.options.get("VdmOptions", {}).get("DashboardOptions", {})
        return dashboard.get("EngagementMetrics") == "ENABLED"

    @property
    def scope(self) -> str | None:
        return self.options.get("SuppressionOptions", {}).get("SuppressionScope")

    @property
    def reasons(self) -> tuple[str, ...] | None:
        reasons = self.options.get("SuppressionOptions", {}).get("SuppressedReasons")
        return None if reasons is None else tuple(reasons)
