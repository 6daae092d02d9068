"""The admin API's calls on the world: making one, and reading its ground truth."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from seslocal.state.world_state import WorldState
from seslocal.world.reaction import Reaction
from seslocal.world.settings import WorldSettings
from seslocal_fixtures.world import World

START = 1_767_600_000.0
HOUR = 3600.0


@pytest.fixture
def inhabited(world: World) -> World:
    """Tenants acme and bad share the domain mail.acme.example; bad's list is bought. Time stands still."""
    world.admin("PUT", "/clock", {"at": START, "frozen": True})
    lists = [{"name": "bought", "quality": "bought"}]
    world.admin("PUT", "/world", {"seed": 3, "lists": lists})
    world.ready()
    world.tenant("bad", world.arn("identity/mail.acme.example"), world.arn("configuration-set/acme-reset"))
    return world


def send(world: World, tenant: str, recipient: str) -> str:
    return world.send(recipient, tenant=tenant)


def advance(world: World, seconds: float) -> None:
    world.admin("PUT", "/clock", {"advance": seconds})


def test_without_a_world_every_call_says_how_to_make_one(world: World) -> None:
    paths = ("", "/mails", "/mails/x", "/tables", "/opinions", "/traps", "/why/x")
    for method, path in (*(("GET", path) for path in paths), ("DELETE", ""), ("POST", "/counterfactual")):
        body = {} if method == "POST" else None
        answer = world.admin(method, f"/world{path}", body, expect=404)
        assert answer == {
            "error": "There is no world behind this account. Make one with PUT /_seslocal/world."
        }


def test_a_world_is_made_shown_replaced_and_removed(world: World) -> None:
    world.admin("PUT", "/clock", {"at": START, "frozen": True})
    made = world.admin("PUT", "/world", {"seed": 9, "quality": "stale", "start": START - 60})
    assert made == world.admin("GET", "/world")
    assert (made["settings"]["seed"], made["settings"]["quality"]) == (9, "stale")
    assert (made["start"], made["now"], made["mails"], made["kept"]) == (START - 60, START, 0, 0)
    assert world.admin("PUT", "/world", {})["settings"]["seed"] == 1
    assert world.admin("GET", "/world")["start"] == START
    assert world.admin("DELETE", "/world") == {}
    world.admin("GET", "/world", expect=404)


def test_a_reset_removes_the_world(inhabited: World) -> None:
    inhabited.admin("POST", "/reset")
    inhabited.admin("GET", "/world", expect=404)


def test_mail_under_way_is_delivered_without_the_world_that_was_removed(inhabited: World) -> None:
    send(inhabited, "bad", "bought.1@gmail.com")
    inhabited.admin("DELETE", "/world")
    advance(inhabited, HOUR)
    assert sorted(inhabited.kinds(2)) == ["Delivery", "Send"]


def test_mail_under_way_goes_on_in_a_world_that_replaces_its_own(inhabited: World) -> None:
    sent = send(inhabited, "acme", "kim.1@gmail.com")
    inhabited.admin("PUT", "/world", {"seed": 4})
    advance(inhabited, HOUR)
    (row,) = inhabited.admin("GET", "/world/tables")["rows"]
    assert (row["mails"], row["attempts"]) == (0, 1)
    inhabited.admin("GET", f"/world/mails/{sent}", expect=404)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"sead": 1}, "Unknown member sead. Known members: start, seed,"),
        ({"seed": "x"}, "These are no settings of a world: Expected `int`, got `str` - at `$.seed`."),
        ({"lists": [{"name": "a", "quality": "good"}]}, "Invalid enum value 'good' - at `$.lists[0].quality`"),
        ({"lists": [{"name": "a", "kind": "b"}]}, "unknown field `kind`"),
        ({"rules": [{"provider": "hotmail", "start": 0, "kind": "needs_dkim"}]}, "provider must be one of apple,"),
        ({"weather": [{"provider": "aol", "start": 0, "seconds": 5}]}, "not aol."),
        ({"start": "soon"}, "start must be a time before the year 9000"),
    ],
)  # fmt: skip
def test_what_is_no_world_is_refused_and_changes_nothing(inhabited: World, body: Any, error: str) -> None:
    before = inhabited.admin("GET", "/world")
    assert error in inhabited.admin("PUT", "/world", body, expect=400)["error"]
    assert inhabited.admin("GET", "/world") == before


