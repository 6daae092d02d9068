"""States, events, holds and classes."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core import provider
from mailcordon.core.delivery import State, fold
from mailcordon.core.event import MOVES, Kind
from mailcordon.core.hold import Hold
from mailcordon.core.priority import CLASS_DEFAULTS, Class, parse_class
from mailcordon.core.provider import Provider, parse_provider
from mailcordon.core.target import Target

MAYBE = st.none() | st.sampled_from(State)


@given(MAYBE, MAYBE, st.sampled_from(State))
def test_an_outcome_wins_over_queue_and_ledger(queue, ledger, outcome):
    assert fold(queue, ledger, outcome) is outcome


@given(MAYBE, st.sampled_from(State))
def test_the_ledger_wins_over_the_queue(queue, ledger):
    assert fold(queue, ledger, None) is ledger


def test_without_a_row_there_is_no_state():
    with pytest.raises(ValueError):
        fold(None, None, None)


def test_an_outcome_wins_over_a_ledger_row_that_says_not_sent():
    for never in (State.REFUSED, State.EXPIRED, State.CANCELLED, State.GIVEN_UP, State.REJECTED_AT_CALL):
        assert fold(None, never, State.DELIVERED) is State.DELIVERED


def best(kinds):
    """The state after these events: the one of the highest rank."""
    return max((MOVES[kind] for kind in kinds if kind in MOVES), default=(0, None))[1]


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ((Kind.SEND,), State.SENT),
        ((Kind.SEND, Kind.DELAY), State.DELAYED),
        ((Kind.SEND, Kind.DELAY, Kind.DELIVERY), State.DELIVERED),
        ((Kind.SEND, Kind.DELAY, Kind.SOFT_BOUNCE), State.SOFT_BOUNCED),
        ((Kind.SEND, Kind.DELIVERY, Kind.SOFT_BOUNCE), State.DELIVERED),
        ((Kind.SEND, Kind.DELIVERY, Kind.HARD_BOUNCE), State.BOUNCED),
        ((Kind.SEND, Kind.DELIVERY, Kind.COMPLAINT), State.COMPLAINED),
        ((Kind.SEND, Kind.DELIVERY, Kind.HARD_BOUNCE, Kind.COMPLAINT), State.COMPLAINED),
        ((Kind.SEND, Kind.SUPPRESSED), State.SUPPRESSED_AT_SES),
        ((Kind.SEND, Kind.REJECT), State.REJECTED),
        ((Kind.RENDERING_FAILURE,), State.REJECTED),
        ((Kind.SEND, Kind.DELIVERY, Kind.OPEN, Kind.CLICK), State.DELIVERED),
    ],
)
def test_the_state_does_not_depend_on_the_order_of_events(kinds, state):
    for order in permutations(kinds):
        assert best(order) is state
        assert best(order + order) is state


def test_opens_clicks_and_unknown_events_change_no_state():
    assert best((Kind.OPEN, Kind.CLICK, Kind.OTHER)) is None


def test_no_two_kinds_share_a_rank():
    ranks = [rank for rank, _ in MOVES.values()]
    assert len(set(ranks)) == len(ranks)


# HOLDS ---------------------------------------------------------------------------------------------------------------------

NOW = 1_790_000_000_000


TARGET = {"class_", "lane", "provider", "campaign", "list"}


def hold(**over):
    target = Target(tenant=1, **{name: over.pop(name) for name in TARGET & over.keys()})
    return Hold(
        **{
            "id": 1,
            "target": target,
            "owner": "person",
            "because": "bad list",
            "by": "kim",
            "since": NOW - 1,
            **over,
        }
    )


def test_a_hold_stops_what_it_names_and_nothing_else():
    one = hold(provider=Provider.GMAIL, campaign="spring", list="bought")
    assert one.stops_mail(Provider.GMAIL, "spring", "bought", NOW)
    assert not one.stops_mail(Provider.YAHOO, "spring", "bought", NOW)
    assert not one.stops_mail(Provider.GMAIL, "summer", "bought", NOW)
    assert not one.stops_mail(Provider.GMAIL, None, "bought", NOW)
    assert not one.stops_mail(Provider.GMAIL, "spring", None, NOW)


def test_a_hold_that_names_nothing_stops_everything():
    assert hold().stops_mail(Provider.GMAIL, "spring", None, NOW)
    assert not hold().narrow


def test_a_hold_on_unknown_providers_is_narrow_too():
    """OTHER is 0: it must not read as "every provider"."""
    one = hold(provider=Provider.OTHER)
    assert one.narrow
    assert one.stops_mail(Provider.OTHER, None, None, NOW)
    assert not one.stops_mail(Provider.GMAIL, None, None, NOW)


def test_a_hold_ends_at_its_time_to_the_millisecond():
    one = hold(until=NOW)
    assert one.stops_mail(0, None, None, NOW - 1)
    assert not one.stops_mail(0, None, None, NOW)


def test_a_hold_that_slows_stops_nothing():
    assert not hold(stops=False, rate=1.0).stops_mail(0, None, None, NOW)


def test_a_hold_covers_lanes_of_its_tenant_class_and_lane_only():
    assert hold().target.covers_lane(1, Class.URGENT, 7)
    assert not hold().target.covers_lane(2, Class.URGENT, 7)
    assert hold(class_=Class.URGENT).target.covers_lane(
        1, Class.URGENT, 7
    )  # URGENT is 0, and not "every class"
    assert not hold(class_=Class.URGENT).target.covers_lane(1, Class.MARKETING, 7)
    assert hold(lane=7).target.covers_lane(1, Class.MARKETING, 7)
    assert not hold(lane=7).target.covers_lane(1, Class.MARKETING, 8)


def test_a_hold_says_whose_it_is_and_why():
    assert hold(since=NOW).sentence == "Held by kim since 21 Sep 2026 14:13 UTC: bad list [hold 1]"
    one = hold(owner="ses", by="dispatch", because="SES has paused this tenant: HIGH")
    assert one.sentence.startswith("Held by SES since ")


# CLASSES AND PROVIDERS -----------------------------------------------------------------------------------------------------


def test_every_class_has_defaults():
    assert set(CLASS_DEFAULTS) == set(Class)


def test_only_marketing_is_not_resent_and_needs_one_click():
    assert [c for c in Class if not CLASS_DEFAULTS[c].resend] == [Class.MARKETING]
    assert [c for c in Class if CLASS_DEFAULTS[c].one_click] == [Class.MARKETING]


def test_a_complaint_about_marketing_does_not_suppress_urgent_mail_at_ses():
    for class_ in (Class.URGENT, Class.TRANSACTIONAL):
        assert CLASS_DEFAULTS[class_].ses_reasons == ("BOUNCE",)


def test_ses_retries_at_most_until_expiry_and_at_least_its_minimum():
    for defaults in CLASS_DEFAULTS.values():
        assert 300 <= defaults.max_delivery_seconds <= 50_400  # ses.md 6
        assert defaults.max_delivery_seconds * 1000 <= defaults.expiry_ms


def test_grace_ends_before_expiry_so_that_absence_can_still_be_proved():
    for defaults in CLASS_DEFAULTS.values():
        assert defaults.grace_ms < defaults.expiry_ms


def test_names_of_classes_and_providers_read_back():
    assert [parse_class(c.word) for c in Class] == list(Class)
    assert [parse_provider(p.word) for p in Provider] == list(Provider)


@pytest.mark.parametrize("word", ["", "bulk", "urgent ", "0"])
def test_other_words_are_not_classes(word):
    with pytest.raises(ValueError, match="must be one of urgent, transactional, marketing"):
        parse_class(word)


def test_other_words_are_not_providers():
    with pytest.raises(ValueError, match="gmail"):
        parse_provider("hotmail")


@pytest.mark.parametrize(
    ("domain", "whose"),
    [
        ("gmail.com", Provider.GMAIL),
        ("googlemail.com", Provider.GMAIL),
        ("hotmail.co.uk", Provider.MICROSOFT),
        ("aol.com", Provider.YAHOO),
        ("icloud.com", Provider.APPLE),
        ("web.de", Provider.GMX),
        ("example.com", Provider.UNKNOWN),
        ("notgmail.com", Provider.UNKNOWN),
        ("mail.gmail.com", Provider.UNKNOWN),
    ],
)
def test_a_mailbox_provider_is_known_by_its_public_domains(domain, whose):
    assert provider.of(domain) is whose
