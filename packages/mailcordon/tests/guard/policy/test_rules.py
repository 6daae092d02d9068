"""Limits from policies, caps of new senders, tiers from facts, suggested caps, differences and the forecast of the quota."""

from dataclasses import replace
from typing import Any

import pytest

from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.policy import (
    check,
    difference,
    document,
    forecast,
    layers,
    limits,
    new_sender,
    suggest,
    tiers,
)
from mailcordon.guard.policy.effective import Explained, NewSenderPolicy
from mailcordon.guard.policy.forecast import Usage
from mailcordon.guard.policy.limits import LaneOf
from mailcordon.guard.policy.new_sender import Record
from mailcordon.guard.policy.tiers import Facts


def explained(data: dict[str, Any], type: str, class_: Class = Class.MARKETING) -> Explained:
    return layers.effective(document.parse(data), 1, "acme", type, class_)


# Limits ------------------------------------------------------------------------------------------------------------------

CAPPED: dict[str, Any] = {
    "tenants": {
        "acme": {
            "because": "asked for",
            "caps": {
                "tenant": {"day": 900},
                "key": {"hour": 80},
                "lane": {"day": {"mails": 500, "mode": "enforce"}},
                "class": {"day": 700},
                "provider": {"gmail": {"hour": {"mails": 90, "refuses": True}}},
            },
        }
    }
}


def of_acme() -> list[Limit]:
    lanes = [
        LaneOf(lane=4, class_=Class.MARKETING, explained=explained(CAPPED, "newsletter")),
        LaneOf(lane=5, class_=Class.MARKETING, explained=explained(CAPPED, "offers")),
        LaneOf(lane=6, class_=Class.URGENT, explained=explained(CAPPED, "login-code", Class.URGENT)),
    ]
    return limits.of_caps(9, lanes, keys=(1, 2))


def test_caps_become_one_limit_for_all_whose_mail_they_count_together() -> None:
    found = {
        (one.scope, one.class_, one.lane, one.api_key, one.provider, one.per): one.cap for one in of_acme()
    }
    assert found == {
        (LimitScope.TENANT, None, None, None, None, Per.DAY): 900,
        (LimitScope.KEY, None, None, 1, None, Per.HOUR): 80,
        (LimitScope.KEY, None, None, 2, None, Per.HOUR): 80,
        (LimitScope.CLASS, Class.MARKETING, None, None, None, Per.DAY): 700,
        (LimitScope.CLASS, Class.URGENT, None, None, None, Per.DAY): 700,
        **{(LimitScope.LANE, None, lane, None, None, Per.DAY): 500 for lane in (4, 5, 6)},
        **{(LimitScope.PROVIDER, None, lane, None, Provider.GMAIL, Per.HOUR): 90 for lane in (4, 5, 6)},
        (LimitScope.RECIPIENT, None, 6, None, None, Per.HOUR): 5,
    }


def test_a_limit_keeps_the_caps_mode_and_reason_and_spares_urgent_mail_where_lanes_share_it() -> None:
    found = {(one.scope, one.lane): one for one in of_acme()}
    assert found[LimitScope.LANE, 4].mode is Mode.ENFORCE
    assert found[LimitScope.TENANT, None].mode is Mode.SHADOW
    assert found[LimitScope.TENANT, None].spares_urgent
    assert not found[LimitScope.LANE, 6].spares_urgent
    assert found[LimitScope.PROVIDER, 4].refuses
    assert found[LimitScope.LANE, 4].because == "tenant acme: asked for"
    assert {one.owner for one in of_acme()} == {"policy"}


# New senders -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "mails"),
    [
        (Record(), 200),
        (Record(age_days=1, active_days=1, busiest=200), 300),
        (Record(age_days=2, active_days=2, busiest=301), 451),
        (Record(age_days=1, active_days=1, busiest=100), 200),
        (Record(age_days=29, active_days=29, busiest=9000), 13_500),
        (Record(age_days=90, active_days=6, busiest=3), 200),  # it slept: it is as new as on its first day
    ],
)
def test_a_new_lane_grows_by_half_of_what_it_really_sent(record: Record, mails: int) -> None:
    found = new_sender.cap(NewSenderPolicy(first=200, growth=1.5), record)
    assert found is not None
    assert found.mails == mails


