"""Contacts of a contact list and their topic preferences. Changes made through these operations publish no event; changes
that recipients make are in `mail/list_management.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.errors import ApiError, already_exists, bad_request, not_found
from seslocal.mail.address import bare_address
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.contacts import Contact, ContactList
from seslocal.wire.paging import page
from seslocal.wire.params import Params


def create(account: Account, params: Params, caller: Caller) -> Params:
    address = _address(params["EmailAddress"])
    found = account.contact_lists.find(params["ContactListName"])
    found.checked_preferences(params.get("TopicPreferences", []))
    if address.lower() in found.contacts:
        raise already_exists(f"{address} already exists in List.")
    found.put(address, params, account.clock.now())
    return {}


def get(account: Account, params: Params, caller: Caller) -> Params:
    found, contact = _list_and_contact(account, params)
    shown: Params = {
        "ContactListName": found.name,
        "CreatedTimestamp": contact.created,
        **_shown(found, contact),
    }
    return shown if contact.attributes is None else {**shown, "AttributesData": contact.attributes}


def update(account: Account, params: Params, caller: Caller) -> Params:
    """In live tests SES kept preferences that a call does not name, although its model says otherwise, and cleared other
    members that are left out."""
    _address(params["EmailAddress"])
    found = account.contact_lists.find(params["ContactListName"])
    topics = found.checked_preferences(params.get("TopicPreferences", []))
    contact = contact_of(found, params["EmailAddress"])
    contact.topics = {**contact.topics, **topics} if account.behaviour.merge_topic_preferences else topics
    contact.unsubscribed_all = params.get("UnsubscribeAll", False)
    contact.attributes = params.get("AttributesData")
    contact.updated = account.clock.now()
    return {}


def delete(account: Account, params: Params, caller: Caller) -> Params:
    found, contact = _list_and_contact(account, params)
    del found.contacts[contact.address.lower()]
    return {}


def list_all(account: Account, params: Params, caller: Caller) -> Params:
    found = account.contact_lists.find(params["ContactListName"])
    fits = _filter(found, params.get("Filter", {}))
    chosen, more = page(
        "contacts", filter(fits, found.contacts.values()), lambda c: c.address, params, most=1000
    )
    return {"Contacts": [_shown(found, contact) for contact in chosen], **more}


def contact_of(found: ContactList, address: str) -> Contact:
    contact = found.contacts.get(address.lower())
    if contact is None:
        raise not_found(f"{address} doesn't exist in List.")
    return contact


def _list_and_contact(account: Account, params: Params) -> tuple[ContactList, Contact]:
    address = _address(params["EmailAddress"])
    found = account.contact_lists.find(params["ContactListName"])
    return found, contact_of(found, address)


def _address(text: str) -> str:
    if not text.strip():
        raise bad_request("EmailAddress can't be blank.")
    try:
        return bare_address(text)
    except ApiError:
        raise bad_request(f"EmailAddress <{text}> is invalid") from None


def _filter(found: ContactList, given: Params) -> Callable[[Contact], bool]:
    """Filters by topic, or without one by UnsubscribeAll."""
    status: str | None = given.get("FilteredStatus")
    chosen: Params = given.get("TopicFilter", {})
    topic: str | None = chosen.get("TopicName")
    by_default: bool = chosen.get("UseDefaultIfPreferenceUnavailable", False)
    if topic is not None and topic not in found.topics:
        raise found.no_topic(topic)

    def fits(contact: Contact) -> bool:
        if status is None:
            return True
        if topic is None:
            return ("OPT_OUT" if contact.unsubscribed_all else "OPT_IN") == status
        own = contact.topics.get(topic) or (found.topics[topic].default if by_default else None)
        return own == status

    return fits


def _shown(found: ContactList, contact: Contact) -> Params:
    defaults = {name: status for name, status in found.defaults().items() if name not in contact.topics}
    return {
        "EmailAddress": contact.address,
        "TopicPreferences": _statuses(contact.topics),
        "TopicDefaultPreferences": _statuses(defaults),
        "UnsubscribeAll": contact.unsubscribed_all,
        "LastUpdatedTimestamp": contact.updated,
    }


def _statuses(topics: dict[str, str]) -> list[Params]:
    return [{"TopicName": name, "SubscriptionStatus": status} for name, status in topics.items()]


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "CreateContact": create,
    "GetContact": get,
    "UpdateContact": update,
    "DeleteContact": delete,
    "ListContacts": list_all,
}
