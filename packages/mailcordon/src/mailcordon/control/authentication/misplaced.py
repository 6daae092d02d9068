"""Records that are at another name than they should be. Whoever is told that a record is missing has often just published it."""

from collections.abc import Callable
from dataclasses import dataclass

from mailcordon.control.authentication.lookup import Lookup, RecordType


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is asked here changes no judgement, only its sentence: a look-up that fails is as one that finds nothing."""

    lookup: Lookup
    zones: tuple[str, ...]  #: that a DNS console may have appended to a name that already had them

    async def doubled(self, name: str, type: RecordType, is_it: Callable[[str], bool]) -> str | None:
        """Where a record is instead, with its domain there twice. `is_it` tells it from what a wildcard answers."""
        for zone in sorted({zone for zone in self.zones if zone}, key=len, reverse=True):
            if any(is_it(text) for text in (await self.lookup.find(f"{name}.{zone}", type)).records):
                return f"{name}.{zone}"
        return None
