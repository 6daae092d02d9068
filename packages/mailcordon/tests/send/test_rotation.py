"""Turns of a class are served in strict rotation: no mix of classes, turns and claim sizes puts one ahead of another."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from mailcordon.core.priority import CLASS_DEFAULTS
from mailcordon.send import limits, rotation
from mailcordon.send.claiming import bounds_of
from mailcordon.send.results import Slots
from mailcordon.send.rotation import DueLane, Plan, Visit

WEIGHTS = {int(c): defaults.weight for c, defaults in CLASS_DEFAULTS.items()}
NOW = 1_790_000_000_000
UNBOUNDED = 10**6


class Deck:
    """Turns as rows of the table: when each is due. All of them have mail all the time."""

    def __init__(self, turns: dict[int, int]) -> None:
        self.turns = {(class_, n): n for class_, size in turns.items() for n in range(size)}
        self.got: Counter[tuple[int, int]] = Counter()
        self.now = 1000
        self.locked: set[tuple[int, int]] = set()

    def take(self, slots: int, chance: float) -> tuple[Plan, dict[int, tuple[int, int]], int]:
        """What `take_turns` locks, what `plan` makes of it, and when."""
        self.now += 1000
        due = Counter(class_ for class_, _ in self.turns)
        shares = limits.shares(slots, due, WEIGHTS, chance)
        rows: list[DueLane] = []
        names: dict[int, tuple[int, int]] = {}
        for class_ in sorted(due):
            n = min(due[class_], slots)
            free = sorted((at, turn) for turn, at in self.turns.items() if turn[0] == class_)
            for _, turn in [one for one in free if one[1] not in self.locked][: min(shares[class_], n)]:
                number = class_ * 1000 + turn[1]
                names[number] = turn
                rows.append(
                    DueLane(class_, shares[class_], n, number, number, number, None, 0.0, 0, None, 60_000)
                )
        self.locked |= set(names.values())
        return rotation.plan(rows, NOW, lambda tenant: UNBOUNDED), names, self.now

    def give(self, plan: Plan, names: dict[int, tuple[int, int]], now: int) -> None:
        taken = {visit.lane: visit.budget for visit in plan.visits}
        for one in rotation.returned(plan, {}, taken, set(), now):
            assert one.place is not None
            self.turns[names[one.turn]] = now + one.place
        for number, turn in names.items():
            self.got[turn] += taken.get(number, 0)
        self.locked -= set(names.values())

    def spread(self) -> int:
        out = 0
        for class_ in {class_ for class_, _ in self.turns}:
            got = [self.got[turn] for turn in self.turns if turn[0] == class_]
            out = max(out, max(got) - min(got))
        return out


TURNS = st.dictionaries(st.sampled_from([0, 1, 2]), st.integers(1, 60), min_size=1)
CLAIMS = st.lists(st.tuples(st.integers(1, 130), st.floats(0, 1, exclude_max=True)), max_size=40)


@given(TURNS, CLAIMS)
def test_service_within_a_class_differs_by_at_most_one_delivery(turns, claims):
    deck = Deck(turns)
    for slots, chance in claims:
        deck.give(*deck.take(slots, chance))
        assert deck.spread() <= 1


@given(TURNS, st.lists(st.tuples(CLAIMS.map(lambda c: c[:1]), st.booleans()), max_size=40))
@settings(max_examples=150)
def test_a_second_dispatcher_adds_at_most_one(turns, steps):
    deck = Deck(turns)
    for claims, first_in_first_out in steps:
        taken = [deck.take(slots, chance) for slots, chance in claims * 2]
        for one in taken if first_in_first_out else reversed(taken):
            deck.give(*one)
        assert deck.spread() <= 2


@given(TURNS, CLAIMS)
def test_all_slots_are_given_out_while_all_turns_have_mail(turns, claims):
    deck = Deck(turns)
    for slots, chance in claims:
        plan, names, now = deck.take(slots, chance)
        assert sum(plan.budgets.values()) == slots
        deck.give(plan, names, now)


def visit(turn: int, budget: int, rate: float | None = None) -> Visit:
    bucket = None if rate is None else limits.Bucket(rate, 0.0, NOW)
    return Visit(turn, turn, 0, turn, budget, 0, bucket)


def test_a_turn_whose_mail_could_not_be_looked_at_keeps_its_place():
    plan = Plan({1: 5, 2: 5}, {1: 0, 2: 1}, [visit(1, 5), visit(2, 5)])
    assert rotation.returned(plan, {}, {2: 1}, {1, 2}, NOW * 1000) == [(2, 1, None)]


def test_a_turn_that_a_tenants_bound_kept_from_being_served_keeps_its_place():
    assert rotation.returned(Plan({1: 0}, {1: 0}, []), {}, {}, set(), NOW * 1000) == []


def test_no_turn_waits_longer_than_five_seconds_for_a_rate():
    plan = Plan({1: 5}, {1: 0}, [visit(1, 0, rate=0.001)])
    [one] = rotation.returned(plan, {1: limits.Bucket(0.001, 0.0, NOW)}, {}, set(), NOW * 1000)
    assert one.at == NOW * 1000 + 5_000_000


def test_a_turn_without_mail_is_idle():
    assert rotation.returned(Plan({1: 5}, {1: 0}, [visit(1, 5)]), {}, {}, set(), 0) == [(1, None, None)]


# SLOTS ---------------------------------------------------------------------------------------------------------------------


@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 200)), max_size=80),
)
def test_a_tenant_has_at_most_twice_as_many_calls_as_there_are_free_slots(size, steps):
    slots = Slots(size)
    for ends, tenant, n in steps:
        if ends:
            for _ in range(min(n, slots.in_flight.get(tenant, 0))):
                slots.release(tenant)
        elif slots.free:
            most, bounds = bounds_of(slots)
            assert bounds.may_start(tenant=99) >= 1, "a tenant without calls can always start one"
            for _ in range(max(0, min(n, most, bounds.may_start(tenant)))):
                slots.take(tenant)
            assert (
                slots.in_flight.get(tenant, 0) <= max(1, 2 * slots.free)
                or n == 0
                or bounds.may_start(tenant) <= 0
            )
        assert slots.free + sum(slots.in_flight.values()) == size


def test_a_tenant_whose_calls_never_end_leaves_a_third_of_the_slots_to_others():
    slots = Slots(96)
    for _ in range(20):
        most, bounds = bounds_of(slots)
        for _ in range(max(0, min(most, bounds.may_start(1)))):
            slots.take(1)
    assert 56 <= slots.in_flight[1] <= 64
    assert slots.free >= 32


def test_a_tenant_whose_calls_never_end_leaves_half_of_a_narrow_window_to_others():
    loops = Slots(32), Slots(96)
    for _ in range(20):
        for slots in loops:
            most, bounds = bounds_of(slots, narrow=8)
            for _ in range(max(0, min(most, bounds.may_start(1)))):
                slots.take(1)
    assert sum(slots.in_flight[1] for slots in loops) == 4
