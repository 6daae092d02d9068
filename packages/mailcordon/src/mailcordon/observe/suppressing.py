"""Writes what new events mean for the addresses that they are about (suppress.py decides)."""

from collections.abc import Callable, Iterable, Sequence

from mailcordon.core.event import Kind
from mailcordon.core.suppression import SoftBouncePolicy, Suppression
from mailcordon.observe import suppress as decide
from mailcordon.observe.attribute import Attributed
from mailcordon.observe.ports import Transaction
from mailcordon.observe.reports import ListHit, Report, TakenBack, Unlist

#: Others say nothing about an address.
ABOUT_ADDRESSES = frozenset({Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE, Kind.COMPLAINT, Kind.SUPPRESSED, Kind.OTHER})


async def suppress(
    tx: Transaction,
    new: Iterable[Attributed],
    hash_of: Callable[[str], bytes | None],
    soft_bounces: SoftBouncePolicy,
) -> None:
    """Suppresses the addresses of these events, and lifts what they take back. `hash_of` returns None for no address of ours."""
    rows: list[Suppression] = []
    reports: list[Report] = []
    hits: list[ListHit] = []
    unlist: list[Unlist] = []
    for one in new:
        if one.event.kind not in ABOUT_ADDRESSES:
            continue
        hash = hash_of(one.address)
        if hash is None:
            continue
        if (report := decide.report_of(one, hash)) is not None:
            reports.append(report)
        row = decide.suppression_of(one, hash)
        if row is not None and not row.may_be_lifted:
            rows.append(row)
        if one.ours:
            hits += decide.hits_of(one, hash)
            unlist += decide.unlist_of(one, hash)
    if reports:
        rows += await _of_reports(tx, reports, soft_bounces)
    listed = {(row.tenant, row.hash) for row in rows if row.cause == decide.TENANT_LIST}
    if listed:
        deleted = await tx.deleted_entries(listed)
        rows = [row for row in rows if not decide.is_of_deleted_entry(row, deleted)]
    if rows:
        await tx.suppress(_strongest(rows))
    if hits:
        await tx.want_entries(hits)
    if unlist:
        await tx.unlist(unlist)


async def _of_reports(
    tx: Transaction, reports: Sequence[Report], soft_bounces: SoftBouncePolicy
) -> list[Suppression]:
    """Lifts what is taken back, and returns what stands."""
    rows: list[Suppression] = []
    taken_back: list[TakenBack] = []
    for known in await tx.remember(reports):
        rows += decide.follows(known.reports, known.removed, soft_bounces)
        taken_back += [
            TakenBack(tenant=known.tenant, hash=known.hash, class_=class_, at=at)
            for class_, at in decide.not_spam(known.reports).items()
        ]
    if taken_back:
        await tx.lift(taken_back)
    return rows


def _strongest(rows: Iterable[Suppression]) -> list[Suppression]:
    found: dict[tuple[int, bytes, int, int], Suppression] = {}
    for row in rows:
        key = (row.tenant, row.hash, row.scope, row.target)
        found[key] = decide.stronger(found[key], row) if key in found else row
    return [found[key] for key in sorted(found)]
