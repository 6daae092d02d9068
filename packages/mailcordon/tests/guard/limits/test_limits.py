"""Limits: windows, which limits are about which mail, and what may leave. Pure."""

import random
from collections import Counter
from typing import Any

from mailcordon.core.limit import DEFAULT_OWNER, Limit, LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.limits import rules, sentences
from mailcordon.guard.limits.admission import Judged, Mail, judge
from mailcordon.guard.limits.counts import Counts, leaves_room
from mailcordon.guard.limits.rules import NEVER, Caps, Kind, LaneRules
from mailcordon.guard.limits.sentences import LaneName
from mailcordon.guard.limits.windows import AHEAD, LENGTH_MS, LONGEST_WAIT_MS, Use

NOW = 1_800_000_030_000
PLAIN = Kind(1, None, None, None)


def limit(scope: LimitScope, cap: int = 10, per: Per = Per.HOUR, **over: Any) -> Limit:
    values: dict[str, Any] = {"id": 1, "tenant": 1, "owner": "policy", "mode": Mode.ENFORCE, "because": "x."}
    return Limit(**{**values, "scope": scope, "cap": cap, "per": per, **over})


def lane(*limits: tuple[Limit, int | None], class_: Class = Class.MARKETING) -> LaneRules:
    found = rules.of_lane(7, class_, ["news.acme.example"], limits)
    assert found is not None
    return found


# WINDOWS ----------------------------------------------------------------------------------------------------------------------


def counted(found: Judged) -> Counts:
    """What is counted if all that was admitted is taken."""
    counts = Counts()
    counts.add_judged(found, {mail.id for mail in found.admitted})
    return counts


