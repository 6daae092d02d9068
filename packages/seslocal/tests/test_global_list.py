"""The global suppression list: addresses that bounced for any customer, for some days. It applies where no own list does."""

from __future__ import annotations

from seslocal.state.global_suppression import DAY, GlobalSuppressionList
from seslocal_fixtures.world import World


def test_an_entry_lives_twice_as_long_each_time_up_to_fourteen_days() -> None:
    found = GlobalSuppressionList()
    lives = [found.bounced("a", 0.0).until / DAY for _ in range(6)]
    assert lives == [1, 2, 4, 8, 14, 14]
    assert found.holds("a", 14 * DAY - 1)
    assert not found.holds("a", 14 * DAY)
    assert found.bounced("a", 20 * DAY).until == 34 * DAY  # earlier bounces still count


def bounce(world: World) -> None:
    world.mailbox("kim@example.com", "bounces")
    world.send("kim@example.com")
    assert world.events(2)[1]["bounce"]["bounceSubType"] == "General"
    world.mailbox("kim@example.com", "delivers")


def test_the_global_list_applies_where_bounces_are_not_among_the_reasons(world: World) -> None:
    world.ready(reasons=[])
    bounce(world)
    world.send("Kim@example.com")
    assert world.events(2)[1]["bounce"]["bounceSubType"] == "Suppressed"
    world.admin("PUT", "/clock", {"advance": DAY})
    world.send("kim@example.com")
    assert world.kinds(2) == ["Send", "Delivery"]


def test_with_the_accounts_list_on_an_address_on_the_global_list_is_tried(world: World) -> None:
    world.ready(scope="ACCOUNT")
    world.admin("PUT", "/global-list/kim@example.com")
    world.send("kim@example.com")
    assert world.kinds(2) == ["Send", "Delivery"]


def test_the_global_list_can_be_read_set_and_switched_off(world: World) -> None:
    world.ready(reasons=[])
    world.admin("PUT", "/clock", {"frozen": True})
    until = world.admin("PUT", "/global-list/Kim@example.com", {"seconds": 60})["until"]
    shown = world.admin("GET", "/global-list")["addresses"]
    assert shown == [{"address": "kim@example.com", "until": until, "bounces": 1}]
    world.admin("PUT", "/account", {"behaviour": {"global_list": False}})
    world.send("kim@example.com")
    world.admin("PUT", "/clock", {"advance": 1})
    assert world.kinds(2) == ["Send", "Delivery"]
    world.admin("DELETE", "/global-list/kim@example.com")
    world.admin("DELETE", "/global-list/kim@example.com", expect=404)


def test_the_simulator_is_never_on_the_global_list(world: World) -> None:
    world.ready()
    world.send("bounce@simulator.amazonses.com")
    world.kinds(2)
    assert world.admin("GET", "/global-list")["addresses"] == []
