"""Many small records as few bytes: each is compressed against an earlier one with the same key, its sample."""

from __future__ import annotations

import zlib
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

_MOST: Final = 1000  #: samples; further keys share one
_WINDOW: Final = 12  # bits: deflate looks back 4 KB, so longer samples are of no use
_MOST_BYTES: Final = (1 << _WINDOW) - 262  # of a sample that deflate can use (zlib.h, deflateSetDictionary)
#: level, and memory for such small texts; measured: level 6 saves 1 %, 1 costs 7 %
_SETTINGS: Final = (3, zlib.DEFLATED, -_WINDOW, 5)
_NUMBER: Final = 4  # bytes that say which sample a record was compressed against

_T = TypeVar("_T")


class _Sample(Generic[_T]):
    __slots__ = ("encoded", "key", "packed", "shared")

    def __init__(self, key: Hashable, shared: _T, encoded: bytes) -> None:
        self.key = key
        self.shared = shared
        self.encoded = encoded
        self.packed = 0  #: records; it is forgotten with the last one


class Samples(Generic[_T]):
    """With each key goes what its records share: it is kept once, and returned with each record."""

    def __init__(self) -> None:
        self._by_key: dict[Hashable, int] = {}
        self._by_number: dict[int, _Sample[_T]] = {}
        self._numbers = 0

    def pack(self, key: Hashable, shared: _T, encoded: bytes) -> bytes:
        number = self._by_key.get(key)
        if number is None:
            few = len(self._by_number) < _MOST
            own = encoded[:_MOST_BYTES] if few else next(iter(self._by_number.values())).encoded
            self._numbers += 1
            number = self._by_key[key] = self._numbers
            self._by_number[number] = _Sample(key, shared, own)
        sample = self._by_number[number]
        sample.packed += 1
        packer = zlib.compressobj(*_SETTINGS, zdict=sample.encoded)
        return number.to_bytes(_NUMBER, "big") + packer.compress(encoded) + packer.flush()

    def take(self, packed: bytes) -> tuple[_T, bytes]:
        """Unpacks a record, which is packed no longer."""
        found = self.read(packed)
        number = int.from_bytes(packed[:_NUMBER], "big")
        sample = self._by_number[number]
        sample.packed -= 1
        if not sample.packed:
            del self._by_number[number], self._by_key[sample.key]
        return found

    def read(self, packed: bytes) -> tuple[_T, bytes]:
        """Unpacks a record, which stays packed."""
        sample = self._by_number[int.from_bytes(packed[:_NUMBER], "big")]
        unpacker = zlib.decompressobj(_SETTINGS[2], sample.encoded)
        return sample.shared, unpacker.decompress(packed[_NUMBER:])
