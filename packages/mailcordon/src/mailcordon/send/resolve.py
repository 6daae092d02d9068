"""Resolves tenant and message type to a route. There is no default tenant, lane or route.

Routes are cached. Every accept transaction reads the control epoch first: if it has moved, the cache is dropped and the batch
is resolved again, so that a decision is never older than the transaction that stores it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mailcordon.core import path_choice, reserved_domains, text
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.priority import CLASS_DEFAULTS
from mailcordon.core.route import Route
from mailcordon.messages import content, mail, paths
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
    #: Where each message of a lane with one path goes; made once, since it is asked for each.
    alone: "Resolved" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "alone", Resolved(self))


class Resolved(NamedTuple):
    """Where a message goes. `others` is None in a lane with one path (core/path_choice.py, `others` and `KEEPS_ITS_PATH`)."""

    entry: Entry
    others: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """One tenant's entries by message type."""

    tenant: int
    slug: str
    entries: Mapping[str, tuple[Entry, ...]]
    retired: bool = False  #: the tenant takes no new mail


def resolve(
    lanes: Lanes | None,
    slug: str,
    submission: Submission,
    hashes: Sequence[bytes],
    *,
    local: bool,
    links: bool = False,
) -> Resolved:
    """Returns the entry of this message, and who of its recipients takes the lane's other path. `hashes` are the keyed hashes of
    the recipients; `local` says whether the local SES is used, `links` whether there is an address for our own links to
    unsubscribe.

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
    entry = entries[0]
    if entry.retired:
        raise Invalid(Fault("type", mail.lane_takes_no_mail(slug, submission.type), "lane-retired"))
    route = entry.route
    domain = submission.sender.address.domain
    if domain != route.domain and domain != entries[-1].route.domain:
        own = " or ".join([one.route.domain for one in entries])
        problem = mail.from_another_domain(slug, submission.type, own, domain)
        raise Invalid(Fault("from", problem, "foreign-domain"))
    if len(entries) == 1:
        resolved = entry.alone
    else:
        resolved = _of_two(entries, submission, hashes)
        route = resolved.entry.route
    if undeliverable := reserved_domains.find(domain, local):
        raise Invalid(Fault("from", undeliverable.as_sender, "reserved-domain"))
    if CLASS_DEFAULTS[route.lane.class_].one_click:
        if (visible := submission.visible) > 1:
            problem = content.mailing_shows_its_list(route.lane.type, visible)
            raise Invalid(Fault("to", problem, "visible-recipients"))
        _require_link(submission, route, links)
    return resolved


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


def _of_two(entries: tuple[Entry, ...], submission: Submission, hashes: Sequence[bytes]) -> Resolved:
    """A recipient takes the same path whatever the message. Two kinds of messages go as one, and keep the path they got: the From
    of a raw one is not ours to change, and recipients who see each other get the same mail."""
    by_path = {entry.route.path: entry for entry in entries}
    if submission.raw is not None:
        domain = submission.sender.address.domain
        return Resolved(
            next(one for one in entries if one.route.domain == domain),
            path_choice.KEEPS_ITS_PATH | path_choice.OF_ITS_FROM,
        )
    share = by_path[path_choice.ISOLATED].share
    key = entries[0].route.lane.tenant_key
    if len(hashes) > 1 and not submission.is_mailing:
        return Resolved(by_path[path_choice.path(key, hashes[0], share)], path_choice.KEEPS_ITS_PATH)
    taken = [path_choice.path(key, hash, share) for hash in hashes]
    return Resolved(by_path[taken[0]], path_choice.others(taken, taken[0]))


def fixed_path(path: str, others: int | None) -> str | None:
    """Why a message on `path` keeps it, in words. None: it may change, or its lane had one."""
    if others is None or not path_choice.is_fixed(others):
        return None
    return paths.keeps_path(path, raw=others & path_choice.OF_ITS_FROM != 0)
