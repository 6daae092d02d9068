"""Contact lists: one an account, with its topics."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from seslocal.errors import already_exists, bad_request, not_found
from seslocal.mail.contacts import ContactList, Topic
from seslocal.state import Account, Caller, Params, tags_in, tags_out
from seslocal.wire.paging import page

MOST_LISTS: Final = 1
MOST_TOPICS: Final = 20
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def create(account: Account, params: Params, caller: Caller) -> Params:
    name: str = params["ContactListName"]
    if not _NAME.fullmatch(name):
        raise bad_request(
            f"Invalid list name <{name}>: letters, digits, '_' and '-' are allowed, 1 to 64 of them."
        )
    if name in account.contact_lists:
        raise already_exists(f"List with name: {name} already exists.")
    if len(account.contact_lists) >= MOST_LISTS:
        raise bad_request(f"A maximum of {MOST_LISTS} Lists allowed per account.")
    now = account.clock.now()
    account.contact_lists[name] = ContactList(
        name=name,
        arn=account.arn(f"contact-list/{name}"),
        description=params.get("Description"),
        topics=_topics(params.get("Topics", [])),
        tags=tags_in(params.get("Tags", [])),
        created=now,
        updated=now,
    )
    return {}


def get(account: Account, params: Params, caller: Caller) -> Params:
    found = list_of(account, params["ContactListName"])
    shown: Params = {
        "ContactListName": found.name,
        "Topics": [_topic_shown(topic) for topic in found.topics.values()],
        "CreatedTimestamp": found.created,
        "LastUpdatedTimestamp": found.updated,
        "Tags": tags_out(found.tags),
    }
    return shown if found.description is None else {**shown, "Description": found.description}


def update(account: Account, params: Params, caller: Caller) -> Params:
    """Replaces topics and description; what contacts said of a topic that goes is forgotten."""
    found = list_of(account, params["ContactListName"])
    topics = _topics(params.get("Topics", []))
    for contact in found.contacts.values():
        contact.topics = {name: status for name, status in contact.topics.items() if name in topics}
    found.topics, found.description = topics, params.get("Description")
    found.updated = account.clock.now()
    return {}


def delete(account: Account, params: Params, caller: Caller) -> Params:
    del account.contact_lists[list_of(account, params["ContactListName"]).name]
    return {}


def list_all(account: Account, params: Params, caller: Caller) -> Params:
    chosen, more = page("lists", account.contact_lists.values(), lambda one: one.name, params, most=1000)
    shown = [{"ContactListName": one.name, "LastUpdatedTimestamp": one.updated} for one in chosen]
    return {"ContactLists": shown, **more}


def list_of(account: Account, name: str) -> ContactList:
    found = account.contact_lists.get(name)
    if found is None:
        raise not_found(f"List with name: {name} doesn't exist.")
    return found


def _topics(given: list[Params]) -> dict[str, Topic]:
    if len(given) > MOST_TOPICS:
        raise bad_request(f"A list has at most {MOST_TOPICS} topics.")
    topics: dict[str, Topic] = {}
    for one in given:
        name: str = one["TopicName"]
        if not _NAME.fullmatch(name):
            raise bad_request(
                f"Invalid topic name <{name}>: letters, digits, '_' and '-' are allowed, 1 to 64 of them."
            )
        if name in topics:
            raise bad_request(f"The topic {name} is given twice.")
        topics[name] = Topic(
            name, one["DisplayName"], one.get("Description"), one["DefaultSubscriptionStatus"]
        )
    return topics


def _topic_shown(topic: Topic) -> Params:
    shown = {
        "TopicName": topic.name,
        "DisplayName": topic.display_name,
        "DefaultSubscriptionStatus": topic.default,
    }
    return shown if topic.description is None else {**shown, "Description": topic.description}


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "CreateContactList": create,
    "GetContactList": get,
    "UpdateContactList": update,
    "DeleteContactList": delete,
    "ListContactLists": list_all,
}
