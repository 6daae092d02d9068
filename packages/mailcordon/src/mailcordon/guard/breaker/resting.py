"""Lanes whose counts rest, packed: a tenth of their memory or less, and exactly what they were when they are unpacked.

What lanes share (curves, the fleet, names) is not packed. Counts that need no judgement wait beside the packed lane, as long as
adding them later is the same as adding them now.
"""

import io
import pickle
import zlib
from collections.abc import Mapping
from typing import Any

from mailcordon.guard.breaker.lane_state import LaneState
from mailcordon.guard.breaker.nouns import LaneFacts, Standing
from mailcordon.guard.counts import Delta

MOST_PENDING = 200  #: counts that wait; then they are added
_LEVEL = 1  #: of compression: the fastest


class Packer:
    """`shared`: objects by name that packed lanes refer to."""

    def __init__(self, shared: Mapping[str, object]) -> None:
        self._shared = dict(shared)
        self._names = {id(each): name for name, each in self._shared.items()}

    def pack(self, state: LaneState) -> bytes:
        out = io.BytesIO()
        _Pickler(out, self._names).dump(state)
        return zlib.compress(out.getbuffer(), _LEVEL)

    def unpack(self, packed: bytes) -> LaneState:
        return _Unpickler(io.BytesIO(zlib.decompress(packed)), self._shared).load()


class _Pickler(pickle.Pickler):
    def __init__(self, out: io.BytesIO, names: Mapping[int, str]) -> None:
        super().__init__(out, pickle.HIGHEST_PROTOCOL)
        self._names = names

    def persistent_id(self, obj: object) -> str | None:
        return self._names.get(id(obj))


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: io.BytesIO, shared: Mapping[str, object]) -> None:
        super().__init__(data)
        self._shared = shared

    def persistent_load(self, pid: str) -> Any:
        return self._shared[pid]


class Resting:
    """A lane that was packed."""

    __slots__ = ("_heard", "_learns_at", "_plain", "packed", "pending", "standings")

    def __init__(self, state: LaneState, packer: Packer) -> None:
        self.packed = packer.pack(state)
        self.standings: list[Standing] = state.standings()
        self.pending: list[Delta] = []
        self._heard = state.watch.heard  #: it is judged with the next counts, whatever they are
        self._learns_at = state.watch.learns_at
        self._plain = state.watch.plain_providers()

    def takes(self, delta: Delta) -> bool:
        """Keeps counts for later. False: the lane has to be unpacked for them."""
        minute, _, _, _, provider, sent, _, bounces, complaints, blocks, delays, _ = delta
        if self._heard or bounces or complaints or blocks or delays:
            return False
        if not sent:
            return True
        if minute >= self._learns_at or len(self.pending) >= MOST_PENDING:
            return False
        if self._plain is not None and provider > 0 and provider not in self._plain:
            return False
        self.pending.append(delta)
        return True

    def unpacked(self, packer: Packer, facts: LaneFacts) -> LaneState:
        state = packer.unpack(self.packed)
        state.watch.facts = facts
        for delta in self.pending:
            state.watch.add(delta)
        return state
