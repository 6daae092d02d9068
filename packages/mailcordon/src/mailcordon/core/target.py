"""Which mail of a tenant is meant: by a hold, its lifting or a cancel.

The smallest target is one lane's mail to one mailbox provider of one campaign or list; the largest is a tenant. No target covers
several tenants: what stops everybody is a stop of the cell, not a hold.
"""

from dataclasses import dataclass

from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    tenant: int
    class_: Class | None = None  #: None: every class
    lane: int | None = None  #: None: every lane (of the class)
    provider: Provider | None = None
    campaign: str | None = None
    list: str | None = None

    @property
    def narrow(self) -> bool:
        """Whether it covers only a part of a lane's mail."""
        return self.provider is not None or self.campaign is not None or self.list is not None

    def covers_lane(self, tenant: int, class_: Class, lane: int) -> bool:
        """Whether it covers any mail of the lane."""
        return (
            self.tenant == tenant
            and (self.class_ is None or self.class_ == class_)
            and (self.lane is None or self.lane == lane)
        )

    def covers_mail(self, provider: int, campaign: str | None, list: str | None) -> bool:
        """Whether it covers this mail of a covered lane."""
        return (
            (self.provider is None or self.provider == provider)
            and (self.campaign is None or self.campaign == campaign)
            and (self.list is None or self.list == list)
        )
