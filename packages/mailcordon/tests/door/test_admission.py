"""Counting: what is admitted is counted once and given back once, whatever was refused in between."""

from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mailcordon.door.admission import GUESTS, SMALL_BODY, Admission, Caller, Refusal, Ticket
from mailcordon.door.facts import DoorFacts
from mailcordon.door.limits import Limit, Limits

MB = 1 << 20
LIMITS = Limits(
    connections=3,
    connections_per_address=2,
    connections_per_key=2,
    requests_per_key=2,
    requests_per_address=1,
    body_memory=64 * MB,
)


@dataclass(eq=False)
class Stranger:
    evicted: list[Refusal] = field(default_factory=list[Refusal])

    def evict(self, refusal: Refusal) -> None:
        self.evicted.append(refusal)


@pytest.fixture
def admission() -> Admission:
    return Admission(LIMITS, DoorFacts())


def key(admission: Admission, id: int = 1) -> Caller:
    caller = admission.admit_key(id)
    assert isinstance(caller, Caller)
    return caller


def refusal(found: object) -> Limit | None:
    assert isinstance(found, Refusal)
    return found.limit


def test_every_limit_has_a_refusal_that_says_when_to_come_back_if_that_helps(admission: Admission):
    for limit in Limit:
        found = admission.refuse_body(1) if limit is Limit.BODY_BYTES else admission.refuse(limit)
        assert found.limit is limit
        assert (found.retry_after is not None) is (found.status in (429, 503))
        assert found.sentence.endswith(".")
    assert set(admission.facts.refused) == {limit.value for limit in Limit}
    assert admission.facts.document()["door"]["refused"] == {limit.value: 1 for limit in Limit}  # type: ignore[index]


def test_when_all_connections_are_taken_the_oldest_stranger_makes_room(admission: Admission):
    first, second = Stranger(), Stranger()
    for stranger in (first, second):
        assert admission.admit_connection() is None
        admission.strangers[stranger] = None
    assert admission.admit_connection() is None
    assert admission.admit_connection() is None
    assert [one.limit for one in first.evicted] == [Limit.CONNECTIONS]
    assert second.evicted == []
    admission.strangers.clear()  # all have shown a known key
    assert refusal(admission.admit_connection()) is Limit.CONNECTIONS


def test_connections_are_counted_for_each_address_and_for_each_key(admission: Admission):
    first = admission.admit_address("198.51.100.1")
    admission.admit_address("198.51.100.1")
    assert refusal(admission.admit_address("198.51.100.1")) is Limit.ADDRESS_CONNECTIONS
    assert isinstance(admission.admit_address("198.51.100.2"), Caller)
    assert isinstance(first, Caller)
    admission.release(first)
    assert isinstance(admission.admit_address("198.51.100.1"), Caller)
    key(admission)
    key(admission)
    assert refusal(admission.admit_key(1)) is Limit.KEY_CONNECTIONS
    assert isinstance(admission.admit_key(2), Caller)


def test_requests_are_counted_for_each_key_and_for_each_address_without_one(admission: Admission):
    caller = key(admission)
    assert [admission.admit(caller, 0) for _ in range(2)] == [None, None]
    assert refusal(admission.admit(caller, 0)) is Limit.KEY_REQUESTS
    stranger = admission.admit_address("198.51.100.1")
    assert isinstance(stranger, Caller)
    assert admission.admit(stranger, 0) is None
    assert refusal(admission.admit(stranger, 0)) is Limit.ADDRESS_REQUESTS


def test_one_caller_gets_half_of_the_memory_for_bodies(admission: Admission):
    one, other = key(admission, 1), key(admission, 2)
    assert admission.admit(one, 20 * MB) is None
    assert refusal(admission.admit(one, 20 * MB)) is Limit.BODY_MEMORY
    assert admission.admit(other, 20 * MB) is None


def test_large_bodies_leave_a_quarter_of_the_memory_to_small_ones(admission: Admission):
    assert admission.admit(key(admission, 1), 24 * MB) is None
    assert admission.admit(key(admission, 2), 24 * MB) is None
    third = key(admission, 3)
    assert refusal(admission.admit(third, SMALL_BODY + 1)) is Limit.BODY_MEMORY
    assert admission.admit(third, SMALL_BODY) is None


def test_a_body_without_a_length_is_counted_as_it_arrives(admission: Admission):
    caller = key(admission)
    assert admission.admit(caller, 0) is None
    ticket, whole = Ticket(admission, caller, 0), 0
    while (found := ticket.grow(MB, whole + MB)) is None:
        whole += MB
    assert (found.limit, whole) == (Limit.BODY_MEMORY, 32 * MB)
    assert admission.facts.body_bytes == whole
    ticket.release()
    ticket.release()
    assert (admission.facts.body_bytes, caller.body_bytes, caller.requests) == (0, 0, 0)


def test_a_request_whose_key_becomes_known_is_charged_to_the_key(admission: Admission):
    stranger = admission.admit_address("198.51.100.1")
    assert isinstance(stranger, Caller)
    assert admission.admit(stranger, 0) is None
    ticket = Ticket(admission, stranger, 0)
    assert ticket.grow(MB, MB) is None
    caller = key(admission)
    assert ticket.charge(caller) is None
    assert (stranger.requests, stranger.body_bytes) == (0, 0)
    assert (caller.requests, caller.body_bytes, admission.facts.body_bytes) == (1, MB, MB)
    assert ticket.grow(20 * MB, 21 * MB) is None, "more than a stranger may"


def test_a_few_connections_beyond_the_limit_may_say_what_they_want(admission: Admission):
    assert [admission.admit_guest() for _ in range(GUESTS + 1)] == [True] * GUESTS + [False]
    admission.release_guest()
    assert admission.admit_guest()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["connect", "request", "grow", "end", "leave"]),
            st.integers(1, 3),
            st.integers(0, 20),
        ),
        max_size=60,
    )
)
def test_when_everybody_has_gone_nothing_is_counted(steps: list[tuple[str, int, int]]):
    admission = Admission(LIMITS, DoorFacts())
    connected: dict[int, list[Caller]] = {1: [], 2: [], 3: []}
    tickets: list[Ticket] = []
    for step, id, size in steps:
        if step == "connect" and isinstance(found := admission.admit_key(id), Caller):
            connected[id].append(found)
        elif step == "request" and connected[id] and admission.admit(connected[id][-1], size * MB) is None:
            tickets.append(Ticket(admission, connected[id][-1], size * MB))
        elif step == "grow" and tickets:
            tickets[id % len(tickets)].grow(size * MB, size * MB)
        elif step == "end" and tickets:
            tickets.pop(id % len(tickets)).release()
        elif step == "leave" and connected[id]:
            admission.release(connected[id].pop())
        assert 0 <= admission.facts.body_bytes <= LIMITS.body_memory
    for ticket in tickets:
        ticket.release()
    for callers in connected.values():
        for caller in callers:
            admission.release(caller)
    assert admission.facts.body_bytes == 0
    assert (admission._keys, admission._addresses) == ({}, {})  # pyright: ignore[reportPrivateUsage]
