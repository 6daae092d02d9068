"""What becomes of incidents, round by round, without a database."""

import dataclasses
from typing import Any

from mailcordon.core.incident import Action, Alarm, Kind
from mailcordon.observe.incidents.book import Kept
from mailcordon.observe.incidents.grouping import Found
from mailcordon.observe.incidents.judge import OVERFLOW, Facts, judge
from mailcordon.observe.incidents.rules import Rules
from mailcordon_fixtures.incidents import alarm

MINUTE = 60_000
SOURCE = "test"


class Story:
    """Rounds of one second or more; `entries` of all incidents in their order."""

    def __init__(self, **rules: Any) -> None:
        self.rules = Rules(**rules)
        self.now = 10_000_000
        self.last: int | None = None
        self.kept: dict[int, Kept] = {}
        self.entries: list[tuple[int, str]] = []

    def round(self, *alarms: Alarm, after: int = 1_000, unread: bool = False) -> None:
        self.now += after
        found = [] if unread else [Found(source=SOURCE, alarm=one) for one in alarms]
        changes = judge(
            Facts(
                now=self.now,
                last=self.last,
                found=found,
                unread=frozenset([SOURCE] if unread else []),
                kept=list(self.kept.values()),
                rules=self.rules,
            )
        )
        self.last = self.now
        for change in changes:
            id = change.after.incident.id or len(self.kept) + 1
            incident = dataclasses.replace(change.after.incident, id=id)
            self.kept[id] = dataclasses.replace(change.after, incident=incident, written_at=self.now)
            self.entries += [(id, entry.what) for entry in change.entries]

    def close(self, id: int) -> None:
        """As a person does."""
        one = self.kept[id]
        closed = dataclasses.replace(one.incident, closed_at=self.now, closed_by="ann", closed_because="x")
        self.kept[id] = dataclasses.replace(one, incident=closed)

    def open(self) -> dict[str, Any]:
        return {one.incident.cause: one.incident for one in self.kept.values() if one.incident.is_open}

    def of(self, id: int) -> list[str]:
        return [what for number, what in self.entries if number == id]


def test_alarms_with_one_cause_are_one_incident_whatever_their_kind() -> None:
    story = Story()
    drift = alarm("finding:1", cause="set:mc-urgent", kind=Kind.DRIFT, severity="high")
    loss = alarm("loss:1", cause="set:mc-urgent", kind=Kind.FEEDBACK_LOST, severity="high")
    story.round(drift)
    story.round(drift, loss)
    (one,) = story.open().values()
    assert one.kind is Kind.FEEDBACK_LOST, "what is lost is worse than what differs"
    assert story.of(1) == ["opened", "joined"]


def test_alarm_that_another_cause_explains_joins_its_incident_in_either_order() -> None:
    stuck = alarm("stuck:1", cause="lane:1", explained_by=("role:dispatch",))
    silent = alarm("silent", cause="role:dispatch")
    together, first, last = Story(), Story(), Story()
    together.round(stuck, silent)
    first.round(silent)
    first.round(silent, stuck)
    last.round(stuck)
    last.round(stuck, silent)
    for story in (together, first, last):
        assert list(story.open()) == ["role:dispatch"]
        assert story.open()["role:dispatch"].alarms == 2
    assert last.of(1) == ["opened", "closed"]
    assert "part of another incident" in (last.kept[1].incident.closed_because or "")


def test_alarm_that_began_long_before_the_explanation_keeps_its_own_incident() -> None:
    story = Story()
    stuck = alarm("stuck:1", cause="lane:1", explained_by=("role:dispatch",))
    story.round(stuck)
    story.round(stuck, after=5 * MINUTE)
    story.round(stuck, alarm("silent", cause="role:dispatch"))
    assert sorted(story.open()) == ["lane:1", "role:dispatch"]


def test_explanations_are_followed_to_their_end_and_a_circle_is_one_incident() -> None:
    story = Story()
    story.round(
        alarm("a", cause="a", explained_by=("b",)),
        alarm("b", cause="b", explained_by=("c",)),
        alarm("c", cause="c"),
        alarm("x", cause="x", explained_by=("y",)),
        alarm("y", cause="y", explained_by=("x",)),
        alarm("z", cause="z", explained_by=("x", "nothing")),
    )
    assert sorted((cause, one.alarms) for cause, one in story.open().items()) == [("c", 3), ("x", 3)]


