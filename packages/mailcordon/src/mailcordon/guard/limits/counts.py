"""What a claim counts in the rows of limits. Pure."""

from collections import Counter
from collections.abc import Set

from mailcordon.core.limit import Mode, Per
from mailcordon.guard.limits.admission import Judged
from mailcordon.guard.limits.rules import NEVER, NO_CAPS, Caps, Kind, LaneRules
from mailcordon.guard.limits.windows import LENGTH_MS, Use


class Counts:
    """Grows with what is taken. With `caps`, whoever counts it must look whether it was too much."""

    def __init__(self) -> None:
        self.uses: Counter[int] = Counter()  #: by row that counts
        self.shared: set[int] = set()  #: those of these rows in which mail of several turns counts
        self.addresses: Counter[tuple[int, bytes]] = (
            Counter()
        )  #: by lane and address (or address and kind of mail)
        self.caps: dict[int, Caps] = {}  #: by row that counts
        self.in_shadow = False  #: a limit in shadow mode is about some of it, and was not asked
        self.of_address: dict[int, Caps] = {}  #: by lane: of each of its addresses
        self.counted: dict[int, tuple[int, ...]] = {}  #: by id of a mail, the rows that it counts in
        self.apart: dict[int, tuple[bytes, ...]] = {}  #: by id of a mail, the rows of addresses
        self._kinds: dict[tuple[int, int | None, str | None, str | None], tuple[int, ...]] = {}

    def add(
        self,
        rules: LaneRules,
        lane: int,
        id: int,
        about: tuple[int | None, str | None, str | None],
        hash: bytes | None,
    ) -> None:
        """A mail that was taken without a look at what is counted, of a lane whose limits ask for no more than this
        (`LaneRules.by_row`). `about`: its provider, campaign and list. `hash`: of its address, unless that has no limit."""
        key = (lane, *about)
        uses = self._kinds.get(key)
        if uses is None:
            uses = self._kinds[key] = self._meet(rules, Kind(*about, None))
        self.counted[id] = uses
        for use in uses:
            self.uses[use] += 1
        if hash is not None and rules.recipient:
            self.addresses[lane, hash] += 1
            self.apart[id] = (hash,)
            self.of_address[lane] = rules.of_address

    def _meet(self, rules: LaneRules, kind: Kind) -> tuple[int, ...]:
        scopes = rules.of(kind)
        for scope in scopes:
            mine, theirs = rules.caps[scope.use], self.caps.get(scope.use, NO_CAPS)
            self.caps[scope.use] = Caps(*map(min, mine, theirs))
            if scope.shared:
                self.shared.add(scope.use)
            self.in_shadow = self.in_shadow or any(bound.limit.mode is Mode.SHADOW for bound in scope.bounds)
        return tuple(scope.use for scope in scopes)

    def lanes_of(self, uses: Set[int]) -> set[int]:
        """Those with mail that counts in these rows."""
        return {key[0] for key, counted in self._kinds.items() if not uses.isdisjoint(counted)}

    def add_judged(self, judged: Judged, ids: Set[int]) -> None:
        """Of what was admitted, these were taken. Caps were kept: what it counts in is locked."""
        self.shared |= judged.shared
        for mail in judged.admitted:
            if mail.id in ids:
                uses, keys = judged.counted.get(mail.id, ()), judged.apart.get(mail.id, ())
                self.counted[mail.id], self.apart[mail.id] = uses, keys
                self.uses.update(uses)
                self.addresses.update((mail.lane, key) for key in keys)


def leaves_room(use: Use, caps: Caps, n: int, now: int) -> bool:
    """Whether `n` more may leave, and no window with a cap lies ahead of the clock."""
    for per, cap in zip(Per, caps, strict=True):
        if cap < NEVER:
            window, counted = use.window(per, now)
            if counted + n > cap or (per is not Per.EVER and window > now // LENGTH_MS[per]):
                return False
    return True
