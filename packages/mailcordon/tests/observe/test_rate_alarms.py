"""When the rate of a lane is an alarm, since when, and whose mail is named (rate_alarms.py)."""

import dataclasses
import random
from typing import Any

import pytest

from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.core.target import Target
from mailcordon.guard.delays import Signal
from mailcordon.observe import rate_alarms
from mailcordon.observe.rate_alarms import Cell, Found, LaneMail, Part, contains, exposure_at, judge, onset

from .rate_simulation import Lane

HOUR = 60
NOW = 27_000_000 - 27_000_000 % HOUR + 30  #: minutes since 1970
BOUNCES, COMPLAINTS = Signal.BOUNCES, Signal.COMPLAINTS


def part(ago: int, sent: int, bad: int, **of: Any) -> Cell:
    """Mail of an hour, `ago` hours before this one."""
    start = NOW - NOW % HOUR - ago * HOUR
    return Cell(start=start, span=HOUR, sent=sent, bounced=bad, complained=bad, **of)


def found(
    *parts: Cell, signal: Signal = BOUNCES, class_: Class = Class.MARKETING, known: tuple[Part, ...] = ()
) -> Found | None:
    whole = [dataclasses.replace(cell, campaign=None, list=None, provider=Provider.UNKNOWN) for cell in parts]
    mail = LaneMail(lane=1, class_=class_, whole=whole, parts=parts)
    return judge(mail, signal, NOW * 60_000, known=known)


def culprit(*parts: Cell, **how: Any) -> Part | None:
    one = found(*parts, **how)
    assert one is not None
    return one.part


def test_a_tenant_at_22_percent_is_found_after_a_few_dozen_mails():
    assert found(part(1, 20, 4)) is None
    assert found(part(1, 45, 10)) is not None


@pytest.mark.parametrize(("sent", "bad"), [(1, 1), (4, 4), (100, 6), (1_000, 25), (100_000, 2_400)])
def test_few_events_and_rates_up_to_the_ceiling_are_no_alarm(sent: int, bad: int):
    assert found(part(1, sent, bad)) is None


