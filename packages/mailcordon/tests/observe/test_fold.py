"""The pure parts: the result does not depend on order and copies, and bounces are classified by a table."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core.bounce_reason import BounceReason
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.delivery import State
from mailcordon.core.event import MOVES, Attempt, Event, Kind
from mailcordon.core.lane import Lane
from mailcordon.core.priority import Class
from mailcordon.core.suppression import Scope, Suppression
from mailcordon.observe import classify, cohorts, fold, suppress
from mailcordon.observe.attribute import Attributed
from mailcordon.observe.ports import Cell, Facts, Outcome

DAY = 24 * 3600 * 1000
LANE = Lane(id=7, tenant=3, tenant_key="mc-acmexxxx", type="newsletter", class_=Class.MARKETING)


def found(
    kind: Kind, *, at: int = 5000, attempt: int = 1, called_at: int = 1000, reason: str | None = None
) -> Attributed:
    event = Event(
        kind=kind,
        at=called_at + 40 if kind is Kind.SEND else at,
        mail_at=called_at + 40,
        ses_id=f"ses-{attempt}",
        configuration_set=None,
        ses_tenant=None,
        destinations=("kim@example.com",),
        recipients=(),
        tags={},
        key=bytes([kind, attempt, at % 251]),
        reason=reason,
        text=None,
    )
    made = Attempt(
        installation="here",
        tenant_key="mc-acmexxxx",
        type="newsletter",
        delivery=65,
        attempt=attempt,
        called_at=called_at,
    )
    return Attributed(event, made, LANE, "kim@example.com", 1, True, False)


KINDS = st.sampled_from([kind for kind in Kind if kind is not Kind.OTHER])
OUTCOMES = st.builds(
    found,
    KINDS,
    at=st.integers(1000, 1005),
    attempt=st.integers(1, 2),
    called_at=st.sampled_from([1000, 70_000]),
).flatmap(
    lambda one: st.booleans().map(
        lambda rowless: fold.outcome_of(one, without_row=rowless and one.event.kind is Kind.SEND)
    )
)


@given(OUTCOMES, OUTCOMES, OUTCOMES)
def test_merging_is_commutative_associative_and_idempotent(a: Outcome, b: Outcome, c: Outcome) -> None:
    assert fold.merge(a, b) == fold.merge(b, a)
    assert fold.merge(a, fold.merge(b, c)) == fold.merge(fold.merge(a, b), c)
    assert fold.merge(a, a) == a
    assert fold.merge(a, fold.merge(a, b)) == fold.merge(a, b)


@given(st.permutations([kind for kind in Kind if kind in MOVES]))
def test_the_highest_rank_wins_in_every_order(kinds: list[Kind]) -> None:
    row = fold.outcome_of(found(kinds[0]))
    best = kinds[0]
    for kind in kinds[1:]:
        row = fold.merge(row, fold.outcome_of(found(kind)))
        best = max(best, kind, key=lambda one: MOVES[one][0])
        assert row.state is MOVES[best][1]


def test_an_open_alone_means_only_that_ses_has_the_mail() -> None:
    opened, sent = fold.outcome_of(found(Kind.OPEN)), fold.outcome_of(found(Kind.SEND))
    assert replace(opened, kinds=0) == replace(sent, kinds=0)
    assert opened.state is State.SENT


@given(
    st.lists(OUTCOMES, min_size=1, max_size=8),
    st.randoms(),
    st.sampled_from([State.SENT, State.GIVEN_UP, State.EXPIRED]),
)
def test_counts_do_not_depend_on_the_order_of_events(
    said: list[Outcome], chance: object, state: State
) -> None:
    """The ledger says that the second attempt was the last one."""
    known = Facts(path="shared", ledger_state=state, called_at=70_000)
    cell = Cell(3, 7, 1, "shared", None, None, 1, None)
    counted = [0] * len(COLUMNS)
    if state is not State.EXPIRED:
        counted[cohorts.SENT if state is State.SENT else cohorts.UNCLEAR] = 1

    def total(rows: list[Outcome]) -> dict[Cell, list[int]]:
        cells = {cell: counted}
        before: Outcome | None = None
        for row in rows:
            after = row if before is None else fold.merge(before, row)
            for key, counts in cohorts.changes([(before, after)], {65: known}).items():
                kept = cells.setdefault(key, [0] * len(COLUMNS))
                cells[key] = [one + other for one, other in zip(kept, counts, strict=True)]
            before = after
        return {key: counts for key, counts in cells.items() if any(counts)}

    shuffled = list(said)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    expected = total(said)
    assert total(shuffled) == total(said + shuffled) == expected
    assert all(count in (0, 1) for counts in expected.values() for count in counts)
    [sent_at] = [key.minute for key, counts in expected.items() if counts[cohorts.SENT]]
    assert sent_at == min(row.left_at for row in said) // 60_000
    assert not any(counts[cohorts.UNCLEAR] for counts in expected.values())


def test_without_a_ledger_row_nothing_is_counted_as_sent() -> None:
    """Whoever writes it looks for the outcome."""
    rows = [fold.outcome_of(found(Kind.OPEN, called_at=at)) for at in (70_000, 1000)]
    cells = cohorts.changes([(None, rows[0]), (rows[0], fold.merge(*rows))], {65: Facts(path="shared")})
    assert not any(counts[cohorts.SENT] for counts in cells.values())
    assert {key.minute for key in cells} == {0}


def test_every_kind_that_moves_a_state_is_counted_in_one_column() -> None:
    for kind in Kind:
        expected = 0 if kind is Kind.OTHER else 1
        assert len(cohorts.columns_of(1 << kind, 0)) == expected
    both = cohorts.columns_of(1 << Kind.REJECT | 1 << Kind.RENDERING_FAILURE, 0)
    assert [COLUMNS[column] for column in both] == ["rejected"]


@pytest.mark.parametrize("reason", list(BounceReason))
def test_every_bounce_is_counted_by_the_group_of_its_reason(reason: BounceReason) -> None:
    columns = [COLUMNS[column] for column in cohorts.columns_of(1 << Kind.SOFT_BOUNCE, 1 << reason)]
    assert columns == ["soft_bounced"] + ([] if reason.group is None else [reason.group.word])


def test_bounces_outside_the_named_providers_carry_the_domain_of_their_recipient() -> None:
    known = Facts(path="shared", recipient="kim@corp.example")
    cells = {}
    for provider in (-1, 0, 1):
        row = replace(fold.outcome_of(found(Kind.HARD_BOUNCE)), provider=provider)
        cells |= cohorts.changes([(None, row)], {65: known})
    domains = {(key.provider, key.domain) for key, counts in cells.items() if counts[cohorts.HARD_BOUNCED]}
    assert domains == {(-1, "corp.example"), (0, "corp.example"), (1, None)}


@pytest.mark.parametrize(
    ("kind", "reason", "scope", "target", "cause", "until"),
    [
        (Kind.HARD_BOUNCE, "Permanent/General", Scope.TENANT, 0, "hard-bounce", None),
        (Kind.HARD_BOUNCE, classify.GLOBAL_LIST, Scope.TENANT, 0, "ses-global-list", 5000 + 14 * DAY),
        (Kind.COMPLAINT, "abuse", Scope.CLASS, 2, "complaint", None),
        (Kind.SUPPRESSED, classify.UNSUBSCRIBED, Scope.LANE, 7, "unsubscribe", None),
    ],
)
def test_each_cause_suppresses_in_its_own_scope(
    kind: Kind, reason: str, scope: int, target: int, cause: str, until: int | None
) -> None:
    row = suppress.suppression_of(found(kind, reason=reason), b"h")
    assert row is not None
    assert (row.scope, row.target, row.cause, row.since, row.until) == (scope, target, cause, 5000, until)
    assert (row.tenant, row.address, row.by) == (3, "kim@example.com", "ses")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Kind.SOFT_BOUNCE, "Transient/MailboxFull"),
        (Kind.SUPPRESSED, "Permanent/EmailValidationSuppressed"),
        (Kind.DELIVERY, None),
        (Kind.REJECT, "Bad content"),
        (Kind.OTHER, "not-spam"),
    ],
)
def test_nothing_else_suppresses(kind: Kind, reason: str | None) -> None:
    assert suppress.suppression_of(found(kind, reason=reason), b"h") is None


def reasons() -> st.SearchStrategy[Suppression]:
    made = suppress.suppression_of(found(Kind.HARD_BOUNCE, reason="Permanent/General"), b"h")
    assert made is not None
    base = made
    return st.builds(
        lambda cause, since, until, event: replace(
            base, cause=cause, since=since, until=until, evidence={"event": event}
        ),
        st.sampled_from(["hard-bounce", "manual"]),
        st.integers(0, 3),
        st.none() | st.integers(5, 7),
        st.sampled_from(["a", "b"]),
    )


@given(reasons(), reasons(), reasons())
def test_which_suppression_stays_does_not_depend_on_order(
    a: Suppression, b: Suppression, c: Suppression
) -> None:
    assert suppress.stronger(a, b) == suppress.stronger(b, a)
    assert suppress.stronger(a, suppress.stronger(b, c)) == suppress.stronger(suppress.stronger(a, b), c)
    if a.until is None:
        assert suppress.stronger(a, b).until is None


@pytest.mark.parametrize(
    ("type", "sub_type", "kind"),
    [
        *((type, sub_type, kind) for (type, sub_type), kind in classify.BOUNCES.items()),
        ("Permanent", "SomethingNew", Kind.HARD_BOUNCE),
        ("Permanent", None, Kind.HARD_BOUNCE),
        ("Transient", "SomethingNew", Kind.SOFT_BOUNCE),
        ("SomethingNew", "General", Kind.SOFT_BOUNCE),
        (None, None, Kind.SOFT_BOUNCE),
        ("Permanent", "OnSomeNewSuppressionList", Kind.SUPPRESSED),
    ],
)
def test_only_types_decide_what_a_bounce_is(type: str | None, sub_type: str | None, kind: Kind) -> None:
    assert classify.bounce(type, sub_type) is kind


@pytest.mark.parametrize("sub_type", [sub for type, sub in classify.BOUNCES if type != "Permanent"])
def test_no_transient_bounce_is_a_hard_bounce(sub_type: str) -> None:
    assert classify.bounce("Transient", sub_type) is Kind.SOFT_BOUNCE