def test_what_an_ended_cause_explained_gets_an_incident_of_its_own() -> None:
    story = Story()
    stuck = alarm("stuck:1", cause="lane:1", explained_by=("role:dispatch",))
    story.round(stuck, alarm("silent", cause="role:dispatch"))
    story.round(stuck, after=MINUTE)
    assert list(story.open()) == ["role:dispatch"]
    story.round(stuck, after=10 * MINUTE)
    assert list(story.open()) == ["lane:1"]
    ended = story.kept[1].incident
    assert ended.mitigated_at == ended.cause_seen_at


def test_incident_that_a_person_closed_stays_silent_while_its_alarms_show() -> None:
    story = Story()
    story.round(alarm("a", cause="x"))
    story.close(1)
    for _ in range(3):
        story.round(alarm("a", cause="x"), alarm("b", cause="x", severity="low"), after=30 * MINUTE)
    assert story.open() == {}
    assert story.of(1) == ["opened"]


def test_alarm_of_a_closed_incident_stays_silent_when_another_cause_explains_it() -> None:
    story = Story()
    stuck = alarm("stuck:1", cause="lane:1", explained_by=("role:dispatch",))
    story.round(stuck)
    story.close(1)
    story.round(stuck, alarm("silent", cause="role:dispatch"))
    assert story.open()["role:dispatch"].alarms == 1


def test_action_is_entered_once_and_writes_nothing_more() -> None:
    story = Story()
    action = Action(key="hold:1", at=5_000, author="ann", text="holds it")
    story.round(alarm("a", actions=(action,)))
    before = dict(story.kept)
    story.round(alarm("a", actions=(action,)))
    assert story.kept == before
    assert story.of(1) == ["opened", "action"]


def test_closed_incident_opens_again_when_its_alarm_ends_and_returns() -> None:
    story = Story()
    story.round(alarm("a"))
    story.close(1)
    story.round()
    assert story.kept[1].incident.mitigated_at == story.now
    story.round(alarm("a"))
    assert story.of(1) == ["opened", "reopened"]
    assert story.open()["a"].id == 1


def test_closed_incident_opens_again_when_an_alarm_is_worse() -> None:
    for worse in (alarm("a", cause="x", severity="critical"), alarm("b", cause="x", severity="critical")):
        story = Story()
        story.round(alarm("a", cause="x"))
        story.close(1)
        story.round(alarm("a", cause="x"), worse) if worse.key == "b" else story.round(worse)
        assert story.open()["x"].severity == "critical"
        assert story.of(1) == ["opened", "reopened"]


def test_incident_worsens_once_and_does_not_get_better() -> None:
    story = Story()
    for severity in ("medium", "critical", "medium", "critical"):
        story.round(alarm("a", severity=severity))
    assert story.of(1) == ["opened", "worsened"]
    assert story.open()["a"].severity == "critical"


def test_contained_alarm_mitigates_and_harm_again_unmitigates() -> None:
    story = Story()
    story.round(alarm("a"), alarm("b", cause="a"))
    story.round(alarm("a", contained=True), alarm("b", cause="a"))
    assert story.open()["a"].mitigated_at is None, "one of two is contained"
    story.round(alarm("a", contained=True), alarm("b", cause="a", contained=True))
    assert story.open()["a"].mitigated_at == story.now
    story.round(alarm("a"))
    assert story.open()["a"].mitigated_at is None
    assert story.of(1) == ["opened", "joined", "contained", "worsened"]


def test_what_a_contained_cause_explains_is_contained_with_it() -> None:
    story = Story()
    spent = alarm("b", explained_by=("a",))
    story.round(alarm("a"), spent)
    assert story.open()["a"].mitigated_at is None
    story.round(alarm("a", contained=True), spent)
    assert story.open()["a"].mitigated_at is not None


def test_who_contained_it_is_not_whoever_placed_a_hold_before_it_began() -> None:
    story = Story()
    old = Action(key="hold:1", at=5_000, author="ann", text="an old hold")
    new = Action(key="hold:2", at=20_000, author="kim", text="a hold")
    story.round(alarm("a", since=10_000, actions=(old,)))
    story.round(alarm("a", since=10_000, actions=(old,), contained=True))
    assert story.open()["a"].mitigated_by is None
    story.round(alarm("a", since=10_000))
    story.round(alarm("a", since=10_000, actions=(old, new), contained=True))
    assert story.open()["a"].mitigated_by == "kim"


def test_alarm_that_comes_and_goes_is_told_once() -> None:
    story = Story()
    for _ in range(50):
        story.round(alarm("a"), after=5_000)
        story.round(after=5_000)
    assert story.of(1) == ["opened"]
    assert story.open()["a"].alarms == 1
    assert story.open()["a"].mitigated_at is None


