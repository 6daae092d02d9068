"""Resolves tenant and message type to a route. There is no default tenant, lane or route.

Routes are cached. Every accept transaction reads the control epoch first: if it has moved, the cache is dropped and the batch
is resolved again, so that a decision is never older than the transaction that stores it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mailcordon.core import reserved_domains, text
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.priority import CLASS_DEFAULTS
from mailcordon.core.route import Route
from mailcordon.messages import content, mail
from mailcordon.send import mail_headers
from mailcordon.send.submission import Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One way into a lane: its route, and the bounds of its backlog."""

    route: Route
    share: int  #: percentage of the lane's traffic on this path
    policy_version: int
    expiry_ms: int
    backlog_deliveries: int
    backlog_bytes: int
    backlog_age_ms: int
    retired: bool = False  #: takes no new mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """One tenant's entries by message type."""

    tenant: int
    slug: str
    entries: Mapping[str, tuple[Entry, ...]]
    retired: bool = False  #: the tenant takes no new mail


def resolve(
    lanes: Lanes | None, slug: str, submission: Submission, spread: int, *, local: bool, links: bool = False
) -> Entry:
    """Returns the entry of this message. `spread` (0 to 99) chooses among paths by their share; `local` says whether the local
    SES is used, `links` whether there is an address for our own links to unsubscribe.

    Raises Invalid for the field `tenant`, `type`, `from`, `to` or `headers.List-Unsubscribe`.
    """
    if lanes is None:
        raise Invalid(Fault("tenant", mail.tenant_unknown(text.harmless(slug, 64)), "unknown-tenant"))
    if lanes.retired:
        raise Invalid(Fault("tenant", mail.tenant_takes_no_mail(slug), "tenant-retired"))
    entries = lanes.entries.get(submission.type)
    if not entries:
        in_use = sorted(type for type, one in lanes.entries.items() if not one[0].retired)
        problem = mail.no_lane_for_type(slug, text.harmless(submission.type, 64), in_use)
        raise Invalid(Fault("type", problem, "unknown-type"))
    if entries[0].retired:
        raise Invalid(Fault("type", mail.lane_takes_no_mail(slug, submission.type), "lane-retired"))
    entry = _by_share(entries, spread)
    route = entry.route
    domain = submission.sender.address.domain
    if domain != route.domain:
        problem = mail.from_another_domain(slug, route.lane.type, route.domain, domain)
        raise Invalid(Fault("from", problem, "foreign-domain"))
    if undeliverable := reserved_domains.find(domain, local):
        raise Invalid(Fault("from", undeliverable.as_sender, "reserved-domain"))
    if CLASS_DEFAULTS[route.lane.class_].one_click:
        if (visible := submission.visible) > 1:
            problem = content.mailing_shows_its_list(route.lane.type, visible)
            raise Invalid(Fault("to", problem, "visible-recipients"))
        _require_link(submission, route, links)
    return entry


def _require_link(submission: Submission, route: Route, links: bool) -> None:
    """Marketing mail without a link of the app's own gets ours, unless the app wants none or there is no address for it."""
    if submission.one_click:
        return
    if not submission.unsubscribe:
        problem = mail.one_click_missing(route.lane.type)
    elif not links and route.unsubscribe_host is None:
        problem = mail.one_click_unavailable(route.lane.type)
    elif submission.raw is None and submission.most_headers > mail_headers.MAX_BESIDE_OURS:
        problem = mail.too_many_beside_ours(mail_headers.MAX_BESIDE_OURS)
        raise Invalid(Fault("headers", problem, "too-many-headers"))
    else:
        return
    raise Invalid(Fault("headers.List-Unsubscribe", problem, "one-click-missing"))


def _by_share(entries: tuple[Entry, ...], spread: int) -> Entry:
    floor = 0
    for entry in entries:
        floor += entry.share
        if spread < floor:
            return entry
    raise Invalid(Fault("type", mail.no_route(entries[0].route.lane.type), "no-route"))
