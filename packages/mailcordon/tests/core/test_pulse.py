"""What two looks at the database say of the time between them."""

from dataclasses import replace

from mailcordon.core.news import Topic
from mailcordon.core.pulse import Look, Pulse

LOOK = Look(
    written=900,
    is_still=True,
    audited=7,
    epochs=20,
    fold=3,
    is_trouble=False,
    silent=0,
    hold_is_over=False,
)


def news(*looks: Look | None) -> list[set[Topic]]:
    """What each look says that follows the first one. None: nothing is known for a while."""
    pulse, found = Pulse(), list[set[Topic]]()
    for look in looks:
        if look is None:
            pulse.forget()
        else:
            found.append(set(pulse.news(look)))
    return found[1:]


def wrote(count: int) -> Look:
    return replace(LOOK, written=900 + count)


def test_nothing_was_written():
    assert news(LOOK, LOOK, LOOK) == [set(), set()]


def test_at_first_and_after_a_gap_everything_may_have_changed():
    assert Pulse().news(LOOK) == set(Topic)
    assert news(LOOK, None, LOOK, LOOK) == [set(Topic), set()]


def test_a_transaction_has_written():
    assert news(LOOK, wrote(1), wrote(1), wrote(3)) == [{Topic.ANYTHING}, set(), {Topic.ANYTHING}]


def test_what_was_open_at_a_look_is_seen_by_the_next_one_too():
    """It has its number already, so the number does not change when it commits."""
    open_ = replace(wrote(1), is_still=False)
    assert news(LOOK, open_, wrote(1), wrote(1)) == [{Topic.ANYTHING}, {Topic.ANYTHING}, set()]


def test_a_report_that_is_under_way_is_no_news():
    assert news(LOOK, wrote(-1), LOOK) == [set(), set()]
    assert news(LOOK, wrote(-1), wrote(1)) == [set(), {Topic.ANYTHING}]


def test_a_report_that_failed_hides_nothing_for_long():
    assert news(LOOK, wrote(-1), wrote(-1), LOOK) == [set(), {Topic.ANYTHING}, {Topic.ANYTHING}]


def test_what_people_and_the_governor_decide():
    changes: list[dict[str, int]] = [{"audited": 8}, {"epochs": 21}, {"silent": 1}]
    for changed in changes:
        assert news(LOOK, replace(LOOK, **changed)) == [{Topic.CONTROL}]  # pyright: ignore[reportArgumentType]


def test_the_end_of_a_hold_is_news_until_it_is_lifted():
    over = replace(LOOK, hold_is_over=True)
    assert news(over, over) == [{Topic.CONTROL}]


def test_counts_are_news_for_those_who_judge_them():
    assert news(LOOK, replace(wrote(1), fold=4)) == [{Topic.ANYTHING, Topic.COUNTS}]
    bad = replace(wrote(1), fold=4, is_trouble=True)
    assert news(LOOK, bad) == [{Topic.ANYTHING, Topic.COUNTS, Topic.TROUBLE}]
