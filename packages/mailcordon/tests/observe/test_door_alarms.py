"""A cancelled subscription is an alarm until it lives again, whatever the order in which its messages came."""

import pytest

from mailcordon.observe.door_alarms import SHOWN_MS, Subscription, alarms

TOPIC = "arn:aws:sns:us-east-1:123456789012:events"
NOW = 1_795_879_380_000


def found(subscription: Subscription, *, topics: tuple[str, ...] = (TOPIC,), now: int = NOW) -> list[str]:
    return [one.key for one in alarms([subscription], topics=set(topics), cell="default", now=now)]


@pytest.mark.parametrize(
    ("confirmed", "ended", "last", "is_alarm"),
    [
        (None, None, None, False),
        (1, None, 2, False),
        (1, 3, 2, True),
        (None, 3, None, True),
        (4, 3, 2, False),
        (1, 3, 4, False),
    ],
)
def test_it_is_an_alarm_while_nothing_later_shows_that_it_lives(
    confirmed: int | None, ended: int | None, last: int | None, is_alarm: bool
) -> None:
    times = [None if one is None else NOW - 1000 + one for one in (confirmed, ended, last)]
    assert found(Subscription(TOPIC, *times)) == [f"subscription:{TOPIC}"] * is_alarm


def test_a_topic_that_is_no_setting_any_more_is_no_alarm_nor_one_of_last_week() -> None:
    ended = Subscription(TOPIC, None, NOW - 10, None)
    assert found(ended) != []
    assert found(ended, topics=()) == []
    assert found(ended, now=NOW + SHOWN_MS) == []


def test_the_alarm_says_what_whose_and_what_to_paste() -> None:
    [alarm] = alarms([Subscription(TOPIC, 1, NOW, 2)], topics={TOPIC}, cell="default", now=NOW)
    assert TOPIC in alarm.sentence
    assert alarm.command is not None
    assert alarm.command.startswith(f"aws sns subscribe --topic-arn {TOPIC} ")
    assert alarm.since == NOW
    assert alarm.tenants == frozenset()
