"""Changes of what was counted of a lane's mail: what the breaker, releases, warm-up and back-tests are told."""

from typing import NamedTuple


class Delta(NamedTuple):
    """Changes of one cohort: mail of one lane, campaign, list and provider that was sent in one minute. May be negative: an
    outcome moves to an earlier attempt's minute."""

    minute: int  #: minutes since 1970 of the call to SES, by our own ledger
    lane: int
    campaign: str | None
    list: str | None
    provider: int  #: core.provider.Provider
    sent: int = 0
    delivered: int = 0
    hard_bounces: int = 0  #: by SES's word Permanent, without those that SES's or our own lists caused
    complaints: int = 0  #: that providers reported
    blocks: int = 0  #: bounces, hard or soft, whose reason is spam, reputation or policy
    delays: int = 0  #: mails with a delivery delay
    opens: int = 0  #: by people


class DomainDelta(NamedTuple):
    """Changes of the hard bounces at one recipient domain outside the named providers. They are in `Delta.hard_bounces` too."""

    minute: int  #: minutes since 1970 of the call to SES
    lane: int
    domain: int  #: a hash of it
    hard_bounces: int
