"""Contact lists and who wants what: topics with a default, contacts with a word of their own, and the answer whether somebody
may be mailed about something (ses.md 8.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from seslocal.events.documents import Preferences

OPT_IN: Final = "OPT_IN"
OPT_OUT: Final = "OPT_OUT"
_SHOWN: Final = {OPT_IN: "OptIn", OPT_OUT: "OptOut"}


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    display_name: str
    description: str | None
    default: str  #: OPT_IN or OPT_OUT, for contacts who said nothing


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
        """As events tell it."""
        topics = {name: _SHOWN[status] for name, status in contact.topics.items()}
        defaults = {name: _SHOWN[status] for name, status in self.defaults().items()}
        return Preferences(contact.unsubscribed_all, topics, defaults)
