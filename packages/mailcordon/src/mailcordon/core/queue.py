"""A queue that events arrive in, as the planes see it. They do not depend on SQS."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Received:
    body: str
    receipt: str  #: SQS's receipt handle, which deletes it


class Unreachable(Exception):
    """The queue or the database is unavailable. Nothing is lost; retry."""


class Queue(Protocol):
    name: str

    async def receive(self, *, wait: bool = True) -> list[Received]:
        """Returns messages, waiting some seconds for them if `wait`. Raises Unreachable."""
        ...

    async def delete(self, receipts: Sequence[str]) -> None:
        """Raises Unreachable. A message that is not deleted is received again and changes nothing."""
        ...

    async def count(self) -> int:
        """Returns how many messages there are: visible, in flight and delayed. Not exact at AWS. Raises Unreachable."""
        ...
