"""What the tools need of the REST API. A server that only proposes gets a `Reader`, which cannot change anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Document = dict[str, Any]
Query = Mapping[str, str | int | float | None]


@dataclass(slots=True)
class Refused(Exception):
    """The API refused, or did not answer."""

    sentence: str
    code: str = "refused"

    def __str__(self) -> str:
        return self.sentence


class Reader(Protocol):
    """Each method raises Refused."""

    @property
    def url(self) -> str: ...

    async def get(self, path: str, query: Query | None = None) -> Document: ...

    async def preview(self, body: Mapping[str, Any]) -> Document:
        """What holding or lifting would do. Changes nothing."""
        ...


class Changer(Reader, Protocol):
    async def change(self, method: str, path: str, body: Mapping[str, Any] | None) -> Document: ...