def test_what_became_of_a_mail(inhabited: World) -> None:
    sent = send(inhabited, "acme", "kim.1@gmail.com")
    advance(inhabited, 3 * 24 * HOUR)
    (row,) = inhabited.admin("GET", "/world/mails")["mails"]
    assert (row["message_id"], row["recipient"], row["tenant"], row["provider"]) == (
        sent,
        "kim.1@gmail.com",
        "acme",
        "gmail",
    )
    assert (row["ended"], row["attempts"]) == ("inbox", 1)
    (whole,) = inhabited.admin("GET", f"/world/mails/{sent}")["recipients"]
    assert whole["envelope"]["from_domain"] == "mail.acme.example"
    assert whole["person"]["quality"] == "opted-in"
    (attempt,) = whole["attempts"]
    assert (attempt["kind"], attempt["code"], attempt["at"] - START) == (
        "inbox",
        250,
        pytest.approx(0.001, abs=1e-5),
    )
    assert attempt["said"].startswith("250 2.0.0 OK")
    assert all(one["done"] for one in whole["reactions"])


def test_a_mail_to_several_recipients_has_a_row_for_each(inhabited: World) -> None:
    sent = inhabited.send("kim.1@gmail.com", "lee.2@yahoo.com", "ann.3@outlook.com")
    advance(inhabited, HOUR)
    found = inhabited.admin("GET", f"/world/mails/{sent}")["recipients"]
    assert [one["provider"] for one in found] == ["gmail", "yahoo", "microsoft"]


def test_mails_are_listed_in_pages_and_filtered(inhabited: World) -> None:
    names = [
        send(inhabited, "bad" if index % 3 == 0 else "acme", f"kim.{index}@gmail.com") for index in range(7)
    ]
    names.append(inhabited.send("lee.1@yahoo.com", "lee.2@yahoo.com"))
    assert {row["ended"] for row in inhabited.admin("GET", "/world/mails")["mails"]} == {"under_way"}
    advance(inhabited, HOUR)
    seen: list[str] = []
    after = ""
    while True:
        page = inhabited.admin("GET", f"/world/mails?limit=2{after}")
        seen += [row["message_id"] for row in page["mails"]]
        if page["next"] is None:
            break
        assert page["next"] == page["mails"][-1]["message_id"]
        after = f"&after={page['next']}"
    assert seen == [*names, names[-1]]
    for query, count in (
        ("tenant=bad", 3),
        ("tenant=acme&provider=gmail", 4),
        ("provider=yahoo", 2),
        ("recipient=kim.2@gmail.com", 1),
        ("recipient=Kim.2@GMAIL.com", 1),
        ("ended=under_way", 0),
        ("campaign=x", 0),
        (f"after={names[5]}", 3),
    ):
        assert len(inhabited.admin("GET", f"/world/mails?{query}")["mails"]) == count, query


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/mails?tennant=x", 400, "Unknown parameter tennant."),
        ("/mails?ended=lost", 400, "ended must be one of under_way, inbox,"),
        ("/mails?limit=0", 400, "limit must be a whole number from 1 to 1,000."),
        ("/mails?after=x", 404, "The world knows no mail x:"),
        ("/mails/x", 404, "The world knows no mail x:"),
        ("/why/x", 404, "The world knows no mail x:"),
        ("/tables?by=colour", 400, "by must be one of tenant, provider, domain, pool"),
        ("/tables?color=x", 400, "Unknown parameter color."),
        ("/opinions?limit=5000", 400, "limit must be"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    inhabited: World, path: str, status: int, error: str
) -> None:
    assert error in inhabited.admin("GET", f"/world{path}", expect=status)["error"]


def test_tables(inhabited: World) -> None:
    for index in range(6):
        send(
            inhabited,
            "bad" if index % 3 == 0 else "acme",
            f"kim.{index}@{'gmail.com' if index % 2 else 'yahoo.com'}",
        )
    advance(inhabited, HOUR)
    by = inhabited.admin("GET", "/world/tables")
    assert by["by"] == ["tenant", "provider"]
    counts = {(row["tenant"], row["provider"]): row["mails"] for row in by["rows"]}
    assert counts == {("acme", "gmail"): 2, ("acme", "yahoo"): 2, ("bad", "gmail"): 1, ("bad", "yahoo"): 1}
    (row,) = inhabited.admin("GET", "/world/tables?by=pool&tenant=bad")["rows"]
    assert (row["pool"], row["mails"], row["attempts"]) == ("ses-shared-pool", 2, 2)


