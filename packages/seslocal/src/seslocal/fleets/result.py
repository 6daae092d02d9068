"""What a run amounts to: counts for each tenant and provider, over the whole run and in steps of time, and what SES and the
operator did."""

from __future__ import annotations

from typing import Final

import msgspec

STEP: Final = 6 * 3600  # seconds of a step of the series


class Counts(msgspec.Struct, omit_defaults=True):
    """Mails, each to one recipient, by what became of them. Each is counted at the step in which it was due to leave."""

    wanted: int = 0  #: what the tenant wanted to send
    held: int = 0  #: of those: kept back by the operator until the end of the run
    paused: int = 0  #: of those: rejected, since the tenant or the account was paused
    suppressed: int = 0  #: of those: not mailed, since the address bounced, complained or unsubscribed before
    submitted: int = 0  #: of those: handed to the provider
    inbox: int = 0
    late: int = 0  #: of those in the inbox: more than an hour after they were due
    spam: int = 0  #: accepted into the spam folder
    returned: int = 0  #: accepted, and bounced later
    refused: int = 0
    expired: int = 0  #: deferred until the sender gave up
    under_way: int = 0  #: still deferred when the run ended
    deferred: int = 0  #: deferred at least once, whatever became of them later
    unknown: int = 0  #: of those refused or returned: nobody has the address
    trapped: int = 0  #: accepted by a spam trap
    complaints: int = 0
    complaints_known: int = 0  #: of those: reported to the sender
    not_spam: int = 0
    opens: int = 0  #: by people
    machine_opens: int = 0
    clicks: int = 0  #: by people
    machine_clicks: int = 0
    unsubscribes: int = 0
    incident: int = 0  #: of those submitted: mails of an incident
    incident_inbox: int = 0  #: of the incident's mails: those in the inbox

    @property
    def accepted(self) -> int:
        return self.inbox + self.spam + self.returned

    def add(self, other: Counts) -> None:
        for name in FIELDS:
            if value := getattr(other, name):
                setattr(self, name, getattr(self, name) + value)


FIELDS: Final = tuple(Counts.__struct_fields__)


class Tenant(msgspec.Struct, frozen=True):
    """A tenant, as far as a reader of the result needs to know it."""

    name: str
    group: str  #: name of the group or of the incident that it belongs to
    type: str
    domain: str
    pool: str  #: at the start
    culprit: bool


class Row(msgspec.Struct):
    """One tenant at one provider."""

    tenant: str
    provider: str
    counts: Counts
    steps: dict[
        int, Counts
    ]  #: number of the step of 6 h since the start, from 0 -> its counts; steps without mail are left out


class Action(msgspec.Struct, frozen=True):
    """What SES or the operator did, or an incident's start or end."""

    at: float  #: seconds since the start
    who: str  #: ses, operator or incident
    what: str  #: tenant_paused, account_probation, account_paused, start, end, ...
    tenant: str  #: "": the account, or everyone
    why: str


class Run(msgspec.Struct, kw_only=True):
    """The result of a run."""

    scenario: str
    title: str
    seed: int
    days: int
    scale: float
    without: tuple[str, ...]  #: tenants that were left out
    start: float  #: seconds since the epoch
    step: int = STEP
    tenants: list[Tenant]  #: by name
    rows: list[Row]  #: by tenant and provider
    actions: list[Action]  #: by time
    attempts: int  #: delivery attempts
    #: seconds since the start at which the last mail of an incident was submitted; None: none was
    last_incident_mail: float | None = None

    def total(self) -> Counts:
        total = Counts()
        for row in self.rows:
            total.add(row.counts)
        return total


class Result(msgspec.Struct, kw_only=True):
    """What `seslocal world run` prints."""

    run: Run
    #: the same scenario and seed without the culprits; None: it was not played
    without: Run | None = None

    def encode(self) -> bytes:
        """Returns it as JSON: the same bytes for the same scenario, seed, days, scale and tenants left out."""
        return msgspec.json.encode(self)