@pytest.mark.parametrize("sent", [10, 100, 10_000, 10_000_000])
def test_of_an_alarm_the_whole_interval_is_above_the_ceiling(sent: int):
    least = next(
        bad for bad in range(5, sent + 1, max(1, sent // 10_000)) if found(part(1, sent, bad)) is not None
    )
    one = found(part(1, sent, least))
    assert one is not None
    assert one.count.rate.low > 0.025


def test_the_ceiling_is_that_of_the_class_and_the_signal():
    assert found(part(1, 10_000, 320)) is not None
    assert found(part(1, 10_000, 320), class_=Class.URGENT) is None
    assert found(part(6, 10_000, 40), signal=COMPLAINTS) is not None
    assert found(part(6, 10_000, 8), signal=COMPLAINTS) is None


def test_feedback_that_is_faster_than_usual_is_not_a_high_rate():
    """All bounces of a healthy mailing within its first seconds."""
    cells = [Cell(start=NOW, span=10, sent=10_000, bounced=160, complained=5)]
    mail = LaneMail(lane=1, class_=Class.MARKETING, whole=cells, parts=())
    assert judge(mail, BOUNCES, NOW * 60_000 + 2_000) is None
    assert judge(mail, COMPLAINTS, NOW * 60_000 + 2_000) is None


def test_a_small_bad_list_in_a_large_lane_is_named():
    good = [part(ago, 20_000, 160, list="weekly") for ago in range(20)]
    bad = [part(ago, 100, 22, list="bought") for ago in range(3)]
    assert found(*good) is None
    assert culprit(*good, *bad) == Part("list", "bought")


def test_of_a_list_and_a_campaign_with_the_same_mail_the_list_is_named():
    assert culprit(part(1, 500, 100, list="bought", campaign="june", provider=Provider.GMAIL)) == Part(
        "list", "bought"
    )


def test_a_provider_is_named_if_only_its_mail_is_bad():
    cells = [part(1, 1_000, 200, provider=Provider.GMAIL), part(1, 4_000, 30, provider=Provider.YAHOO)]
    assert culprit(*cells) == Part("provider", "gmail")
    assert (
        culprit(part(1, 1_000, 200, provider=Provider.GMAIL), part(1, 50, 0, provider=Provider.YAHOO)) is None
    )
    assert (
        culprit(part(1, 1_000, 200, provider=Provider.OTHER), part(1, 4_000, 30, provider=Provider.YAHOO))
        is None
    )


def test_of_two_bad_lists_neither_is_the_culprit_alone_and_both_are_listed():
    one = found(part(1, 500, 100, list="june"), part(1, 500, 90, list="july"), part(1, 2_000, 10, list="may"))
    assert one is not None
    assert one.part is None
    assert [(share.part.value, round(share.share, 1)) for share in one.shares] == [
        ("june", 0.5),
        ("july", 0.5),
    ]


def test_the_mail_of_a_known_culprit_is_left_out_and_the_rest_is_judged():
    bought = part(1, 500, 100, list="bought")
    known = (Part("list", "bought"),)
    assert found(bought, part(1, 2_000, 10, list="may"), known=known) is None
    assert culprit(bought, part(1, 2_000, 200, list="may"), known=known) == Part("list", "may")


def test_mail_to_providers_that_report_no_complaints_is_left_out():
    silent = part(6, 100_000, 0, provider=Provider.GMAIL)
    silent = dataclasses.replace(silent, heard=0)
    assert found(silent, part(6, 3_000, 30), signal=COMPLAINTS) is not None


def test_mail_before_the_window_is_not_judged():
    assert found(part(25, 100, 50)) is None
    assert found(part(60, 1_000, 20), signal=COMPLAINTS) is not None


def test_the_onset_is_the_minute_from_which_the_excess_adds_up_to_the_most():
    def minute(ago: int, bad: int) -> Cell:
        return Cell(start=NOW - ago, span=1, sent=100, bounced=bad)

    cells = [minute(ago, 1 + ago % 2) for ago in range(20, 60)] + [minute(ago, 20) for ago in range(5, 20)]
    exposed = exposure_at(NOW * 60_000)
    assert onset(cells, BOUNCES, 0.025, exposed) == NOW - 19
    assert onset([minute(5, 1)], BOUNCES, 0.025, exposed) is None


@pytest.mark.parametrize(
    ("target", "covers"),
    [
        ({}, True),
        ({"lane": 1}, True),
        ({"list": "bought"}, True),
        ({"list": "other"}, False),
        ({"list": "bought", "provider": Provider.GMAIL}, False),
        ({"campaign": "bought"}, False),
    ],
)
def test_a_hold_contains_it_if_it_stops_all_mail_of_the_culprit(target: dict[str, Any], covers: bool):
    def hold(**of: Any) -> Hold:
        made = {"id": 1, "target": Target(tenant=1, **target), "owner": "person", "because": "x", "by": "ana"}
        return Hold(**{**made, "since": 0, **of})

    bought = Part("list", "bought")
    assert contains(hold(), bought, NOW) is covers
    assert contains(hold(), None, NOW) is (covers and not hold().narrow)
    assert not contains(hold(until=NOW), bought, NOW)
    assert not contains(hold(stops=False, rate=1.0), bought, NOW)


def test_healthy_lanes_raise_no_alarm_in_hundreds_of_years():
    """The rule of three: none in N years means at most 3/N a year, with 95 % confidence."""
    rng = random.Random(14)
    for signal, a_day, years in (
        (BOUNCES, 50, 150),
        (BOUNCES, 5_000, 2),
        (COMPLAINTS, 50, 150),
        (COMPLAINTS, 5_000, 10),
    ):
        lanes = [Lane(signal, a_day, 60) for _ in range(years * 6)]
        raised = sum(lane.alarms(rng) for lane in lanes)
        print(f"{signal}, {a_day:,} mails a day: {raised} false alarms in {years} healthy lane-years")
        assert raised == 0


def test_lanes_exactly_at_the_ceiling_raise_few_alarms():
    """They are not healthy: an alarm about one is early, not false."""
    rng = random.Random(14)
    for signal, a_day, years in ((BOUNCES, 50, 5), (BOUNCES, 1_000, 1), (COMPLAINTS, 5_000, 1)):
        lane = Lane(signal, a_day, 60, rate=rate_alarms.ceiling(signal, Class.MARKETING))
        raised = sum(lane.alarms(rng) for _ in range(years * 6))
        print(f"{signal}, {a_day:,} mails a day at the ceiling: {raised} alarms in {years} lane-years")
        assert raised <= years