def test_what_providers_think(inhabited: World) -> None:
    for index in range(4):
        send(inhabited, "acme", f"kim.{index}@gmail.com")
    assert inhabited.admin("GET", "/world/opinions")["opinions"] == []
    advance(inhabited, 120.0)
    found = inhabited.admin("GET", "/world/opinions?provider=gmail")["opinions"]
    of = {one["kind"]: one for one in found}
    assert of["domain"]["name"] == "mail.acme.example"
    assert of["pool"]["name"] == "ses-shared-pool"
    assert of["domain"]["volume"] == pytest.approx(4, abs=0.01)
    assert of["domain"]["cold"] is False
    page = inhabited.admin("GET", "/world/opinions?limit=1")
    assert (len(page["opinions"]), page["next"]) == (1, 1)
    rest = inhabited.admin("GET", "/world/opinions?after=1")
    assert len(rest["opinions"]) == page["total"] - 1


def test_why_a_mail_was_refused(inhabited: World) -> None:
    names = [send(inhabited, "bad", f"bought.{index}@gmail.com") for index in range(40)]
    advance(inhabited, HOUR)
    refused = inhabited.admin("GET", "/world/mails?ended=refused")["mails"]
    assert 0 < len(refused) < 40
    row = next(row for row in refused if row["cause"] == "no_mailbox")
    assert row["message_id"] in names
    (why,) = inhabited.admin("GET", f"/world/why/{row['message_id']}")["recipients"]
    assert why["said"][0].startswith(
        "Attempt 1: gmail refused it (no mailbox), because nobody has this address."
    )
    assert why["said"][-1] == "It reached nobody."
    assert why["now"].startswith("harm ")
    (part,) = why["reputations"][0]["parts"]
    assert (why["reputations"][0]["of"], part["tenant"]) == ("domain mail.acme.example", "bad")
    assert part["sent"]["mails"] == 40


def test_who_was_trapped(inhabited: World) -> None:
    for index in range(150):
        send(inhabited, "bad", f"bought.{index}@gmail.com")
    send(inhabited, "acme", "kim.1@gmail.com")
    advance(inhabited, HOUR)
    found = inhabited.admin("GET", "/world/traps")
    assert found["hits"] == sum(row["hits"] for row in found["traps"]) > 0
    for row in found["traps"]:
        assert (row["tenant"], row["provider"], row["list"]) == ("bad", "gmail", "bought")
        assert row["who"] in ("pristine_trap", "recycled_trap")
        assert row["first"] == row["last"] == pytest.approx(START)


def test_a_complaint_is_known_once_it_is_reported(inhabited: World, monkeypatch: pytest.MonkeyPatch) -> None:
    state = inhabited.local.account.mailboxes.world
    assert state is not None
    complains = (Reaction(deed="complaint", after=600.0, reported=7200.0),)
    monkeypatch.setattr(state.world, "react", lambda *_: complains)
    send(inhabited, "acme", "kim.1@yahoo.com")
    counted: list[tuple[int, int]] = []
    for _ in range(3):
        advance(inhabited, HOUR)
        (row,) = inhabited.admin("GET", "/world/tables")["rows"]
        counted.append((row["complaints"], row["complaints_known"]))
    assert counted == [(1, 0), (1, 0), (1, 1)]
    assert sorted(inhabited.kinds(3)) == ["Complaint", "Delivery", "Send"]


