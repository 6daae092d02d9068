"""What waits, by owner. Owners take turns: however much one of them has waiting, another's next item comes after one of it.

The number of items and their bytes are bounded, for each owner and for all that have more than one item.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class Full(Enum):
    """Which bound another item would exceed."""

    OWNER = "owner"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What may wait."""

    items_each: int  #: of one owner
    items: int  #: of all
    bytes_each: int
    bytes: int


class _Waiting(Generic[T]):
    __slots__ = ("bytes", "items")

    def __init__(self) -> None:
        self.items: deque[tuple[T, int]] = deque()
        self.bytes = 0


class Turns(Generic[T]):
    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.bytes = 0
        self._items = 0
        self._owners: dict[Hashable, _Waiting[T]] = {}  #: in the order of their turns; none without items

    def __len__(self) -> int:
        return self._items

    def put(self, owner: Hashable, item: T, size: int) -> Full | None:
        """Adds an item behind its owner's others. Returns which bound it would exceed; then it was not added.

        An owner that has nothing waiting may always add one item, so that no others can keep it out. Whoever lets requests in
        bounds how many owners and how many bytes that can be."""
        waiting = self._owners.get(owner)
        bounds = self.bounds
        if waiting is None:
            waiting = self._owners[owner] = _Waiting()  # `_Waiting[T]()` takes ten times as long
        elif len(waiting.items) >= bounds.items_each or waiting.bytes + size > bounds.bytes_each:
            return Full.OWNER
        elif self._items >= bounds.items or self.bytes + size > bounds.bytes:
            return Full.ALL
        waiting.items.append((item, size))
        waiting.bytes += size
        self._items += 1
        self.bytes += size
        return None

    def take(self, most: int, most_bytes: int) -> list[T]:
        """Removes the next items, one of each owner in turn: at least one, if there is one, whatever its size."""
        taken: list[T] = []
        size = 0
        owners = self._owners
        left = min(most, self._items)
        while left:
            owner, waiting = next(iter(owners.items()))
            items = waiting.items
            item, one = items[0]
            if taken and size + one > most_bytes:
                break
            items.popleft()
            waiting.bytes -= one
            if not items:
                del owners[owner]
            elif len(owners) > 1:
                del owners[owner]
                owners[owner] = waiting  # behind the others
            taken.append(item)
            size += one
            left -= 1
        self._items -= len(taken)
        self.bytes -= size
        return taken
