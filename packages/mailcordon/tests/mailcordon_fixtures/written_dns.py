"""A DNS written down in a test: for the logic that judges answers. The resolver's own tests ask a real name server."""

from collections.abc import Iterable, Mapping
from typing import Any

from mailcordon.control.authentication.lookup import Answer, Found, RecordType

_MOST_ALIASES = 8


class WrittenDns:
    """Implements `Lookup`. `records` has texts by name and type, as `Answer.records` has them; the names in `silent`, or their
    single types, do not answer."""

    def __init__(
        self,
        records: Mapping[str, Mapping[str, list[str]]],
        *,
        silent: Iterable[str | tuple[str, str]] = (),
    ) -> None:
        self._records = {name.lower(): kinds for name, kinds in records.items()}
        self._silent = frozenset(silent)
        self.asked: list[tuple[str, str]] = []

    async def find(self, name: str, type: RecordType) -> Answer:
        name = name.lower().removesuffix(".")
        self.asked.append((name, type))
        aliases: list[str] = []
        here = name
        while True:
            answer: dict[str, Any] = {
                "name": name,
                "type": type,
                "canonical": here,
                "aliases": tuple(aliases),
            }
            kinds = self._records.get(here, {})
            if here in self._silent or ((here, type) in self._silent and type not in kinds):
                return Answer(**answer, found=Found.FAILED, detail="no answer in 5 s")
            if type in kinds:
                return Answer(
                    **answer, found=Found.RECORDS, records=tuple(kinds[type]), authoritative=True, ttl=300
                )
            if "CNAME" not in kinds:
                found = Found.NO_RECORDS if self._exists(here) else Found.NO_NAME
                return Answer(**answer, found=found, authoritative=True, ttl=60)
            aliases.append(here)
            here = kinds["CNAME"][0].lower()
            if len(aliases) > _MOST_ALIASES:
                return Answer(**answer, found=Found.FAILED, detail="too many aliases")

    def _exists(self, name: str) -> bool:
        return name in self._records or any(other.endswith("." + name) for other in self._records)
