"""Which changes apply by themselves, and which plans are too big. Pure."""

from mailcordon.control import approval
from mailcordon.control.approval import Act, Wish
from mailcordon.control.desired import Json, Kind, Resource
from mailcordon.control.plan import Change

SET = Resource(Kind.CONFIGURATION_SET, "mc-urgent", {"max_delivery_seconds": 900})


def judged(action: str, *, allowed: frozenset[str] = frozenset(), later: frozenset[str] = frozenset()) -> Act:
    return approval.judge(Change(SET, action, "x"), allowed=allowed, later=later, policy=lambda _: Act.APPLY)


def test_nothing_is_deleted_or_detached_without_a_plan_that_was_applied() -> None:
    for action in ("delete", "disassociate"):
        assert judged(action) is Act.PROPOSE
        assert judged(action, allowed=frozenset({f"{action} x"})) is Act.APPLY
        assert judged(action, allowed=frozenset({f"{action} y"})) is Act.PROPOSE


def test_an_approved_change_waits_while_mail_needs_the_old_state() -> None:
    assert judged("delete", later=frozenset({"delete x"})) is Act.WAIT


def test_additions_and_repairs_follow_the_policy_unless_a_plan_approves_them() -> None:
    for action in ("create", "associate", "update"):
        change = Change(SET, action)
        assert approval.judge(change, allowed=set(), later=set(), policy=lambda _: Act.PROPOSE) is Act.PROPOSE
        assert (
            approval.judge(change, allowed={action}, later=set(), policy=lambda _: Act.PROPOSE) is Act.APPLY
        )
    assert judged("update") is Act.APPLY


def wishes(kind: Kind, count: int, **want: Json) -> dict[tuple[Kind, str], Wish]:
    return {(kind, f"r{n}"): Wish(resource=Resource(kind, f"r{n}", want)) for n in range(count)}


def changed(count: int, **want: Json) -> dict[tuple[Kind, str], Wish]:
    return wishes(Kind.EVENT_DESTINATION, count, **want)


def test_a_change_that_rewires_more_than_three_and_a_tenth_is_too_big() -> None:
    before = changed(100, topic="a")
    assert approval.guard(before, changed(10, topic="b")) == []
    (found,) = approval.guard(before, changed(11, topic="b"))
    assert (found.kind, found.touched, found.existing) == (Kind.EVENT_DESTINATION, 11, 100)


def test_three_may_always_be_rewired() -> None:
    assert approval.guard(changed(3, topic="a"), changed(3, topic="b")) == []
    assert approval.guard(changed(4, topic="a"), changed(4, topic="b")) != []


def test_a_member_that_was_not_governed_before_is_no_rewiring() -> None:
    assert approval.guard(changed(50, topic="a"), changed(50, topic="a", enabled=True)) == []


def test_additions_are_no_rewiring() -> None:
    assert approval.guard({}, changed(50, topic="a")) == []
    before = wishes(Kind.ASSOCIATION, 50, resources=["identity/a"])
    assert approval.guard(before, wishes(Kind.ASSOCIATION, 50, resources=["identity/a", "identity/b"])) == []
    assert approval.guard(before, wishes(Kind.ASSOCIATION, 50, resources=["identity/b"])) != []


def test_taking_away_counts_as_much_as_rewiring() -> None:
    before = changed(50, topic="a")
    gone = {key: Wish(resource=wish.resource, wanted=False) for key, wish in list(before.items())[:6]}
    assert approval.guard(before, gone) != []
