"""Contact lists: one per account, with topics and the preferences of contacts."""

from __future__ import annotations

from typing import Any

import pytest

from seslocal_fixtures.contacts import KIM, TOPICS, prefers
from seslocal_fixtures.world import World


@pytest.fixture
def listed(world: World) -> World:
    world.ses.create_contact_list(
        ContactListName="people", Topics=TOPICS, Description="All", Tags=[{"Key": "k", "Value": "v"}]
    )
    return world


def test_a_contact_list_is_created_read_updated_and_deleted(listed: World) -> None:
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
    assert refused == (400, "BadRequestException", "A maximum of 1 Lists allowed per account.")


NAME = "can contain up to 64 characters. Only alphanumeric characters, underscores(_) and hyphens(-) are allowed."


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ContactListName": "no spaces"}, f"ContactListName {NAME}"),
        ({"ContactListName": " "}, "ContactListName can't be blank."),
        ({"Topics": [TOPICS[0]] * 2}, "Duplicate topic names are not allowed within a List."),
        ({"Topics": [{**TOPICS[0], "TopicName": "a b"}]}, f"TopicName {NAME}"),
        (
            {"Topics": [{**TOPICS[0], "DisplayName": "x" * 129}]},
            "Topic DisplayName can contain up to <128> characters.",
        ),
        (
            {"Topics": [{**TOPICS[0], "TopicName": f"t{n}"} for n in range(21)]},
            "Maximum of <20> topics allowed per ContactList",
        ),
        ({"Description": "x" * 501}, "List description can contain up to 500 characters."),
    ],
)
def test_an_invalid_contact_list_is_refused(world: World, more: dict[str, Any], message: str) -> None:
    refused = world.refused(world.ses.create_contact_list, **{"ContactListName": "people", **more})
    assert refused == (400, "BadRequestException", message)


def test_a_contact_shows_its_preferences_and_the_defaults(listed: World) -> None:
    listed.ses.create_contact(**KIM, TopicPreferences=prefers("news", "OPT_OUT"), AttributesData='{"n": 1}')
    found = listed.ses.get_contact(**KIM)
    assert found["TopicPreferences"] == prefers("news", "OPT_OUT")
    assert found["TopicDefaultPreferences"] == prefers("offers", "OPT_OUT")
    assert (found["UnsubscribeAll"], found["AttributesData"]) == (False, '{"n": 1}')


def test_an_update_keeps_the_preferences_it_does_not_name_and_clears_the_rest(listed: World) -> None:
    listed.ses.create_contact(
        **KIM, TopicPreferences=prefers("news", "OPT_OUT"), UnsubscribeAll=True, AttributesData="a"
    )
    listed.ses.update_contact(**KIM, TopicPreferences=prefers("offers", "OPT_IN"))
    found = listed.ses.get_contact(**KIM)
    assert found["TopicPreferences"] == prefers("news", "OPT_OUT") + prefers("offers", "OPT_IN")
    assert found["UnsubscribeAll"] is False
    assert "AttributesData" not in found


def test_an_update_clears_all_preferences_when_switched(listed: World) -> None:
    listed.admin("PUT", "/account", {"behaviour": {"merge_topic_preferences": False}})
    listed.ses.create_contact(**KIM, TopicPreferences=prefers("news", "OPT_OUT"))
    listed.ses.update_contact(**KIM, TopicPreferences=prefers("offers", "OPT_IN"))
    assert listed.ses.get_contact(**KIM)["TopicPreferences"] == prefers("offers", "OPT_IN")


def test_an_update_sets_its_members_and_the_time(listed: World) -> None:
    listed.ses.create_contact(**KIM, TopicPreferences=prefers("news", "OPT_OUT"), AttributesData="a")
    listed.admin("PUT", "/clock", {"advance": 60})
    listed.ses.update_contact(**KIM, UnsubscribeAll=True, AttributesData="b")
    found = listed.ses.get_contact(**KIM)
    assert (found["UnsubscribeAll"], found["AttributesData"]) == (True, "b")
    assert (found["LastUpdatedTimestamp"] - found["CreatedTimestamp"]).total_seconds() >= 60


def addresses(world: World, **given: Any) -> list[str]:
    return [
        one["EmailAddress"] for one in world.ses.list_contacts(ContactListName="people", **given)["Contacts"]
    ]


def test_contacts_are_filtered_by_preferences(listed: World) -> None:
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
        ("create_contact", {**KIM, "EmailAddress": "x"}, (*BAD, "EmailAddress <x> is invalid")),
        (
            "update_contact",
            {**KIM, "TopicPreferences": prefers("no", "OPT_IN")},
            (*BAD, "List: people doesn't contain Topic: no"),
        ),
        (
            "list_contacts",
            {"ContactListName": "people", "Filter": {"TopicFilter": {"TopicName": "no"}}},
            (*BAD, "List: people doesn't contain Topic: no"),
        ),
    ],
)
def test_missing_resources_are_not_found(
    listed: World, call: str, given: dict[str, Any], refusal: Any
) -> None:
    listed.ses.create_contact(**KIM)
    assert listed.refused(getattr(listed.ses, call), **given) == refusal
