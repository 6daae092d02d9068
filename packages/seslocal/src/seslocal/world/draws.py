"""Chance: numbers that depend on the seed and on what they are for, and on nothing else."""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final

_FOUR: Final = struct.Struct("<4Q")
_UNIT: Final = 2.0**-53  # as many bits as a float has, so that none is rounded up to 1


class Draws:
    """`four(purpose, text)` returns four independent uniform numbers in [0, 1). Equal arguments return equal numbers."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._key = seed.to_bytes(16, "little", signed=True)
        self._bases: dict[str, blake2b] = {}

    def four(self, purpose: str, text: str) -> tuple[float, float, float, float]:
        base = self._bases.get(purpose)
        if base is None:
            base = self._bases[purpose] = blake2b(purpose.encode() + b"\0", digest_size=32, key=self._key)
        drawn = base.copy()
        drawn.update(text.encode("utf-8", "surrogatepass"))
        one, two, three, four = _FOUR.unpack(drawn.digest())
        return (one >> 11) * _UNIT, (two >> 11) * _UNIT, (three >> 11) * _UNIT, (four >> 11) * _UNIT
