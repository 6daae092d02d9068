"""What a scenario file says: fleets of tenants, incidents, and what is expected of a good operator. The members of these classes
are the members of the file; `docs/world.schema.json` is made from them.

Moments are texts like `day 3 09:30` (days count from 1, hours are in UTC). Spans are texts like `90m`, `6h` or `2d`."""

from __future__ import annotations

import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

Moment = Annotated[
    str, Meta(pattern=r"^day [1-9][0-9]{0,2} ([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["day 3 09:30"])
]
Span = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}[mhd]$", examples=["90m", "6h", "2d"])]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$", examples=["shops"])]
Domain = Annotated[str, Meta(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$", max_length=200)]
Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0, le=1e9)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
LINE: Final = r"^[^\x00-\x1f\x7f\ufffe\uffff]*$"  # XML has no place for these, and a terminal may obey them
Line = Annotated[str, Meta(max_length=2_000, pattern=LINE)]
Text = Annotated[str, Meta(max_length=2_000)]
ProviderName = Literal["gmail", "microsoft", "yahoo", "apple", "gmx", "telco", "gateways", "small"]
ListQuality = Literal["opted-in", "stale", "bought"]
MailType = Literal["transactional", "marketing", "mixed"]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown members are errors."""


class LogNormal(_Strict, frozen=True, kw_only=True):
    """Sizes that differ: half of the tenants are below the median; sigma 1 makes one in six more than 2.7 times as large."""

    median: Positive
    sigma: Annotated[float, Meta(ge=0, le=3)] = 1.0


class Lists(_Strict, frozen=True, kw_only=True):
    """Shares of a marketing list that are not opted in. The rest is."""

    stale: Share = 0.0  #: asked once, not mailed for a long time
    bought: Share = 0.0


class Group(_Strict, frozen=True, kw_only=True):
    """Tenants of one kind. They are called `NAME-001`, `NAME-002`, ..., or `NAME` if there is only one."""

    name: Name
    count: Annotated[int, Meta(ge=1, le=10_000)] = 1
    type: MailType = "mixed"
    mails_a_day: Positive | LogNormal = 1_000.0  #: of each tenant, as the mean of a week
    marketing_share: Share = 0.5  #: of the mails of a tenant that sends both types
    campaigns_a_week: Annotated[int, Meta(ge=1, le=14)] = 2  #: each goes to the whole list
    campaign_lasts: Span = "1h"  #: over which a campaign leaves
    lists: Lists = Lists()
    readers: Literal["consumers", "businesses"] = "consumers"  #: decides at which providers the addresses are
    customers: Positive = (
        30.0  #: recipients of transactional mail, as a multiple of the transactional mails of a day
    )
    domains: Literal["own", "shared"] = "own"  #: each tenant its own, or one for the group
    domain: Domain | None = (
        None  #: the shared one (default `GROUP.example`), or the parent of the own ones (default `example`)
    )
    pool: Name = (
        "shared"  #: IP pool; `own` gives each tenant a pool of its own, other names are pools by that name
    )
    new: bool = (
        False  #: no provider has seen its domain and its own pool before; else all know this much mail of it
    )
    dkim: bool = True  #: signed with the From domain
    spf: bool = True  #: SPF passes, with a MAIL FROM below the From domain
    dmarc: Literal["absent", "none", "quarantine", "reject"] = "none"  #: policy of the From domain
    one_click: bool = True  #: marketing mail can be unsubscribed with one click (RFC 8058)
    size: Annotated[int, Meta(ge=200, le=40_000_000)] = 20_000  #: bytes of a mail


class _Incident(_Strict, tag_field="kind", frozen=True, kw_only=True):
    start: Moment
    name: Name | None = None  #: default: the kind


class _OfOne(_Incident, frozen=True, kw_only=True):
    tenant: Name


class BoughtList(_OfOne, tag="bought_list", frozen=True, kw_only=True):
    """The tenant mails a list that it bought."""

    addresses: Count
    lasts: Span = "3h"  #: over which each mailing leaves
    mailings: Annotated[int, Meta(ge=1, le=100)] = 1
    every: Span = "1d"  #: between the starts of two mailings


class StaleImport(_OfOne, tag="stale_import", frozen=True, kw_only=True):
    """The tenant imports an old list of its own customers, and mails it."""

    addresses: Count
    lasts: Span = "3h"
    mailings: Annotated[int, Meta(ge=1, le=100)] = 1
    every: Span = "1d"


class RunawayLoop(_OfOne, tag="runaway_loop", frozen=True, kw_only=True):
    """A program of the tenant sends the same transactional mail again and again to a few of its customers."""

    lasts: Span
    mails_a_minute: Positive
    recipients: Count = 1


class BrokenDkim(_OfOne, tag="broken_dkim", frozen=True, kw_only=True):
    """The tenant's signatures fail. `spf` says whether SPF still passes."""

    lasts: Span
    spf: bool = True


class HijackedForm(_OfOne, tag="hijacked_form", frozen=True, kw_only=True):
    """Somebody enters addresses of strangers in a form of the tenant, with an advertisement in the field for the name."""

    lasts: Span
    mails_a_minute: Positive


class ColdIp(_OfOne, tag="cold_ip", frozen=True, kw_only=True):
    """All mail of the tenant leaves from a pool of its own that no provider has seen before."""

    lasts: Span | None = None  #: default: to the end


class NewRule(_Incident, tag="new_rule", frozen=True, kw_only=True):
    """A provider begins to enforce a rule for all senders."""

    provider: ProviderName
    rule: Literal["needs_dmarc", "needs_one_click", "needs_dkim"]
    refuses: Share = 1.0  #: share of the mail that breaks the rule and is refused; the rest is deferred


class Snowshoe(_Incident, tag="snowshoe", frozen=True, kw_only=True):
    """Many new tenants appear, called `NAME-001`, ..., each with a domain of its own and little mail to bought addresses, all of
    it with the same content."""

    count: Annotated[int, Meta(ge=1, le=10_000)]
    mails_a_day: Positive
    lasts: Span
    quality: ListQuality = "bought"
    pool: Name = "shared"


class BadWeather(_Incident, tag="bad_weather", frozen=True, kw_only=True):
    """A bad time of one provider, for every sender alike."""

    provider: ProviderName
    lasts: Span
    defers: Share = 0.5  #: share of the attempts
    slower: Annotated[float, Meta(ge=1, le=1_000)] = 1.0  #: factor of its processing times


Incident = (
    BoughtList
    | StaleImport
    | RunawayLoop
    | BrokenDkim
    | HijackedForm
    | ColdIp
    | NewRule
    | Snowshoe
    | BadWeather
)

Measure = Literal[
    "sent_share",  # of the mails that tenants wanted to send: neither held back, nor rejected by a pause, nor suppressed
    "accepted_share",  # of the mails that were submitted
    "inbox_share",  # of the mails that were submitted
    "late_share",  # of the inbox mails: more than an hour after they were due
    "spam_share",  # of the accepted mails
    "refused_share",  # of the mails that were submitted: refused, returned or expired
    "deferred_share",  # of the mails that were submitted: deferred at least once
    "bounce_share",  # of the mails that left: nobody has the address
    "complaint_share",  # of the accepted mails
    "inbox_lost_share",  # of the inbox mails of the same run without the culprit; needs such a run
    "incident_mails",  # mails of the incidents that left
    "seconds_to_stop",  # from the start of the first incident until its last mail left
]


class Expectation(_Strict, frozen=True, kw_only=True):
    """What is expected of a good operator, as a number of a run's result. A run without an operator may miss it: that it does is
    what the scenario shows."""

    name: Line
    measure: Measure
    of: Text = "others"  #: `all`, `others` (all but the culprits), `culprits`, `sharers`, `strangers`, a group or a tenant
    provider: ProviderName | None = None  #: default: all together
    since: Moment | None = (
        None  #: counts mails that were submitted from then on; rounded down to a step of the series
    )
    until: Moment | None = None
    at_least: float | None = None
    at_most: float | None = None


class Ses(_Strict, frozen=True, kw_only=True):
    """How SES reacts."""

    pauses_tenants: Literal["none", "standard", "strict"] = "standard"  #: reputation policy of every tenant
    reviews_account: bool = True  #: the account's rates lead to PROBATION and to a pause of all
    resumes_after: Span | None = (
        None  #: a paused tenant is reinstated by hand after this time. Default: never
    )
    suppression: Literal["tenant", "none"] = (
        "tenant"  #: hard bounces and complaints are remembered for each tenant
    )


class Scenario(_Strict, frozen=True, kw_only=True):
    """A scenario file."""

    name: Name
    title: Line
    what: Text = ""  #: what it shows
    seed: Annotated[int, Meta(ge=0, le=2**62)] = 1
    days: Annotated[int, Meta(ge=1, le=366)] = 7
    start: datetime.date = datetime.date(2026, 3, 2)  #: the first day; the default is a Monday
    known: Count = (
        50_000  #: mails a day that each provider is used to from each domain and pool that is not new
    )
    culprits: tuple[Name, ...] = ()  #: tenants or groups. Default: those that an incident names
    groups: Annotated[tuple[Group, ...], Meta(min_length=1, max_length=1_000)]
    incidents: Annotated[tuple[Incident, ...], Meta(max_length=100)] = ()
    expect: Annotated[tuple[Expectation, ...], Meta(max_length=100)] = ()
    ses: Ses = Ses()


def scaled(scenario: Scenario, factor: float) -> Scenario:
    """Returns it with every volume multiplied; the numbers of tenants and of mailings stay."""
    if factor == 1:
        return scenario
    groups: list[Group] = []
    for group in scenario.groups:
        volume = group.mails_a_day
        grown = volume.median * factor if isinstance(volume, LogNormal) else volume * factor
        groups.append(
            replace(
                group,
                mails_a_day=replace(volume, median=grown) if isinstance(volume, LogNormal) else grown,
            )
        )
    incidents: list[Incident] = []
    for incident in scenario.incidents:
        match incident:
            case BoughtList() | StaleImport():
                incident = replace(incident, addresses=max(1, round(incident.addresses * factor)))
            case RunawayLoop() | HijackedForm():
                incident = replace(incident, mails_a_minute=incident.mails_a_minute * factor)
            case Snowshoe():
                incident = replace(incident, mails_a_day=incident.mails_a_day * factor)
            case _:
                pass
        incidents.append(incident)
    known = max(1, round(scenario.known * factor))
    return replace(scenario, groups=tuple(groups), incidents=tuple(incidents), known=known)


def seconds_of(span: Span) -> float:
    """Returns the length of a span."""
    return float(span[:-1]) * {"m": 60.0, "h": 3_600.0, "d": 86_400.0}[span[-1]]


def moment_of(moment: Moment) -> float:
    """Returns seconds since the start of the scenario."""
    _, day, time = moment.split()
    return (int(day) - 1) * 86_400.0 + int(time[:2]) * 3_600.0 + int(time[3:]) * 60.0
