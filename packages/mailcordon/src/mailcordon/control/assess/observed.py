"""What a running Mailcordon has counted of mail that passes it by (docs/observe-only.md), as a source of an assessment. Pure.

Its rules say whose mail is what as the file of --rules does, and a person wrote them: they are sure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailcordon.control.assess.account import Count, Days
from mailcordon.control.assess.harm import added
from mailcordon.control.assess.owners import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    tenant: str  #: slug
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    rules: Rules = field(default_factory=Rules)
    #: By lane; all mail of a week stands at its Monday.
    lanes: Mapping[Lane, Days] = field(default_factory=dict[Lane, Days])
    by_provider: Mapping[str, Mapping[str, Count]] = field(
        default_factory=dict[str, Mapping[str, Count]]
    )  #: by tenant
    unmapped: int = 0  #: mails that no rule names

    @property
    def tenants(self) -> list[str]:
        """Those with mail."""
        return sorted({lane.tenant for lane in self.lanes})

    def days(self, slug: str) -> Days:
        return added(days for lane, days in self.lanes.items() if lane.tenant == slug)

    def types(self, slug: str) -> Mapping[str, Days]:
        return {
            lane.type: days for lane, days in sorted(self.lanes.items(), key=_name) if lane.tenant == slug
        }


def _name(item: tuple[Lane, Days]) -> tuple[str, str]:
    return item[0].tenant, item[0].type


def both(given: Rules, observed: Rules) -> Rules:
    """Rules of a file go before those of an installation."""
    return Rules(
        sets={**observed.sets, **given.sets},
        senders={**observed.senders, **given.senders},
        tags={**observed.tags, **given.tags},
        types={**observed.types, **given.types},
        type_tags=observed.type_tags | given.type_tags,
    )
