"""What is kept and what is dropped: the policy alone."""

from collections.abc import Iterable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.control.retention import (
    DAILY,
    DAY_MS,
    FIRST_DAY,
    Keep,
    Stored,
    TableDay,
    expired,
    is_settled,
    missing,
)
from mailcordon.core.priority import CLASS_DEFAULTS

TODAY = date(2026, 11, 28)
LONGEST = max(defaults.expiry_ms for defaults in CLASS_DEFAULTS.values())

days = st.integers(-400, 20).map(lambda n: TODAY + timedelta(days=n)).filter(lambda day: day >= FIRST_DAY)
table_days = st.frozensets(st.builds(TableDay, days, st.sampled_from(sorted(DAILY))), max_size=40)
keeps = st.builds(Keep, bodies_days=st.integers(4, 30), records_days=st.integers(4, 400))
databases = st.builds(
    Stored,
    today=st.just(TODAY),
    longest_expiry_ms=st.integers(0, 40 * DAY_MS),
    partitions=table_days,
    in_default=table_days,
)


def stored(
    *partitions: TableDay, in_default: frozenset[TableDay] = frozenset(), expiry: int = LONGEST
) -> Stored:
    return Stored(today=TODAY, longest_expiry_ms=expiry, partitions=partitions, in_default=in_default)


def ago(days: int, table: str) -> TableDay:
    return TableDay(TODAY - timedelta(days=days), table)


def test_bodies_are_kept_seven_whole_days_and_records_ninety() -> None:
    for table in DAILY:
        kept = {"content": 7, "cohort_minute": 14}.get(table, 90)
        assert expired(stored(ago(kept, table)), Keep()) == []
        assert expired(stored(ago(kept + 1, table)), Keep()) == [ago(kept + 1, table)]


def test_a_body_outlives_the_longest_expiry_whatever_the_setting() -> None:
    month = 30 * DAY_MS
    assert expired(stored(ago(31, "content"), expiry=month), Keep()) == []
    assert expired(stored(ago(32, "content"), expiry=month), Keep()) == [ago(32, "content")]


def test_a_table_without_daily_partitions_has_no_retention_in_days() -> None:
    with pytest.raises(KeyError):
        Keep().days_of("suppression", 0)
    assert expired(stored(TableDay(FIRST_DAY, "suppression")), Keep()) == []


@pytest.mark.parametrize(
    ("days", "settled"),
    [(range(-13, 7), True), (range(4), True), (range(-13, 2), False), ([0, 1, 3, 4, 5, 6], False)],
)
def test_the_day_is_settled_once_the_last_days_have_partitions(days: Iterable[int], settled: bool) -> None:
    assert is_settled(stored(*(ago(n, "message") for n in days))) is settled
    assert not is_settled(stored(*(ago(n, "ledger") for n in days)))


@given(databases, keeps)
def test_no_mail_that_may_still_be_sent_loses_a_row(database: Stored, keep: Keep) -> None:
    for each in expired(database, keep):
        end_of_day = each.day + timedelta(days=1)
        assert (TODAY - end_of_day) / timedelta(milliseconds=1) >= database.longest_expiry_ms


def test_the_partition_of_today_is_made_first_since_rows_need_it_now() -> None:
    strays = frozenset({ago(3, "ledger"), ago(0, "ledger")})
    wanted = missing(stored(in_default=strays), Keep())
    assert {each.day for each in wanted[: len(DAILY)]} == {TODAY}
    assert wanted[-len(DAILY) - 1] == ago(3, "ledger")


@given(databases, keeps)
def test_nothing_is_made_that_would_be_dropped_again(database: Stored, keep: Keep) -> None:
    assert not set(missing(database, keep)) & {*expired(database, keep), *database.partitions}


@given(databases, keeps)
def test_afterwards_every_table_has_its_partitions_and_no_row_is_in_a_default_partition(
    database: Stored, keep: Keep
) -> None:
    made, gone = set(missing(database, keep)), set(expired(database, keep))
    after = (set(database.partitions) | made) - gone
    assert set(database.in_default) <= after | gone
    assert {ago(n, table) for n in range(-13, 2) for table in DAILY} <= after
