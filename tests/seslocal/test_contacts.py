"""Contact lists: one an account, its topics, and what each contact wants."""

from __future__ import annotations

from typing import Any

import pytest

from tests.seslocal.conftest import World

TOPICS = [
    {"TopicName": "news", "DisplayName": "News", "DefaultSubscriptionStatus": "OPT_IN"},
    {
        "TopicName": "offers",
        "DisplayName": "Offers",
        "Description": "Rarely",
        "DefaultSubscriptionStatus": "OPT_OUT",
    },
]
KIM: Any = {"ContactListName": "people", "EmailAddress": "kim@example.com"}


@pytest.fixture
def listed(world: World) -> World:
    world.ses.create_contact_list(
        ContactListName="people", Topics=TOPICS, Description="All", Tags=[{"Key": "k", "Value": "v"}]
    )
    return world


def prefers(topic: str, status: str) -> list[dict[str, str]]:
    return [{"TopicName": topic, "SubscriptionStatus": status}]


def test_a_list_is_made_read_changed_and_deleted(listed: World) -> None:
    found = listed.ses.get_contact_list(ContactListName="people")
    assert (found["Topics"], found["Description"], found["Tags"]) == (
        TOPICS,
        "All",
        [{"Key": "k", "Value": "v"}],
    )
    listed.ses.create_contact(**KIM, TopicPreferences=prefers("offers", "OPT_IN"))
    listed.ses.update_contact_list(ContactListName="people", Topics=TOPICS[:1])
    found = listed.ses.get_contact_list(ContactListName="people")
    assert found["Topics"] == TOPICS[:1]
    assert "Description" not in found
    assert listed.ses.get_contact(**KIM)["TopicPreferences"] == []
    assert [one["ContactListName"] for one in listed.ses.list_contact_lists()["ContactLists"]] == ["people"]
    listed.ses.delete_contact_list(ContactListName="people")
    assert listed.ses.list_contact_lists()["ContactLists"] == []


def test_an_account_has_one_list(listed: World) -> None:
    refused = listed.refused(listed.ses.create_contact_list, ContactListName="more")
    assert refused == (400, "BadRequestException", "A maximum of 1 Lists allowed per account.")
    refused = listed.refused(listed.ses.create_contact_list, ContactListName="people")
    assert refused == (400, "AlreadyExistsException", "List with name: people already exists.")


@pytest.mark.parametrize(
    "more",
    [
        {"ContactListName": "no spaces"},
        {"Topics": [TOPICS[0]] * 2},
        {"Topics": [{**TOPICS[0], "TopicName": "a b"}]},
        {"Topics": [{**TOPICS[0], "TopicName": f"t{n}"} for n in range(21)]},
    ],
)
def test_what_cannot_be_a_list_is_refused(world: World, more: dict[str, Any]) -> None:
    refused = world.refused(world.ses.create_contact_list, **{"ContactListName": "people", **more})
    assert refused[:2] == (400, "BadRequestException")


def test_a_contact_shows_what_it_said_and_what_holds_by_default(listed: World) -> None:
    listed.ses.create_contact(**KIM, TopicPreferences=prefers("news", "OPT_OUT"), AttributesData='{"n": 1}')
    found = listed.ses.get_contact(**KIM)
    assert found["TopicPreferences"] == prefers("news", "OPT_OUT")
    assert found["TopicDefaultPreferences"] == prefers("offers", "OPT_OUT")
    assert (found["UnsubscribeAll"], found["AttributesData"]) == (False, '{"n": 1}')


def test_an_update_forgets_the_preferences_it_does_not_name_and_nothing_else(listed: World) -> None:
    listed.ses.create_contact(**KIM, TopicPreferences=prefers("news", "OPT_OUT"), AttributesData="a")
    listed.admin("PUT", "/clock", {"advance": 60})
    listed.ses.update_contact(**KIM, UnsubscribeAll=True, TopicPreferences=prefers("offers", "OPT_IN"))
    found = listed.ses.get_contact(**KIM)
    assert found["TopicPreferences"] == prefers("offers", "OPT_IN")
    assert (found["UnsubscribeAll"], found["AttributesData"]) == (True, "a")
    assert (found["LastUpdatedTimestamp"] - found["CreatedTimestamp"]).total_seconds() >= 60


def addresses(world: World, **given: Any) -> list[str]:
    return [
        one["EmailAddress"] for one in world.ses.list_contacts(ContactListName="people", **given)["Contacts"]
    ]


def test_contacts_are_listed_by_what_they_want(listed: World) -> None:
    for name, more in (
        ("a", {"TopicPreferences": prefers("offers", "OPT_IN")}),
        ("b", {"UnsubscribeAll": True}),
        ("c", {}),
    ):
        listed.ses.create_contact(ContactListName="people", EmailAddress=f"{name}@x.example", **more)
    offers = {"TopicName": "offers", "UseDefaultIfPreferenceUnavailable": True}
    assert addresses(listed) == ["a@x.example", "b@x.example", "c@x.example"]
    assert addresses(listed, Filter={"FilteredStatus": "OPT_OUT"}) == ["b@x.example"]
    assert addresses(listed, Filter={"FilteredStatus": "OPT_IN", "TopicFilter": offers}) == ["a@x.example"]
    assert addresses(listed, Filter={"FilteredStatus": "OPT_OUT", "TopicFilter": offers}) == [
        "b@x.example",
        "c@x.example",
    ]
    assert (
        addresses(listed, Filter={"FilteredStatus": "OPT_OUT", "TopicFilter": {"TopicName": "offers"}}) == []
    )
    assert addresses(listed, PageSize=2) == ["a@x.example", "b@x.example"]


STRANGER: Any = {"ContactListName": "people", "EmailAddress": "x@x.example"}
NOT_FOUND = (404, "NotFoundException")
BAD = (400, "BadRequestException")


@pytest.mark.parametrize(
    ("call", "given", "refusal"),
    [
        ("get_contact_list", {"ContactListName": "no"}, (*NOT_FOUND, "List with name: no doesn't exist.")),
        (
            "create_contact",
            {**KIM, "ContactListName": "no"},
            (*NOT_FOUND, "List with name: no doesn't exist."),
        ),
        ("get_contact", STRANGER, (*NOT_FOUND, "x@x.example doesn't exist in List.")),
        ("delete_contact", STRANGER, (*NOT_FOUND, "x@x.example doesn't exist in List.")),
        ("create_contact", KIM, (400, "AlreadyExistsException", "kim@example.com already exists in List.")),
        ("create_contact", {**KIM, "EmailAddress": "x"}, (*BAD, "Missing final '@domain'")),
        (
            "update_contact",
            {**KIM, "TopicPreferences": prefers("no", "OPT_IN")},
            (*BAD, "no doesn't exist in List."),
        ),
        (
            "list_contacts",
            {"ContactListName": "people", "Filter": {"TopicFilter": {"TopicName": "no"}}},
            (*BAD, "no doesn't exist in List."),
        ),
    ],
)
def test_what_is_not_there_says_so(listed: World, call: str, given: dict[str, Any], refusal: Any) -> None:
    listed.ses.create_contact(**KIM)
    assert listed.refused(getattr(listed.ses, call), **given) == refusal
