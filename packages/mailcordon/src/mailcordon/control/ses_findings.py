"""SES's own findings about tenants, domains and the account: bounces, complaints, third-party complaints and blocklists
(ses.md 1.7).

SES is asked for what is open, type by type: four calls, whatever the number of tenants. A notice on the event bus is only a hint
to ask at once: it is best effort and nothing proves it. What cannot be read is kept as it was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from mailcordon.control.administration import SesError
from mailcordon.control.work import Work
from mailcordon.core.clock import boot_time

#: Those that concern the sending of a tenant. DKIM, SPF, DMARC and BIMI are checked by ourselves (control/identity_checks.py).
TYPES = ("BOUNCE", "COMPLAINT", "FEEDBACK_3P", "IP_LISTING")
EVERY = 300.0  #: seconds between two looks without a hint; SES's own windows are of hours (ses.md 1.7)
APART = 5.0  #: seconds between two looks, however many notices come
AGAIN = 60.0  #: seconds after a notice: the list may show it later than the bus
KEEP_MS = 90 * 86_400_000
_LONGEST = 1_000  #: characters of SES's words


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A finding that SES shows as open."""

    arn: str
    name: str
    type: str
    impact: str
    description: str
    since: int | None  #: milliseconds since 1970


class Advisor(Protocol):
    def doing(self, work: Work, tenant: int | None) -> "Advisor": ...

    async def open_recommendations(self, type: str) -> Sequence[Mapping[str, Any]]:
        """Raises SesError."""
        ...


class SesFindingStore(Protocol):
    async def see(self, shown: Sequence[Shown], types: Sequence[str]) -> None:
        """Opens what is shown, and ends what is open of these types and not shown."""
        ...

    async def purge(self, older_ms: int) -> None: ...


class SesFindings:
    def __init__(
        self,
        store: SesFindingStore,
        ses: Advisor,
        *,
        every: float = EVERY,
        keep_ms: int = KEEP_MS,
        clock: Callable[[], float] = boot_time,
    ) -> None:
        self._store, self._ses = store, ses
        self._every, self._keep_ms, self._clock = every, keep_ms, clock
        self._due = [clock()]  # when to look
        self._looked: float | None = None
        self.problem: str | None = None  #: why SES did not answer last

    def notice(self) -> None:
        """SES has told of a finding on the event bus."""
        now = self._clock()
        self._due = sorted({*self._due[:1], now, now + AGAIN})

    async def advance(self) -> bool:
        """Looks if it is time. Returns whether it did. Raises what the database raises."""
        now = self._clock()
        if self._due[0] > now or (self._looked is not None and now - self._looked < min(APART, self._every)):
            return False
        self._due = [at for at in self._due if at > now] or [now + self._every]
        self._looked = now
        await self._look()
        return True

    async def _look(self) -> None:
        ses = self._ses.doing(Work.POLLING, None)
        shown: list[Shown] = []
        read: list[str] = []
        problem = None
        for type in TYPES:
            try:
                found = await ses.open_recommendations(type)
            except SesError as error:
                problem = str(error)
                continue
            read.append(type)
            shown += [one for each in found if (one := parse(each)) is not None]
        if read:
            await self._store.see(shown, read)
            await self._store.purge(self._keep_ms)
        self.problem = problem


def parse(found: Mapping[str, Any]) -> Shown | None:
    """None if it names no resource or type: enums and members are SES's, and may grow."""
    arn, type = found.get("ResourceArn"), found.get("Type")
    if not isinstance(arn, str) or not isinstance(type, str) or not arn or not type:
        return None
    return Shown(
        arn=_text(arn),
        name=name_of(_text(arn)),
        type=_text(type),
        impact=_text(found.get("Impact") or "LOW"),
        description=_text(found.get("Description") or ""),
        since=_ms(found.get("CreatedTimestamp")),
    )


def name_of(arn: str) -> str:
    """`mc-acme` of `…:tenant/mc-acme/tn-1`, the domain of an identity, else the last part of the ARN."""
    kind, _, rest = arn.rpartition(":")[2].partition("/")
    if not rest:
        return kind or arn
    return rest.partition("/")[0] if kind == "tenant" else rest


def _text(value: object) -> str:
    # PostgreSQL stores neither NUL nor halves of surrogate pairs.
    return str(value).replace("\0", "").encode(errors="replace").decode()[:_LONGEST]


def _ms(value: object) -> int | None:
    """A time as Administer returns it: ISO 8601."""
    if not isinstance(value, str):
        return None
    try:
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
