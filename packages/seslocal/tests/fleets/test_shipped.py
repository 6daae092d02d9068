"""The scenarios that ship: each plays in a short form and shows what it is for, and their pictures are current."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import get_args
from xml.etree import ElementTree

import pytest

from seslocal.fleets import reading
from seslocal.fleets.expectations import check
from seslocal.fleets.relations import Relation, relations
from seslocal.fleets.result import STEP, Counts, Result, Row
from seslocal.fleets.scenario import Incident, moment_of
from seslocal.fleets.tenants import culprits, senders
from seslocal.world.draws import Draws
from seslocal_fixtures import worlds

NAMES = sorted(worlds.SHORT)
#: who loses at least one in 200 of the mails that would be in the inbox in time
HARMED: dict[str, tuple[Relation, ...]] = {
    "bought-list": ("shares domain", "shares pool"),
    "runaway-loop": ("shares domain", "shares pool"),
    "snowshoe": ("shares pool",),
    "stale-import": ("shares domain",),
}
#: in the last one SES pauses the account, which nobody is a stranger to
ISOLATED = [name for name in NAMES if name != "hijacked-form"]
# Tests of one scenario run one after the other (scope="module"), so that most processes play it once.
SHARERS: tuple[Relation, ...] = ("shares domain", "shares pool", "shares SES's pool")


def since(name: str) -> int:
    """The step in which the first incident starts."""
    return int(min(moment_of(one.start) for one in worlds.scenario(name).incidents) // STEP)


def counted(rows: Iterable[Row], first: int) -> Counts:
    total = Counts()
    for row in rows:
        for step, counts in row.steps.items():
            if step >= first:
                total.add(counts)
    return total


def of(result: Result, *wanted: str, first: int = 0, without: bool = False) -> Counts:
    """Returns what tenants of these relations sent, or what they send without the culprits."""
    found = relations(result.run)
    run = result.without if without else result.run
    assert run is not None
    return counted((row for row in run.rows if found[row.tenant] in wanted), first)


def test_each_has_a_short_form() -> None:
    assert reading.shipped_names() == NAMES


def test_all_incidents_ship() -> None:
    shipped = {type(incident) for name in NAMES for incident in worlds.scenario(name).incidents}
    assert {one.__name__ for one in set(get_args(Incident)) - shipped} == {"BadWeather"}


@pytest.mark.parametrize("name", NAMES, scope="module")
def test_each_says_what_it_shows_and_what_is_expected(name: str) -> None:
    found = worlds.scenario(name)
    assert found.name == name
    assert len(found.what) > 100
    assert len(found.expect) >= 3
    guilty = culprits(found)
    every = senders(found, Draws(found.seed))
    assert guilty <= {sender.name for sender in every}
    assert {sender.name for sender in every} - guilty
    # Enough mail to see something, and few enough for a run of about a minute.
    short = worlds.SHORT[name]
    assert 3_000 < worlds.short(name).run.total().wanted < 40_000
    assert short.days <= found.days


@pytest.mark.parametrize("name", NAMES, scope="module")
def test_the_culprits_do_worse_than_strangers(name: str) -> None:
    result, first = worlds.short(name), since(name)
    guilty, strangers = of(result, "culprit", first=first), of(result, "stranger", first=first)
    if name == "hijacked-form":
        assert guilty.paused > guilty.wanted / 2
        return
    assert (guilty.inbox - guilty.late) / guilty.submitted < 0.9
    assert strangers.inbox / strangers.submitted > 0.95


@pytest.mark.parametrize("name", ISOLATED, scope="module")
def test_strangers_have_the_same_bytes_with_and_without_the_culprits(name: str) -> None:
    result = worlds.short(name)
    assert result.without is not None
    strangers = {name for name, relation in relations(result.run).items() if relation == "stranger"}
    assert strangers
    assert [row for row in result.run.rows if row.tenant in strangers] == [
        row for row in result.without.rows if row.tenant in strangers
    ]


@pytest.mark.parametrize("name", HARMED, scope="module")
def test_sharers_lose_inbox(name: str) -> None:
    result, first = worlds.short(name), since(name)
    for relation in HARMED[name]:
        had = of(result, relation, first=first, without=True)
        has = of(result, relation, first=first)
        assert has.inbox - has.late < 0.995 * (had.inbox - had.late), relation


def test_who_shares_the_domain_loses_most_and_who_shares_the_pool_of_ses_hardly_anything() -> None:
    result, first = worlds.short("bought-list"), since("bought-list")
    lost = [
        1 - of(result, one, first=first).inbox / of(result, one, first=first, without=True).inbox
        for one in SHARERS
    ]
    assert lost == sorted(lost, reverse=True)
    assert lost[0] > 0.15
    assert lost[2] < 0.01


def test_new_rules_and_broken_signatures_are_nobody_elses_harm() -> None:
    for name in ("broken-dkim", "new-rule"):
        result = worlds.short(name)
        had, has = of(result, *SHARERS, without=True), of(result, *SHARERS)
        assert has.inbox > 0.999 * had.inbox, name
        assert of(result, "culprit").refused > of(result, "culprit").submitted * 0.04, name


def test_a_hijacked_form_pauses_everybody() -> None:
    result = worlds.short("hijacked-form")
    done = [action.what for action in result.run.actions if action.who == "ses"]
    assert done == ["account_probation", "account_paused"]
    strangers = of(result, "stranger", first=since("hijacked-form") + 5)
    assert strangers.paused == strangers.wanted > 0


def test_the_snowshoe_is_small_tenants() -> None:
    result = worlds.short("snowshoe")
    total = result.run.total()
    sent: dict[str, int] = {}
    for row in result.run.rows:
        sent[row.tenant] = sent.get(row.tenant, 0) + row.counts.submitted
    assert all(sent[name] < total.submitted / 50 for name in sent if name.startswith("snowshoe"))


@pytest.mark.parametrize("name", NAMES, scope="module")
def test_nobody_operates_so_something_is_missed(name: str) -> None:
    assert [one.name for one in check(worlds.scenario(name), worlds.short(name)) if one.met is False] != []


@pytest.mark.parametrize("name", NAMES, scope="module")
def test_pictures_are_current(name: str) -> None:
    assert worlds.current(name), (
        "run `./dev worlds`, look at what changed, and correct the numbers in docs/world.md"
    )
    drawn = (worlds.DIRECTORY / f"{name}.svg").read_text()
    assert len(drawn.encode()) < 150_000
    ElementTree.fromstring(drawn)
    assert (worlds.DIRECTORY / f"{name}.txt").read_text().startswith(worlds.scenario(name).title)


def test_the_page_shows_every_picture_and_no_other() -> None:
    assert {path.stem for path in worlds.DIRECTORY.iterdir()} == set(NAMES)
    page = (worlds.DIRECTORY.parent / "world.md").read_text()
    assert sorted(re.findall(r"!\[[^]]*\]\(world/([a-z-]+)\.svg\)", page)) == NAMES
