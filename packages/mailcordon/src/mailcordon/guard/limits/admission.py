"""Which of the mails that a claim looks at may leave under the limits of their lane. Pure.

Mail is judged kind by kind, in the order in which the kinds appear: what counts in the same rows is judged once. Judging counts
what is admitted, so the rows say afterwards what they will say in the database.
"""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence, Set
from typing import NamedTuple

from mailcordon.core.limit import EACH, Mode
from mailcordon.guard.limits.rules import Bound, Kind, LaneRules, Scope
from mailcordon.guard.limits.windows import Use

_MANY = 1 << 62


class Mail(NamedTuple):
    lane: int
    id: int
    kind: Kind
    hash: bytes | None  #: of the address, where the lane has limits of addresses
    repeat: bytes | None = (
        None  #: of the address with what mail of its kind has in common, where the lane has limits of such
    )


class Over(NamedTuple):
    """Mail of a lane that is over a limit: all of it, of a kind, or to one address."""

    lane: int
    bound: Bound
    opens_at: int | None  #: milliseconds since 1970; None: when the limit's cap grows
    kind: Kind | None = None  #: one of the mails
    hash: bytes | None = None  #: only mail to this address
    repeat: bytes | None = None  #: only mail to this address of this kind


class Judged(NamedTuple):
    admitted: Sequence[Mail]
    counted: Mapping[int, tuple[int, ...]]  #: by id of an admitted mail: the rows that it counts in
    shared: Set[int]  #: those of these rows in which mail of several turns counts
    apart: Mapping[
        int, tuple[bytes, ...]
    ]  #: by id of an admitted mail: addresses (or address and kind) that it counts in
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
    shared: set[int] = set()
    apart: dict[int, tuple[bytes, ...]] = {}
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
            counters = of_lane.apart(mail.hash, mail.repeat) if mail.hash not in exempt else ()
            if counters and (full_one := _first_full(lane, mail, counters, addresses, now)):
                over[lane, full_one.repeat or full_one.hash] = full_one
                continue
            if len(taken) >= room and full is not None:
                bound, opens_at = full
                about = kind.campaign if bound.limit.scope in EACH else None
                over.setdefault((lane, bound.limit.id, about), Over(lane, bound, opens_at, kind))
                break
            taken.append(mail)
            for key, bounds in counters:
                use = addresses[lane, key]
                count_shadow(bounds, use, 1, now, shadow)
                use.add(1, now)
            if counters:
                apart[mail.id] = tuple(key for key, _ in counters)
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
            if scope.shared:
                shared.add(scope.use)
    return Judged(admitted, counted, shared, apart, list(over.values()), shadow)


def _first_full(
    lane: int,
    mail: Mail,
    counters: Sequence[tuple[bytes, tuple[Bound, ...]]],
    addresses: MutableMapping[tuple[int, bytes], Use],
    now: int,
) -> Over | None:
    for key, bounds in counters:
        use = addresses.setdefault((lane, key), Use())
        if found := _full(bounds, use, now):
            repeat = None if key == mail.hash else key
            return Over(lane, found, use.opens_at(found.limit.per, now), mail.kind, mail.hash, repeat)
    return None


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
