"""What the account says about itself and has switched on: details, VDM, pricing plan."""

from __future__ import annotations

from dataclasses import dataclass, field

from seslocal.wire.params import Params


@dataclass(slots=True)
class Attributes:
    """As GetAccount shows them."""

    details: Params | None = None
    vdm: Params = field(default_factory=lambda: {"VdmEnabled": "DISABLED"})
    has_vdm: bool = False  #: VDM was switched on or off; before that SES does not show it
    plan: str = "NONE"  #: pricing plan
    cases: int = 0  #: number of requested reviews

    @property
    def vdm_enabled(self) -> bool:
        return self.vdm["VdmEnabled"] == "ENABLED"

    @property
    def tracks_engagement(self) -> bool:
        return (
            self.vdm_enabled and self.vdm.get("DashboardAttributes", {}).get("EngagementMetrics") == "ENABLED"
        )
