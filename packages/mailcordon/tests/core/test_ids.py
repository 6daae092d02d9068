"""Ids contain their time, message and recipient, sort by time, and never repeat on a node."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core import ids

MOMENTS = st.integers(ids.EPOCH_MS, ids.EPOCH_MS + (1 << 41) - 1)
IDS = st.integers(0, (1 << 63) - 1)
NOW = 1_790_000_000_000


@given(IDS)
def test_an_id_survives_its_public_form(id):
    assert ids.decode(ids.encode(id)) == id


@given(IDS, IDS)
def test_public_forms_sort_as_their_ids_do(one, other):
    assert (ids.encode(one) < ids.encode(other)) == (one < other)


@given(IDS)
def test_a_public_id_fits_a_url_and_a_tag(id):
    text = ids.encode(id)
    assert len(text) == 13
    assert text.isascii()
    assert text.isalnum()


@given(MOMENTS)
def test_an_id_names_the_millisecond_it_was_made_in(now):
    assert ids.ms_of(ids.IdGenerator(5).next(now)) == now


@given(MOMENTS, st.integers(0, 127))
def test_ids_before_a_time_are_lower_than_first_of_it(now, node):
    id = ids.IdGenerator(node).next(now)
    assert ids.first_of(now) <= id
    assert id + ids.MAX_RECIPIENTS < ids.first_of(now + 1)


@given(MOMENTS, st.integers(1, ids.MAX_RECIPIENTS))
def test_a_delivery_names_its_message_and_its_place(now, place):
    message = ids.IdGenerator(0).next(now)
    assert ids.message_of(message + place) == message
    assert ids.recipient_of(message + place) == place
    assert ids.recipient_of(message) == 0


@given(st.lists(st.integers(NOW - 10_000, NOW + 10_000), min_size=1, max_size=60), st.integers(0, 127))
def test_ids_of_a_node_rise_even_if_its_clock_steps_back(clock, node):
    generator = ids.IdGenerator(node)
    made = [generator.next(now) for now in clock]
    assert made == sorted(set(made))


def test_more_than_512_messages_in_a_millisecond_borrow_from_the_next_and_stay_unique():
    generator = ids.IdGenerator(1)
    made = [generator.next(NOW) for _ in range(2_000)]
    assert len(set(made)) == 2_000
    assert ids.ms_of(made[-1]) - NOW == 3


def test_two_nodes_never_make_the_same_id():
    one, other = ids.IdGenerator(3), ids.IdGenerator(4)
    assert {one.next(NOW) for _ in range(600)}.isdisjoint(other.next(NOW) for _ in range(600))


@given(st.integers(0, 127), st.integers(0, 700))
def test_deliveries_of_neighbouring_messages_never_overlap(node, before):
    generator = ids.IdGenerator(node)
    for _ in range(before):
        generator.next(NOW)
    assert generator.next(NOW) + ids.MAX_RECIPIENTS < generator.next(NOW)


def test_ids_stay_positive_until_2095():
    last = int(datetime(2095, 1, 1, tzinfo=UTC).timestamp() * 1000)
    assert 0 < ids.IdGenerator(127).next(last) < 1 << 63


@given(st.dates(datetime(2026, 1, 1).date(), datetime(2090, 1, 1).date()))  # noqa: DTZ001
def test_a_day_is_one_range_of_ids(day):
    """The bounds of the partitions, as migration 0001 computes them."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    ms = int(midnight.timestamp() * 1000)
    low = (ms - 1_767_225_600_000) << 22
    high = low + (86_400_000 << 22)
    assert ids.first_of(ms) == low
    assert ids.first_of(int((midnight + timedelta(days=1)).timestamp() * 1000)) == high
    assert low <= ids.IdGenerator(127).next(ms) + ids.MAX_RECIPIENTS < high
    assert low <= ids.IdGenerator(127).next(ms + 86_399_999) + ids.MAX_RECIPIENTS < high


@pytest.mark.parametrize(
    "text", ["", "0" * 12, "0" * 14, "0" * 12 + "u", "0" * 12 + "A", "z" * 13, "0" * 12 + "٣", " " * 13]
)
def test_texts_that_encode_never_makes_are_refused(text):
    with pytest.raises(ValueError):
        ids.decode(text)


def test_the_id_of_a_delivery_leads_to_its_message():
    message = ids.IdGenerator(9).next(NOW)
    assert ids.parse_message_id(ids.message_id(message)) == message
    assert ids.parse_message_id(ids.delivery_id(message + 7)) == message


@pytest.mark.parametrize("text", ["", "msg_", "key_0000000000000", "0000000000000", "msg-0000000000000"])
def test_the_id_of_something_else_is_no_message(text):
    with pytest.raises(ValueError):
        ids.parse_message_id(text)


@pytest.mark.parametrize("node", [-1, 128])
def test_a_node_out_of_range_makes_no_ids(node):
    with pytest.raises(ValueError):
        ids.IdGenerator(node)
