"""Which of the mails that a claim looks at may leave under the limits of their lane. Pure.

Mail is judged kind by kind, in the order in which the kinds appear: what counts in the same rows is judged once. Judging counts
what is admitted, so the rows say afterwards what they will say in the database.
"""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence, Set
from typing import NamedTuple

from mailcordon.core.limit import Mode
from mailcordon.guard.limits.rules import Bound, Kind, LaneRules, Scope
from mailcordon.guard.limits.windows import Use

_MANY = 1 << 62


class Mail(NamedTuple):
    lane: int
    id: int
    kind: Kind
    hash: bytes | None  #: of the address, where the lane has limits of addresses


class Over(NamedTuple):
    """Mail of a lane that is over a limit: all of it, of a kind, or to one address."""

    lane: int
    bound: Bound
    opens_at: int | None  #: milliseconds since 1970; None: when the limit's cap grows
    kind: Kind | None = None  #: one of the mails
    hash: bytes | None = None  #: only mail to this address


class Judged(NamedTuple):
    admitted: Sequence[Mail]
    counted: Mapping[int, tuple[int, ...]]  #: by id of an admitted mail: the rows that it counts in
    counts: Mapping[int, int]  #: by row, how many
    shared: Set[int]  #: those of these rows in which mail of several turns counts
    addresses: Mapping[tuple[int, bytes], int]  #: by lane and address, how many
    over: Sequence[Over]
    shadow: Mapping[int, int]  #: by limit in shadow mode: how many of the admitted it would have held


def judge(
    mails: Iterable[Mail],
    rules: Mapping[int, LaneRules],
    uses: MutableMapping[int, Use],
    addresses: MutableMapping[tuple[int, bytes], Use],
    exempt: frozenset[bytes] | set[bytes],
    now: int,
) -> Judged:
    """`exempt`: addresses without a limit of their own. Rows missing in `uses` and `addresses` have counted nothing yet."""
    kinds: dict[tuple[int, Kind], list[Mail]] = {}
    for mail in mails:
        kinds.setdefault((mail.lane, mail.kind), []).append(mail)
    admitted: list[Mail] = []
    counted: dict[int, tuple[int, ...]] = {}
    counts: dict[int, int] = {}
    shared: set[int] = set()
    to: dict[tuple[int, bytes], int] = {}
    over: dict[tuple[object, ...], Over] = {}
    shadow: dict[int, int] = {}
    for (lane, kind), same in kinds.items():
        of_lane = rules.get(lane)
        if of_lane is None:
            admitted += same
            continue
        scopes = of_lane.of(kind)
        room, full = room_for(scopes, uses, now)
        taken: list[Mail] = []
        for mail in same:
            if of_lane.recipient and mail.hash is not None and mail.hash not in exempt:
                use = addresses.setdefault((lane, mail.hash), Use())
                if found := _full(of_lane.recipient, use, now):
                    opens_at = use.opens_at(found.limit.per, now)
                    over[lane, mail.hash] = Over(lane, found, opens_at, kind, mail.hash)
                    continue
            if len(taken) >= room and full is not None:
                bound, opens_at = full
                over.setdefault((lane, bound.limit.id), Over(lane, bound, opens_at, kind))
                break
            taken.append(mail)
            if of_lane.recipient and mail.hash is not None and mail.hash not in exempt:
                use = addresses[lane, mail.hash]
                count_shadow(of_lane.recipient, use, 1, now, shadow)
                use.add(1, now)
                to[lane, mail.hash] = to.get((lane, mail.hash), 0) + 1
        if not taken:
            continue
        admitted += taken
        ids = tuple(scope.use for scope in scopes)
        for mail in taken:
            counted[mail.id] = ids
        for scope in scopes:
            use = uses.setdefault(scope.use, Use())
            count_shadow(scope.bounds, use, len(taken), now, shadow)
            use.add(len(taken), now)
            counts[scope.use] = counts.get(scope.use, 0) + len(taken)
            if scope.shared:
                shared.add(scope.use)
    return Judged(admitted, counted, counts, shared, to, list(over.values()), shadow)


def room_for(
    scopes: Sequence[Scope], uses: Mapping[int, Use], now: int
) -> tuple[int, tuple[Bound, int | None] | None]:
    """How many may leave, and the limit that says so with the time of its next window.

    Of several that are used up, one that is about the whole lane is named, else the one that opens last: mail must not come back
    to meet the next.
    """
    room, found, rank = _MANY, None, (False, 0)
    for scope in scopes:
        use = uses.get(scope.use) or Use()
        for bound in scope.bounds:
            if not bound.holds:
                continue
            left = use.room(bound.limit.cap, bound.limit.per, now)
            opens_at = use.opens_at(bound.limit.per, now)
            this = (bound.wide, _MANY if opens_at is None else opens_at)
            if left < room or (left == room and this > rank):
                room, found, rank = left, (bound, opens_at), this
    return room, found


def _full(bounds: Sequence[Bound], use: Use, now: int) -> Bound | None:
    for bound in bounds:
        if bound.holds and not use.room(bound.limit.cap, bound.limit.per, now):
            return bound
    return None


def count_shadow(bounds: Sequence[Bound], use: Use, n: int, now: int, shadow: dict[int, int]) -> None:
    for bound in bounds:
        if bound.limit.mode is Mode.SHADOW:
            beyond = min(n, use.counted(bound.limit.per, now) + n - bound.limit.cap)
            if beyond > 0:
                shadow[bound.limit.id] = shadow.get(bound.limit.id, 0) + beyond