class TestWhoseFault:
    """bad's bought list takes acme's domain to the spam folder."""

    @pytest.fixture
    def harmed(self, inhabited: World) -> World:
        for index in range(200):
            send(inhabited, "bad", f"bought.{index}@gmail.com")
        advance(inhabited, 2 * HOUR)
        for index in range(40):
            send(inhabited, "acme", f"kim.{index}@gmail.com")
        advance(inhabited, 24 * HOUR)
        return inhabited

    def test_what_others_lost_to_one(self, harmed: World) -> None:
        found = harmed.admin("POST", "/world/counterfactual", {"without": ["bad"]})
        assert (found["without"], found["mails"], found["differing"]) == (["bad"], 40, 0)
        (row,) = found["tenants"]
        assert row["tenant"] == "acme"
        assert row["lost"] == found["lost"] > 0
        assert row["inbox_without"] - row["inbox"] == row["lost"] - row["gained"]
        assert {"domain mail.acme.example", "pool ses-shared-pool"} <= set(row["shares"])
        assert sum(row["lost_by"].values()) == row["lost"]

    def test_to_whom_one_lost_its_mails(self, harmed: World) -> None:
        found = harmed.admin("POST", "/world/counterfactual", {"tenant": "acme"})
        assert (found["mails"], found["lost"]) == (40, 40 - found["inbox"])
        assert found["to_others"] + found["own"] == found["lost"]
        (suspect,) = found["suspects"]
        assert (suspect["tenant"], suspect["lost"]) == ("bad", found["to_others"])
        assert f"{suspect['lost']} reach it without bad" in found["said"]

    def test_as_python_objects(self, harmed: World) -> None:
        state = harmed.local.account.mailboxes.world
        assert state is not None
        now = harmed.local.account.clock.now()
        found = state.counterfactual(["bad"], now)
        assert found.lost == harmed.admin("POST", "/world/counterfactual", {"without": "bad"})["lost"]
        assert state.blame("acme", now).to_others == found.lost


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 400, "Give without (whom to leave out) or tenant (whose losses to explain), and not both."),
        ({"without": ["acme"], "tenant": "acme"}, 400, "and not both."),
        ({"without": ["nobody"]}, 404, "The tenant nobody has sent nothing into this world."),
        ({"tenant": "nobody"}, 404, "The tenant nobody has sent nothing into this world."),
        ({"without": []}, 400, "without must be a tenant's name or a list of them."),
        ({"without": ""}, 404, "The tenant  has sent nothing into this world."),
        ({"tenant": 5}, 400, "tenant must be a tenant's name."),
        ({"without": [5]}, 400, "without must be a tenant's name or a list of them."),
        ({"tenant": "acme", "suspects": 0}, 400, "suspects must be a number from 1 to 50."),
    ],
)
def test_a_wrong_counterfactual_is_refused(inhabited: World, body: Any, status: int, error: str) -> None:
    send(inhabited, "acme", "kim.1@gmail.com")
    assert error in inhabited.admin("POST", "/world/counterfactual", body, expect=status)["error"]


class TestKeys:
    def test_a_given_key_is_used(self) -> None:
        assert WorldState(WorldSettings(), 0.0).key("mine", "t", "a@x", "b@y", "hi") == "mine"

    def test_equal_mails_are_counted_apart(self) -> None:
        state = WorldState(WorldSettings(), 0.0)
        first, second = (state.key(None, "t", "a@x", "b@y", "hi") for _ in range(2))
        other = state.key(None, "t", "a@x", "b@y", "bye")
        assert len({first, second, other}) == 3
        assert WorldState(WorldSettings(), 0.0).key(None, "t", "a@x", "b@y", "hi") == first

    @pytest.mark.parametrize("changed", range(4))
    def test_each_part_counts(self, changed: int) -> None:
        state = WorldState(WorldSettings(), 0.0)
        said = ["t", "a@x", "b@y", "hi"]
        before = state.key(None, said[0], said[1], said[2], said[3]).partition(".")[0]
        said[changed] += "!"
        assert state.key(None, said[0], said[1], said[2], said[3]).partition(".")[0] != before

    def test_the_order_of_other_mails_changes_no_key(self) -> None:
        one, two = WorldState(WorldSettings(), 0.0), WorldState(WorldSettings(), 0.0)
        names = [f"kim.{index}@gmail.com" for index in range(50)]
        expected = {name: one.key(None, "t", "a@x", name, "hi") for name in names}
        assert {name: two.key(None, "t", "a@x", name, "hi") for name in reversed(names)} == expected

    def test_counts_are_kept(self) -> None:
        state = WorldState(WorldSettings(), 0.0)
        for index in range(300):
            state.key(None, "t", "a@x", f"{index % 100}@y", "hi")
        again = WorldState(WorldSettings(), 0.0)
        for name, part in state.keep():
            again.restore(name, part)
        assert dict(again.keep()) == dict(state.keep())
        assert again.key(None, "t", "a@x", "5@y", "hi").endswith(".4")

    def test_counts_are_bounded(self) -> None:
        state = WorldState(WorldSettings(), 0.0)
        for index in range(70_000):
            state.key(None, "t", "a@x", f"{index}@y", "hi")
        kept = [msgspec.msgpack.decode(part) for name, part in state.keep() if name.startswith("keys")]
        assert len(kept) == 64
        assert {len(one) for one in kept} == {1000}