def test_a_lane_is_not_new_after_30_days_of_which_it_sent_on_seven() -> None:
    old = Record(age_days=30, active_days=7, busiest=10)
    assert new_sender.cap(NewSenderPolicy(first=200), old) is None


# Tiers -------------------------------------------------------------------------------------------------------------------

NEWS = tiers.Type(name="newsletter", class_=Class.MARKETING, criticality=2)
CODES = tiers.Type(name="login-code", class_=Class.URGENT, criticality=5)


@pytest.mark.parametrize(
    ("facts", "tier"),
    [
        (Facts(age_days=400, list_source="bought", payment="invoice", types=(NEWS,)), "strict"),
        (Facts(age_days=400, list_source="bought", payment="invoice", types=(CODES,)), "strict"),
        (Facts(age_days=3, types=(NEWS,)), "strict"),
        (Facts(age_days=3, types=(CODES,)), "standard"),
        (Facts(age_days=3, types=(CODES, NEWS)), "strict"),
        (Facts(age_days=3, payment="trial", sign_up_source="web", types=(NEWS,)), "strict"),
        (Facts(age_days=3, payment="card", planned_per_day=20_000, types=(NEWS,)), "strict"),
        (Facts(age_days=3, payment="invoice", planned_per_day=20_000, types=(NEWS,)), "standard"),
        (Facts(age_days=400, payment="card", list_source="own-signups", types=(NEWS,)), "standard"),
        (Facts(age_days=400, payment="invoice", list_source="imported", types=(NEWS,)), "standard"),
        (Facts(age_days=400, payment="invoice", list_source="customers", types=(NEWS,)), "trusted"),
        (Facts(age_days=400, payment="invoice", types=(CODES,)), "trusted"),
        (Facts(age_days=400, payment="invoice", types=(NEWS,)), "standard"),
    ],
)
def test_facts_suggest_a_tier_with_a_reason(facts: Facts, tier: str) -> None:
    found = tiers.suggest(facts)
    assert found.tier == tier
    assert all(found.because)
    assert found.because


# Suggested caps ----------------------------------------------------------------------------------------------------------


