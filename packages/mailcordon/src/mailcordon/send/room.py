"""Room in memory for what is large: who asks first has it first."""

import asyncio


class Room:
    """`size`: bytes. What is larger has all of it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._freed = asyncio.Event()
        self._turn = asyncio.Lock()

    async def take(self, size: int, *, within: float) -> None:
        """Raises TimeoutError if there is no room in so many seconds."""
        size = min(size, self._size)
        async with asyncio.timeout(within), self._turn:
            while self._free < size:
                self._freed.clear()
                await self._freed.wait()
            self._free -= size

    def give_back(self, size: int) -> None:
        self._free += min(size, self._size)
        self._freed.set()
