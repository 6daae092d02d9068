"""What is known of recipients' domains, in the memory of a process: the answer of a dictionary, whatever the database or the DNS
do. It is filled at the start and follows what is learnt: within about a second while
this process meets new domains, else within five.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from time import monotonic, time
from typing import Any, NamedTuple, Protocol

import structlog

from mailcordon.core import provider
from mailcordon.core.errors import Unavailable
from mailcordon.core.pace import Pace, Rest
from mailcordon.core.provider import Provider

log: Any = structlog.get_logger()

MOST = 100_000  #: domains; the ones that were learnt first are dropped
MOST_WANTED = 10_000  #: domains that wait to be asked for; more are asked for when mail to them comes again
#: Quick while domains are asked for or learnt. At the slow pace a process that sends nothing follows what others learnt.
PACE = Pace(quick=1.0, slow=5.0)
PAGE = 2_000  #: answers of one read: mail that arrives meanwhile waits for no more than a few ms
OVERLAP_MS = 10_000  #: read again each time: what was written at a time may be committed a little later
FORGET_EVERY = 30.0  #: seconds after which a domain that is still unknown is asked for again
FAILED_PAUSE = 2.0  #: seconds
_PROVIDERS = 1024  #: more than there are


class Answer(NamedTuple):
    domain: str
    provider: int
    expires_at: int  #: milliseconds since 1970
    asked_at: int


class Feed(Protocol):
    async def newest_since(self, most: int) -> int:
        """Since when so many domains were asked; 0: since ever. Milliseconds since 1970."""
        ...

    async def asked_since(self, since: int, most: int) -> list[Answer]:
        """From a time on, the oldest first."""
        ...

    async def want(self, wanted: Mapping[str, str]) -> None:
        """Domains, and the slug of the tenant whose mail met each; "" if that is not known."""
        ...


class ProviderTable:
    """`most`: domains that are remembered. `now`: seconds since 1970."""

    def __init__(
        self, feed: Feed | None = None, *, most: int = MOST, now: Callable[[], float] = time
    ) -> None:
        self._feed = feed
        self._most = most
        self._now = now
        #: By domain: the minute since 1970 up to which the answer holds, times _PROVIDERS, plus the provider's number and 1.
        #: One integer instead of an object, since there are many.
        self._known: dict[str, int] = {}
        self._minute = int(now() // 60)
        self._wanted: dict[str, str] = {}
        self._asked: set[str] = set()
        self._asked_since = 0.0
        self._read_to: int | None = None
        self._new = False  #: the last read brought answers, or asked
        self._met = asyncio.Event()  #: a domain that is to be asked for

    def __len__(self) -> int:
        return len(self._known)

    def of(self, domain: str, slug: str = "") -> int:
        """The provider of a domain in DNS form, as far as this process knows; an unknown one is asked for in the background, in
        the turn of the tenant `slug`. An answer that has expired is still the best there is."""
        public = provider.of(domain)
        if public is not Provider.UNKNOWN:
            return public
        known = self._known.get(domain, 0)
        if (
            known // _PROVIDERS < self._minute
            and domain not in self._asked
            and len(self._wanted) < MOST_WANTED
        ):
            self._wanted.setdefault(domain, slug)
            self._met.set()
        return known % _PROVIDERS - 1

    def put(self, answers: Sequence[Answer]) -> None:
        known = self._known
        for domain, number, expires_at, _ in answers:
            known.pop(domain, None)  # to its new place, at the end
            known[domain] = expires_at // 60_000 * _PROVIDERS + number + 1
        for domain in list(islice(known, max(0, len(known) - self._most))):
            del known[domain]

    async def read(self) -> None:
        """Reads what was learnt since the last time, and asks for what was met meanwhile."""
        if self._feed is None:
            return
        self._minute = int(self._now() // 60)
        if self._read_to is None:
            self._read_to = await self._feed.newest_since(self._most)
        since = self._read_to - OVERLAP_MS
        while True:
            answers = await self._feed.asked_since(since, PAGE)
            self._new = self._new or bool(answers and answers[-1].asked_at > self._read_to)
            self.put(answers)
            if answers:
                self._read_to = max(self._read_to, answers[-1].asked_at)
            if len(answers) < PAGE or answers[-1].asked_at == since:
                break
            since = answers[-1].asked_at
        await self._want()

    async def _want(self) -> None:
        now = self._now()
        if now - self._asked_since > FORGET_EVERY:
            self._asked.clear()
            self._asked_since = now
        if not self._wanted or self._feed is None:
            return
        wanted, self._wanted = self._wanted, {}
        self._new = True
        await self._feed.want(wanted)
        self._asked.update(wanted)
        if len(self._asked) > self._most:
            self._asked.clear()

    async def run(self) -> None:
        """Reads until it is cancelled. While the database does not answer, the table stays as it is."""
        rest = Rest(PACE, monotonic())
        while True:
            pause, self._new = 0.0, False
            self._met.clear()
            rest.begins()
            try:
                await self.read()
            except Unavailable as problem:
                log.warning("reading mailbox providers failed", problem=str(problem))
                pause = FAILED_PAUSE
            except Exception:
                log.exception("reading mailbox providers failed")
                pause = FAILED_PAUSE
            rest.ends(monotonic(), worked=self._new)
            await asyncio.sleep(max(pause, rest.pace.quick))
            left = rest.over_at - monotonic()
            if left > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._met.wait()
