"""Contact lists and their topics. An account has one list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.errors import bad_request
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.contacts import ContactList, Topic, checked_name
from seslocal.tagging import tags_in, tags_out
from seslocal.wire.paging import page
from seslocal.wire.params import Params

MOST_LISTS: Final = 1
MOST_TOPICS: Final = 20
MOST_DISPLAYED: Final = 128  # characters of a topic's DisplayName
MOST_DESCRIBED: Final = 500  # characters of a list's Description


def create(account: Account, params: Params, caller: Caller) -> Params:
    """For a name that exists, the limit of one list is reported first."""
    name = checked_name("ContactListName", params["ContactListName"])
    topics, description = _topics(params.get("Topics", [])), _description(params)
    if len(account.contact_lists) >= MOST_LISTS:
        raise bad_request(f"A maximum of {MOST_LISTS} Lists allowed per account.")
    now = account.clock.now()
    account.contact_lists[name] = ContactList(
        name=name,
        arn=account.arn(f"contact-list/{name}"),
        description=description,
        topics=topics,
        tags=tags_in(params.get("Tags", [])),
        created=now,
        updated=now,
    )
    return {}


def get(account: Account, params: Params, caller: Caller) -> Params:
    found = account.contact_lists.find(params["ContactListName"])
    shown: Params = {
        "ContactListName": found.name,
        "Topics": [_topic_shown(topic) for topic in found.topics.values()],
        "CreatedTimestamp": found.created,
        "LastUpdatedTimestamp": found.updated,
        "Tags": tags_out(found.tags),
    }
    return shown if found.description is None else {**shown, "Description": found.description}


def update(account: Account, params: Params, caller: Caller) -> Params:
    """Replaces topics and description. Preferences for removed topics are deleted."""
    checked_name("ContactListName", params["ContactListName"])
    topics, description = _topics(params.get("Topics", [])), _description(params)
    found = account.contact_lists.find(params["ContactListName"])
    for contact in found.contacts.values():
        contact.topics = {name: status for name, status in contact.topics.items() if name in topics}
    found.topics, found.description = topics, description
    found.updated = account.clock.now()
    return {}


def delete(account: Account, params: Params, caller: Caller) -> Params:
    del account.contact_lists[account.contact_lists.find(params["ContactListName"]).name]
    return {}


def list_all(account: Account, params: Params, caller: Caller) -> Params:
    chosen, more = page("lists", account.contact_lists.values(), lambda one: one.name, params, most=1000)
    shown = [{"ContactListName": one.name, "LastUpdatedTimestamp": one.updated} for one in chosen]
    return {"ContactLists": shown, **more}


def _topics(given: list[Params]) -> dict[str, Topic]:
    if len(given) > MOST_TOPICS:
        raise bad_request(f"Maximum of <{MOST_TOPICS}> topics allowed per ContactList")
    topics: dict[str, Topic] = {}
    for one in given:
        name = checked_name("TopicName", one["TopicName"])
        if len(one["DisplayName"]) > MOST_DISPLAYED:
            raise bad_request(f"Topic DisplayName can contain up to <{MOST_DISPLAYED}> characters.")
        if name in topics:
            raise bad_request("Duplicate topic names are not allowed within a List.")
        topics[name] = Topic(
            name, one["DisplayName"], one.get("Description"), one["DefaultSubscriptionStatus"]
        )
    return topics


def _description(params: Params) -> str | None:
    found: str | None = params.get("Description")
    if found is not None and len(found) > MOST_DESCRIBED:
        raise bad_request(f"List description can contain up to {MOST_DESCRIBED} characters.")
    return found


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