def test_source_that_does_not_answer_keeps_its_alarms_as_they_were() -> None:
    story = Story()
    story.round(alarm("a"))
    for _ in range(30):
        story.round(unread=True, after=MINUTE)
    assert story.of(1) == ["opened"]
    assert list(story.kept[1].held) == ["a"]


def test_time_of_the_end_is_when_an_alarm_was_seen_last() -> None:
    story = Story()
    story.round(alarm("a", since=1))
    story.round(alarm("a", since=1))
    seen = story.now
    story.round(after=20 * MINUTE)
    one = story.kept[1].incident
    assert (one.mitigated_at, one.closed_at) == (seen, story.now)


def test_culprit_is_identified_once_and_a_new_one_is_entered() -> None:
    story = Story()
    story.round(alarm("a"))
    assert story.open()["a"].identified_at is None
    story.round(alarm("a", culprit="list bought"))
    at = story.now
    story.round(alarm("a", culprit="list rented"))
    story.round(alarm("a"))
    one = story.open()["a"]
    assert (one.identified_at, one.culprit) == (at, "list rented")
    assert story.of(1) == ["opened", "identified", "identified"]


def test_more_causes_than_can_be_listed_are_one_incident_and_come_up_as_others_close() -> None:
    story = Story(most_open=10)
    alarms = [alarm(f"a{n:02}", severity="critical" if n == 40 else "high") for n in range(50)]
    story.round(*alarms)
    assert len(story.open()) == 10
    assert "a40" in story.open(), "the worst are listed"
    assert story.open()[OVERFLOW].sentence.startswith("41 more causes")
    story.round(*alarms)
    assert len(story.open()) == 10
    rest = [one for one in alarms if one.key not in story.open()]
    story.round(*rest[:5], after=11 * MINUTE)
    story.round(*rest[:5])
    assert sorted(set(story.open()) - {OVERFLOW}) == [one.key for one in rest[:5]]


def test_figures_that_grow_are_written_every_ten_seconds() -> None:
    story = Story()
    written: set[int] = set()
    for n in range(60):
        story.round(alarm("a", sentence=f"waits for {n} s"))
        written.add(story.kept[1].written_at)
    assert 5 <= len(written) <= 8


def test_a_storm_writes_little() -> None:
    story = Story()
    storm = [alarm(f"a{n}", cause="x", tenant=n) for n in range(5_000)]
    story.round(*storm)
    assert len(story.open()["x"].concerned) <= 1_000
    before = dict(story.kept)
    story.round(*storm)
    assert story.kept == before


def test_entries_by_the_loop_are_bounded() -> None:
    story = Story()
    for n in range(2_000):
        story.round(alarm("a", culprit=f"c{n}"), alarm(f"b{n}", cause="a"))
    assert len(story.of(1)) <= story.rules.most_entries
    story.round(after=20 * MINUTE)
    assert story.of(1)[-2:] == ["mitigated", "closed"], "how it ends is always entered"


def test_what_a_cause_explains_is_never_named_as_its_culprit_or_owner() -> None:
    story = Story()
    silent = alarm("silent", cause="role:dispatch", kind=Kind.SERVICE, culprit="dispatch on mail-1")
    stuck = [
        alarm(f"stuck:{n}", cause=f"lane:{n}", explained_by=("role:dispatch",), tenant=n, culprit=f"lane {n}")
        for n in (1, 2)
    ]
    story.round(silent, *stuck)
    story.round(*stuck)
    story.round(stuck[1])
    (one,) = story.open().values()
    assert (one.culprit, one.tenant, one.concerned) == ("dispatch on mail-1", None, {1, 2})
    assert one.kind is Kind.SERVICE
    assert story.of(1).count("identified") == 1


def test_cause_without_a_culprit_takes_none_from_what_it_explains() -> None:
    story = Story()
    story.round(
        alarm("loss", cause="feedback:unknown"),
        alarm("queue", cause="queue:q", explained_by=("feedback:unknown",), culprit="the queue q"),
    )
    (one,) = story.open().values()
    assert (one.culprit, one.identified_at) == (None, None)


def test_tenant_that_an_incident_was_first_of_stays_concerned() -> None:
    story = Story()
    story.round(alarm("a", cause="x", tenant=1))
    story.round(alarm("b", cause="x", tenant=2))
    (one,) = story.open().values()
    assert (one.tenant, one.concerned) == (2, {1})
