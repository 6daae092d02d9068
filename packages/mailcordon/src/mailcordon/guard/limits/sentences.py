"""What a limit says to people."""

from typing import NamedTuple

from mailcordon.core.limit import OF_AN_ADDRESS, Limit, LimitScope
from mailcordon.messages import limits, reasons, times


class LaneName(NamedTuple):
    slug: str
    type: str


def what(limit: Limit, lane: LaneName, *, key: str | None = None) -> str:
    """Whose mail it counts. `lane`: its own, or any that it covers. `key`: the name of its API key."""
    slug, type = lane
    match limit.scope:
        case LimitScope.TENANT:
            return limits.of_tenant(slug)
        case LimitScope.CLASS:
            assert limit.class_ is not None
            return limits.of_class(slug, limit.class_.word)
        case LimitScope.LANE:
            return limits.of_lane(slug, type)
        case LimitScope.KEY:
            return limits.of_key(slug, key or str(limit.api_key))
        case LimitScope.CAMPAIGN:
            return limits.of_campaign(slug, type, limit.campaign or "")
        case LimitScope.LIST:
            return limits.of_list(slug, type, limit.list or "")
        case LimitScope.PROVIDER:
            assert limit.provider is not None
            return limits.to_provider(slug, type, limit.provider.word)
        case LimitScope.IDENTITY:
            return limits.from_domain(
                limit.domain or "", None if limit.provider is None else limit.provider.word
            )
        case LimitScope.RECIPIENT:
            return limits.to_one_address(slug, type)
        case LimitScope.EACH_CAMPAIGN:
            return limits.of_each_campaign(slug, type)
        case LimitScope.EACH_PROVIDER:
            return limits.to_each_provider(slug, type)
        case LimitScope.REPEAT:
            return limits.alike_to_one_address(slug, type)


def allows(limit: Limit, lane: LaneName, *, key: str | None = None) -> str:
    return limits.mails(limit.cap, limit.per, what(limit, lane, key=key))


def over(limit: Limit, lane: LaneName, opens_at: int | None) -> str:
    """Why mail waits. `opens_at`: milliseconds since 1970; None: there is no next window."""
    said = reasons.over_recipient_limit if limit.scope in OF_AN_ADDRESS else reasons.over_limit
    leaves = limits.leaves(None if opens_at is None else times.minute(opens_at))
    return said(allows(limit, lane), limit.because, leaves)


def refused(limit: Limit, lane: LaneName) -> str:
    return reasons.refused_over_limit(allows(limit, lane), limit.because)