def throughput(criticality: int = 2, days: int = 20, *, peak: int | None = None) -> suggest.Throughput:
    sent = dict.fromkeys(range(days), 1000) | ({} if peak is None else {100: peak})
    return suggest.Throughput(
        tenant="acme",
        type="newsletter",
        class_=Class.MARKETING,
        criticality=criticality,
        days=sent,
        hours={day * 24 + hour: mails // 4 for day, mails in sent.items() for hour in range(4)},
    )


def test_a_cap_is_twice_a_busy_day_and_says_what_it_would_have_held() -> None:
    day, _ = suggest.suggest(throughput(peak=5000)).caps
    assert (day.path, day.mails, day.mode) == ("caps.lane.day", 2000, Mode.SHADOW)
    assert (day.held, day.windows) == (3000, 1)
    assert day.effect == "would have held 3,000 mails in 1 day"


def test_a_lane_whose_day_is_one_hour_gets_no_cap_of_an_hour_that_could_never_be_reached() -> None:
    day = dict.fromkeys(range(10), 1000)
    found = suggest.suggest(replace(throughput(), days=day, hours={24 * day + 9: 1000 for day in range(10)}))
    assert [cap.path for cap in found.caps] == ["caps.lane.day"]
    check.check(document.parse(suggest.document([found])))


def test_a_critical_type_has_more_room() -> None:
    day, hour = suggest.suggest(throughput(criticality=5)).caps
    assert (day.mails, hour.mails) == (4000, 1500)


def test_nothing_is_suggested_from_a_few_days() -> None:
    found = suggest.suggest(throughput(days=6))
    assert found.caps == ()
    assert found.because


def test_what_is_suggested_is_a_document_that_can_be_set() -> None:
    made = suggest.document([suggest.suggest(throughput(criticality=4)), suggest.suggest(throughput(days=6))])
    found = explained(made, "newsletter")
    assert found.values["caps.lane.day"].origin == "lane acme/newsletter"
    assert {cap.mails for cap in found.policy.caps} == {3000, 1200}


def test_suggested_caps_are_added_to_the_document_in_force_and_replace_nothing_that_somebody_wrote() -> None:
    base: dict[str, Any] = {
        "default_tier": "strict",
        "tenants": {
            "zen": "trusted",
            "acme": {"tier": "strict", "types": {"newsletter": {"caps": {"lane": {"day": 700}}}}},
        },
    }
    made = suggest.document([suggest.suggest(throughput(days=20))], base)
    assert made["default_tier"] == "strict"
    assert made["tenants"]["zen"] == {"tier": "trusted"}
    assert made["tenants"]["acme"]["tier"] == "strict"
    assert made["tenants"]["acme"]["types"]["newsletter"]["caps"]["lane"] == {"day": 700}
    del base["tenants"]["acme"]["types"]["newsletter"]["caps"]
    made = suggest.document([suggest.suggest(throughput(days=20))], base)
    assert made["tenants"]["acme"]["types"]["newsletter"]["caps"]["lane"]["day"]["mails"] == 2000
    check.check(document.parse(made))
    assert base["tenants"]["acme"] == {
        "tier": "strict",
        "types": {"newsletter": {}},
    }


# Differences -------------------------------------------------------------------------------------------------------------


def test_a_difference_names_each_value_once_with_its_lanes() -> None:
    types = ("a-news", "b-news", "c-news", "d-news")
    after: dict[str, Any] = {
        "tenants": {"acme": {"tier": "strict", "because": "bounced", "caps": {"lane": {"day": 700}}}}
    }
    pairs = [(explained({}, type), explained(after, type)) for type in types]
    found = {one.path: one for one in difference.changes(pairs)}
    assert found["tier"].sentence == (
        "tier: standard -> strict for acme/a-news, acme/b-news, acme/c-news and 1 other lane (tenant acme: bounced)"
    )
    cap = found["caps.lane.day"]
    assert (cap.was, cap.now, cap.number, cap.mode) == ("none", "700 (shadow)", 4, Mode.SHADOW)
    assert len(difference.changed(pairs)) == 4
    assert difference.changes([(one, one) for one, _ in pairs]) == []


def test_another_reason_alone_changes_the_rows_and_no_value() -> None:
    def written(why: str) -> Explained:
        return explained({"tenants": {"acme": {"because": why, "caps": {"lane": {"day": 700}}}}}, "news")

    pairs = [(written("a"), written("b"))]
    assert difference.changes(pairs) == []
    assert len(difference.changed(pairs)) == 1


# The quota ---------------------------------------------------------------------------------------------------------------


def test_at_an_even_pace_what_comes_back_is_what_is_used() -> None:
    assert forecast.ends_in_minutes(Usage(quota=50_000, used=24_000, hours=[1000] * 24, pace=1000)) is None


def test_a_burst_ends_the_quota_at_its_pace() -> None:
    usage = Usage(quota=50_000, used=20_000, hours=[0] * 14 + [2000] * 10, pace=10_000)
    assert forecast.ends_in_minutes(usage) == 180


def test_what_comes_back_is_counted() -> None:
    usage = Usage(quota=50_000, used=44_000, hours=[4000] * 11 + [0] * 13, pace=7000)
    assert forecast.ends_in_minutes(usage) == 120


def test_a_quota_that_is_used_up_has_ended_and_an_unlimited_one_never_does() -> None:
    assert forecast.ends_in_minutes(Usage(quota=200, used=200, hours=[], pace=1)) == 0
    assert forecast.ends_in_minutes(Usage(quota=-1, used=200, hours=[], pace=1e9)) is None
    assert forecast.ends_in_minutes(Usage(quota=200, used=20, hours=[], pace=0)) is None


def test_the_minute_in_which_the_quota_ends_is_exact() -> None:
    found = forecast.of(Usage(quota=50_000, used=40_000, hours=[0] * 24, pace=40_000), 1_795_879_380_000)
    assert found.ends_at == 1_795_879_380_000 + 15 * 60_000
    assert found.sentence == "At this pace (40,000 mails an hour) the quota ends at 15:38 UTC."
