"""The account: all state of one local SES, composed of one object for each noun. Only the operations of a noun change its
state. A reset replaces the whole account."""

from __future__ import annotations

from typing import Final

from seslocal.clock import Clock
from seslocal.ids import Ids
from seslocal.state.access import Access
from seslocal.state.attributes import Attributes
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.contacts import ContactLists
from seslocal.state.dedicated_ips import DedicatedIps
from seslocal.state.events import Events
from seslocal.state.faults import Faults
from seslocal.state.identities import Identities
from seslocal.state.jobs import JobState
from seslocal.state.mail_records import MailRecords
from seslocal.state.mailboxes import Mailboxes
from seslocal.state.queues import Queues
from seslocal.state.sending import Sending
from seslocal.state.settings import Behaviour, Settings
from seslocal.state.suppression import AccountSuppression
from seslocal.state.templates import StoredTemplate
from seslocal.state.tenants import Tenants
from seslocal.state.zone import Zone

ANY_REGION: Final = "any"  #: in `Settings.other_regions`


class Account:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.region = settings.region
        self.id = settings.account_id
        self.behaviour = Behaviour()
        self.clock = clock
        self.ids = Ids(settings.seed, settings.region)
        self.url = "http://127.0.0.1"  #: of the server that this account is on
        self.access = Access(settings)

        self.identities = Identities()
        self.configuration_sets: dict[str, ConfigurationSet] = {}
        self.tenants = Tenants()
        self.templates: dict[str, StoredTemplate] = {}
        self.contact_lists = ContactLists()
        self.dedicated_ips = DedicatedIps()

        self.attributes = Attributes()
        self.suppression = AccountSuppression()
        self.sending = Sending(settings, clock, self.suppression.list)
        self.mail = MailRecords(settings, clock, self.attributes, self.ids.secret())
        self.events = Events(settings, clock)
        self.queues = Queues(clock, self.ids, settings.region, settings.account_id, settings.queue_most)
        self.jobs = JobState(settings.home)

        self.mailboxes = Mailboxes()
        self.zone = Zone()
        self.faults = Faults(self.ids.random)

    def is_here(self, region: str) -> bool:
        """Whether calls may be signed for this region, and ARNs that are given may be in it."""
        others = self.settings.other_regions
        return region == self.region or region in others or ANY_REGION in others

    def arn(self, resource: str) -> str:
        return f"arn:aws:ses:{self.region}:{self.id}:{resource}"
