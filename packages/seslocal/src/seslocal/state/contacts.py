"""Contact lists: topics with a default, contacts with preferences, and whether a contact may be mailed about a topic (ses.md
8.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from seslocal.errors import ApiError, bad_request, not_found
from seslocal.state.accepted_mail import Mail
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.wire.params import Params

OPT_IN: Final = "OPT_IN"
OPT_OUT: Final = "OPT_OUT"
MOST_CONTACTS: Final = 1_000_000
MOST_MANAGED: Final = 10_000  # mails whose unsubscribe link is remembered
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SHOWN: Final = {OPT_IN: "OptIn", OPT_OUT: "OptOut"}


@dataclass(frozen=True, slots=True)
class Preferences:
    """A contact's topic preferences."""

    unsubscribe_all: bool
    topics: dict[str, str]  #: topic name -> OptIn or OptOut
    #: the list's defaults, for topics for which the contact has no preference
    defaults: dict[str, str] | None = None

    def shown(self) -> Params:
        shown: Params = {
            "unsubscribeAll": self.unsubscribe_all,
            "topicSubscriptionStatus": _statuses(self.topics),
        }
        if self.defaults is not None:
            shown["topicDefaultSubscriptionStatus"] = _statuses(self.defaults)
        return shown


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    display_name: str
    description: str | None
    default: str  #: OPT_IN or OPT_OUT, for contacts without a preference


@dataclass(slots=True)
class Contact:
    address: str  #: as given
    created: float
    updated: float
    unsubscribed_all: bool = False
    topics: dict[str, str] = field(default_factory=dict[str, str])  #: topic name -> OPT_IN or OPT_OUT
    attributes: str | None = None


@dataclass(slots=True)
class ContactList:
    name: str
    arn: str
    description: str | None
    topics: dict[str, Topic]
    tags: dict[str, str]
    created: float
    updated: float
    contacts: dict[str, Contact] = field(default_factory=dict[str, Contact])  #: by the address in lower case

    def defaults(self) -> dict[str, str]:
        return {topic.name: topic.default for topic in self.topics.values()}

    def wants(self, address: str, topic: str | None) -> bool:
        """Whether this address may be mailed, about a topic or at all."""
        contact = self.contacts.get(address.lower())
        if contact is not None and contact.unsubscribed_all:
            return False
        if topic is None:
            return True
        own = contact.topics.get(topic) if contact is not None else None
        return (own or self.topics[topic].default) == OPT_IN

    def preferences(self, contact: Contact) -> Preferences:
        """As events show them."""
        topics = {name: _SHOWN[status] for name, status in contact.topics.items()}
        defaults = {name: _SHOWN[status] for name, status in self.defaults().items()}
        return Preferences(contact.unsubscribed_all, topics, defaults)

    def put(self, address: str, given: Params, at: float) -> Contact:
        """Adds or replaces a contact: TopicPreferences, UnsubscribeAll, AttributesData. Raises ApiError."""
        topics = self.checked_preferences(given.get("TopicPreferences", []))
        before = self.contacts.get(address.lower())
        if before is None and len(self.contacts) >= MOST_CONTACTS:
            raise bad_request(f"A list has at most {MOST_CONTACTS} contacts here.")
        contact = Contact(
            address=before.address if before else address,
            created=before.created if before else at,
            updated=at,
            unsubscribed_all=given.get("UnsubscribeAll", False),
            topics=topics,
            attributes=given.get("AttributesData"),
        )
        self.contacts[address.lower()] = contact
        return contact

    def checked_preferences(self, given: list[dict[str, str]]) -> dict[str, str]:
        """TopicPreferences by topic. Raises ApiError if a topic is not on the list."""
        for one in given:
            if one["TopicName"] not in self.topics:
                raise self.no_topic(one["TopicName"])
        return {one["TopicName"]: one["SubscriptionStatus"] for one in given}

    def no_topic(self, topic: str) -> ApiError:
        return bad_request(f"List: {self.name} doesn't contain Topic: {topic}")


@dataclass(slots=True)
class ManagedMail:
    """A mail to a contact of a list."""

    token: str  #: in the link; not guessable
    list: ContactList
    topic: str | None
    address: str
    mail: Mail | None = None
    configuration_set: ConfigurationSet | None = None


class ContactLists(dict[str, ContactList]):
    """All contact lists by name."""

    def __init__(self) -> None:
        super().__init__()
        self.managed: dict[str, ManagedMail] = {}  #: mails with an unsubscribe link, by its token

    def find(self, name: str) -> ContactList:
        """Returns the list of this name. Raises ApiError."""
        found = self.get(checked_name("ContactListName", name))
        if found is None:
            raise not_found(f"List with name: {name} doesn't exist.")
        return found

    def add_managed(self, managed: ManagedMail) -> None:
        self.managed[managed.token] = managed
        if len(self.managed) > MOST_MANAGED:
            del self.managed[next(iter(self.managed))]


def checked_name(member: str, name: str) -> str:
    """Returns the name of a list or a topic. Raises ApiError if it is invalid."""
    if not name.strip():
        raise bad_request(f"{member} can't be blank.")
    if not _NAME.fullmatch(name):
        raise bad_request(
            f"{member} can contain up to 64 characters. Only alphanumeric characters, underscores(_) and hyphens(-) are "
            "allowed."
        )
    return name


def _statuses(topics: dict[str, str]) -> list[Params]:
    return [{"topicName": name, "subscriptionStatus": status} for name, status in topics.items()]