def test_a_window_counts_until_it_ends_and_then_from_nothing() -> None:
    use = Use()
    use.add(3, NOW)
    use.add(2, NOW)
    assert [use.counted(per, NOW) for per in Per] == [5, 5, 5, 5]
    for per, length in LENGTH_MS.items():
        end = (NOW // length + 1) * length
        assert use.opens_at(per, NOW) == end
        assert use.counted(per, end - 1) == 5
        assert use.counted(per, end) == 0
    assert use.opens_at(Per.EVER, NOW) is None
    use.add(1, NOW + LENGTH_MS[Per.DAY])
    assert [use.counted(per, NOW + LENGTH_MS[Per.DAY]) for per in Per] == [1, 1, 1, 6]


def test_a_window_ahead_counts_on_and_one_far_ahead_is_brought_to_now_with_its_count() -> None:
    for per, length in LENGTH_MS.items():
        use = Use()
        use.add(4, NOW)
        back = NOW - length * AHEAD[per]
        assert use.window(per, back) == (NOW // length, 4)
        use.add(1, back)
        assert use.counted(per, NOW) == 5, "what the window had counts in it when it comes again"
        too_far = NOW - length * (AHEAD[per] + 1)
        assert use.is_far_ahead(too_far)
        assert use.window(per, too_far) == (too_far // length, 5)
        assert use.opens_at(per, too_far) == (too_far // length + 1) * length


def test_nothing_leaves_before_a_window_that_begins_within_an_hour() -> None:
    for per, length in LENGTH_MS.items():
        begins = NOW // length * length
        use = Use()
        use.add(4, NOW)
        assert (use.room(9, per, begins), use.opens_at(per, begins)) == (5, begins + length)
        assert (use.room(9, per, begins - 1), use.opens_at(per, begins - 1)) == (0, begins)
        assert use.room(9, per, begins - LONGEST_WAIT_MS) == 0
        assert use.room(9, per, begins - LONGEST_WAIT_MS - 1) == 5
        assert not use.waits(Per.EVER, begins - 1)


# RULES ------------------------------------------------------------------------------------------------------------------------


def test_a_limit_is_about_the_lanes_that_match_all_its_fields() -> None:
    about = [
        limit(LimitScope.TENANT),
        limit(LimitScope.CLASS, class_=Class.MARKETING),
        limit(LimitScope.LANE, lane=7),
        limit(LimitScope.IDENTITY, domain="news.acme.example"),
    ]
    others = [
        limit(LimitScope.CLASS, class_=Class.URGENT),
        limit(LimitScope.LANE, lane=8),
        limit(LimitScope.IDENTITY, domain="mail.acme.example"),
    ]
    found = lane(*((one, n) for n, one in enumerate([*about, *others])))
    assert [scope.use for scope in found.of(PLAIN)] == [0, 1, 2, 3]
    assert [scope.shared for scope in found.scopes] == [True, False, False, True]
    assert rules.of_lane(7, Class.MARKETING, [], [(one, 1) for one in others]) is None


def test_a_narrow_limit_is_about_the_mail_that_matches_it() -> None:
    found = lane(
        (limit(LimitScope.PROVIDER, lane=7, provider=Provider.OTHER), 1),
        (limit(LimitScope.CAMPAIGN, lane=7, campaign="may"), 2),
        (limit(LimitScope.LIST, lane=7, list="vip"), 3),
        (limit(LimitScope.KEY, api_key=9), 4),
    )
    assert found.by_key
    assert not any(bound.wide for scope in found.scopes for bound in scope.bounds)
    for kind, uses in (
        (PLAIN, []),
        (Kind(0, None, None, None), [1]),
        (Kind(1, "may", "vip", 9), [2, 3, 4]),
        (Kind(1, "june", "all", 8), []),
    ):
        assert [scope.use for scope in found.of(kind)] == uses


def test_urgent_mail_counts_in_wide_limits_and_is_held_by_its_own() -> None:
    limits = (
        (limit(LimitScope.TENANT), 1),
        (limit(LimitScope.TENANT, spares_urgent=False), 2),
        (limit(LimitScope.LANE, lane=7), 3),
        (limit(LimitScope.LANE, lane=7, mode=Mode.SHADOW), 4),
    )
    holds = [scope.bounds[0].holds for scope in lane(*limits, class_=Class.URGENT).scopes]
    assert holds == [False, True, True, False]
    assert lane(*limits).scopes[0].bounds[0].holds


def test_somebodys_limit_of_an_address_takes_the_place_of_the_built_in_one() -> None:
    built_in = limit(LimitScope.RECIPIENT, 5, lane=7, owner=DEFAULT_OWNER)
    own = limit(LimitScope.RECIPIENT, 9, Per.DAY, lane=7)
    assert [bound.limit.cap for bound in lane((built_in, None)).recipient] == [5]
    assert [bound.limit.cap for bound in lane((built_in, None), (own, None)).recipient] == [9]


# ADMISSION --------------------------------------------------------------------------------------------------------------------


def mails(
    n: int, kind: Kind = PLAIN, *, lane: int = 7, first: int = 0, hash: bytes | None = None
) -> list[Mail]:
    return [Mail(lane, first + m, kind, hash) for m in range(n)]


def test_a_claim_admits_what_all_its_limits_have_room_for_and_names_the_one_that_is_used_up() -> None:
    of_lane = lane(
        (limit(LimitScope.LANE, 8, lane=7, id=1), 1),
        (limit(LimitScope.CAMPAIGN, 3, lane=7, campaign="may", id=2), 2),
    )
    uses = {1: Use(), 2: Use()}
    uses[2].add(1, NOW)
    may = Kind(1, "may", None, None)
    found = judge([*mails(5, may), *mails(9, first=50)], {7: of_lane}, uses, {}, set(), NOW)
    assert [mail.id for mail in found.admitted] == [0, 1, *range(50, 56)]
    assert [(over.bound.limit.id, over.kind, over.bound.wide) for over in found.over] == [
        (2, may, False),
        (1, PLAIN, True),
    ]
    assert counted(found).uses == {1: 8, 2: 2}
    assert found.counted[0] == (1, 2)
    assert found.counted[50] == (1,)
    assert [use.in_hour for use in uses.values()] == [8, 3]


def test_of_two_limits_that_are_used_up_the_one_about_the_lane_or_that_opens_last_is_named() -> None:
    narrow = limit(LimitScope.CAMPAIGN, 0, Per.EVER, lane=7, campaign="may", id=1)
    hour = limit(LimitScope.LANE, 0, lane=7, id=2)
    day = limit(LimitScope.LANE, 0, Per.DAY, lane=7, id=3)
    for limits in ([narrow, hour, day], [day, narrow, hour], [hour, day, narrow]):
        of_lane = lane(*((one, one.id) for one in limits))
        found = judge(mails(1, Kind(1, "may", None, None)), {7: of_lane}, {}, {}, set(), NOW)
        assert [over.bound.limit.id for over in found.over] == [3]


def test_each_address_has_a_limit_of_its_own_and_the_exempt_have_none() -> None:
    of_lane = lane((limit(LimitScope.RECIPIENT, 5, lane=7), None), class_=Class.URGENT)
    asked = [*mails(9, hash=b"kim"), *mails(2, first=20, hash=b"lee"), *mails(9, first=40, hash=b"sim")]
    addresses = {(7, b"lee"): Use()}
    addresses[7, b"lee"].add(4, NOW)
    found = judge(asked, {7: of_lane}, {}, addresses, {b"sim"}, NOW)
    assert [mail.id for mail in found.admitted] == [0, 1, 2, 3, 4, 20, *range(40, 49)]
    assert {over.hash for over in found.over} == {b"kim", b"lee"}
    assert counted(found).addresses == {(7, b"kim"): 5, (7, b"lee"): 1}


def test_the_same_mail_to_one_address_has_a_limit_and_other_mail_to_it_does_not_wait() -> None:
    of_lane = lane(
        (limit(LimitScope.REPEAT, 3, lane=7, id=5), None),
        (limit(LimitScope.RECIPIENT, 6, lane=7, id=6), None),
    )
    asked = [Mail(7, n, PLAIN, b"kim", b"kim receipt") for n in range(5)]
    asked += [Mail(7, 10 + n, PLAIN, b"kim", b"kim invoice") for n in range(5)]
    asked += [Mail(7, 20, PLAIN, b"kim", None), Mail(7, 21, PLAIN, b"lee", b"lee receipt")]
    asked += [Mail(7, 30 + n, PLAIN, b"sim", b"sim receipt") for n in range(9)]
    found = judge(asked, {7: of_lane}, {}, {}, {b"sim"}, NOW)
    assert [mail.id for mail in found.admitted] == [0, 1, 2, 10, 11, 12, 21, *range(30, 39)]
    assert found.apart[0] == (b"kim", b"kim receipt")
    assert 30 not in found.apart, "the simulator counts nowhere"
    assert [(over.bound.limit.id, over.hash, over.repeat) for over in found.over] == [
        (5, b"kim", b"kim receipt"),
        (6, b"kim", None),
    ]
    assert counted(found).addresses[7, b"kim invoice"] == 3


def test_what_each_campaign_and_provider_gets_asks_for_limits_of_their_own_and_the_rest_counts_together() -> (
    None
):
    may = Kind(1, "may", None, None)
    of_lane = lane(
        (limit(LimitScope.EACH_CAMPAIGN, 4, lane=7), 1),
        (limit(LimitScope.EACH_CAMPAIGN, 9, Per.DAY, lane=7), 1),
        (limit(LimitScope.EACH_PROVIDER, 4, lane=7), 2),
        (limit(LimitScope.CAMPAIGN, 4, lane=7, campaign="april", owner="each"), 3),
        (limit(LimitScope.CAMPAIGN, 9, Per.DAY, lane=7, campaign="april", owner="each"), 3),
        (limit(LimitScope.CAMPAIGN, 4, lane=7, campaign="named"), 4),
        (limit(LimitScope.CAMPAIGN, 4, Per.EVER, lane=7, campaign="may", owner="release"), 5),
        (limit(LimitScope.PROVIDER, 4, lane=7, provider=Provider.YAHOO, owner="each"), 6),
    )
    assert of_lane.unmet(may) == [Kind(None, "may", None, None), Kind(1, None, None, None)]
    assert of_lane.unmet(Kind(int(Provider.YAHOO), "april", None, None)) == []
    assert of_lane.unmet(Kind(0, "named", None, None)) == [Kind(None, "named", None, None)], "not for a day"
    assert of_lane.unmet(Kind(-1, None, None, None)) == []
    for kind, uses in ((may, [1, 5]), (Kind(1, "april", None, None), [3]), (PLAIN, [])):
        assert [scope.use for scope in of_lane.of(kind)] == uses
    assert not any(bound.wide for scope in of_lane.scopes for bound in scope.bounds)
    found = judge(mails(9, may), {7: of_lane}, {}, {}, set(), NOW)
    assert [(len(found.admitted), over.kind) for over in found.over] == [(4, may)]


def test_shadow_says_how_many_it_would_have_held() -> None:
    of_lane = lane(
        (limit(LimitScope.LANE, 4, lane=7, mode=Mode.SHADOW, id=3), 1),
        (limit(LimitScope.RECIPIENT, 1, lane=7, mode=Mode.SHADOW, id=4), None),
    )
    uses = {1: Use()}
    first = judge(mails(3, hash=b"kim"), {7: of_lane}, uses, {}, set(), NOW)
    assert (len(first.admitted), first.shadow) == (3, {4: 2})
    second = judge(mails(5), {7: of_lane}, uses, {}, set(), NOW)
    assert (len(second.admitted), second.shadow) == (5, {3: 4})


def test_however_mail_is_mixed_no_cap_is_exceeded_and_the_first_refusal_is_right() -> None:
    chance = random.Random(11)
    for _ in range(300):
        caps = {1: chance.randint(0, 20), 2: chance.randint(0, 8), 3: chance.randint(0, 8)}
        of_lane = lane(
            (limit(LimitScope.TENANT, caps[1]), 1),
            (limit(LimitScope.CAMPAIGN, caps[2], lane=7, campaign="a"), 2),
            (limit(LimitScope.PROVIDER, caps[3], lane=7, provider=Provider.GMAIL), 3),
        )
        kinds = [Kind(chance.choice((0, 1)), chance.choice(("a", None)), None, None) for _ in range(30)]
        asked = [Mail(7, n, kind, None) for n, kind in enumerate(kinds)]
        uses: dict[int, Use] = {}
        found = judge(asked, {7: of_lane}, uses, {}, set(), NOW)
        counts = counted(found).uses
        for use, cap in caps.items():
            assert counts[use] <= cap
        left = set(asked) - set(found.admitted)
        for mail in left:  # none of them would still fit
            scopes = of_lane.of(mail.kind)
            assert any(counts[scope.use] >= caps[scope.use] for scope in scopes)
        assert bool(left) == bool(found.over)


def test_what_is_taken_without_a_look_counts_where_it_does_after_judging() -> None:
    chance = random.Random(12)
    for class_ in Class:
        of_lane = lane(
            (limit(LimitScope.TENANT, 10**6), 1),
            (limit(LimitScope.LANE, 10**6, Per.DAY, lane=7), 2),
            (limit(LimitScope.CAMPAIGN, 10**6, lane=7, campaign="a"), 3),
            (limit(LimitScope.LIST, 10**6, lane=7, list="vip"), 4),
            (limit(LimitScope.PROVIDER, 10**6, lane=7, provider=Provider.GMAIL), 5),
            (limit(LimitScope.RECIPIENT, 10**6, lane=7), None),
            class_=class_,
        )
        assert of_lane.by_row
        asked = [
            Mail(
                7,
                n,
                Kind(chance.choice((0, 1)), chance.choice(("a", None)), chance.choice(("vip", None)), None),
                chance.choice((b"kim", b"lee", b"simulator")),
            )
            for n in range(60)
        ]
        judged = judge(asked, {7: of_lane}, {}, {}, {b"simulator"}, NOW)
        looked, taken = Counts(), Counts()
        looked.add_judged(judged, {mail.id for mail in asked})
        for mail in asked:
            hash = None if mail.hash == b"simulator" else mail.hash
            taken.add(of_lane, 7, mail.id, (mail.kind.provider, mail.kind.campaign, mail.kind.list), hash)
        assert (taken.uses, taken.shared, taken.addresses) == (looked.uses, looked.shared, looked.addresses)
        assert taken.uses == Counter(use for uses in judged.counted.values() for use in uses)
        for mail in asked:
            assert taken.counted[mail.id] == looked.counted[mail.id]
            assert taken.apart.get(mail.id, ()) == looked.apart[mail.id]
        never = NEVER if class_ is Class.URGENT else 10**6
        assert taken.caps[1] == Caps(hour=never), "urgent mail counts for its tenant and is not held"
        assert (taken.caps[2], taken.of_address) == (Caps(day=10**6), {7: Caps(hour=10**6)})


def test_what_has_to_be_asked_before_it_is_taken() -> None:
    """Limits that need more than the queue's row. A limit in shadow mode keeps nothing: only of an address it has to be asked."""
    assert not lane((limit(LimitScope.KEY, api_key=3), 1)).by_row
    assert not lane((limit(LimitScope.REPEAT, lane=7), None)).by_row
    shadow = lane(
        (limit(LimitScope.LANE, 4, lane=7, mode=Mode.SHADOW), 1),
        (limit(LimitScope.LANE, lane=7, id=2), 1),
        (limit(LimitScope.RECIPIENT, 3, lane=7, mode=Mode.SHADOW, id=3), None),
    )
    assert shadow.caps == {1: Caps(hour=10)}
    assert shadow.of_address == Caps(hour=3)
    assert lane((limit(LimitScope.LANE, 4, lane=7, mode=Mode.OBSERVE), 1)).caps == {1: Caps()}


def test_room_is_left_below_each_cap_and_while_no_window_with_a_cap_lies_ahead() -> None:
    use = Use()
    use.add(6, NOW)
    assert leaves_room(use, Caps(hour=10), 4, NOW)
    assert not leaves_room(use, Caps(hour=10), 5, NOW)
    assert not leaves_room(use, Caps(hour=10, ever=9), 4, NOW)
    ahead = Use()
    ahead.add(6, NOW + LENGTH_MS[Per.MINUTE])
    assert leaves_room(ahead, Caps(hour=10), 4, NOW), "the minute has no cap"
    assert not leaves_room(ahead, Caps(minute=100), 1, NOW)


def test_a_sentence_says_which_limit_why_and_until_when() -> None:
    name = LaneName("acme", "newsletter")
    said = sentences.over(limit(LimitScope.LANE, 1500, because="Tier standard."), name, 1_800_003_600_000)
    assert said == (
        "Over the limit of 1,500 mails an hour of acme/newsletter. Tier standard. It can leave from 15 Jan 2027 09:00 UTC on"
    )
    for scope in LimitScope:
        one = limit(
            scope,
            class_=Class.MARKETING,
            campaign="may",
            list="vip",
            provider=Provider.GMAIL,
            domain="x.example",
            api_key=3,
        )
        assert "10 mails an hour" in sentences.allows(one, name)
