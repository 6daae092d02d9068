"""Finds large batches of marketing mail as they arrive, so that each is a release before much of it is stored (docs/pacing.md).

A batch is mail of one lane with one campaign or list, or a lane's mail without either. An app hands it in message by message and
says nowhere how many there will be. So each accepting process counts, and tells the store of a batch when it is no longer a
trickle. Mail that arrived before that, some hundred at most, is not paced.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from mailcordon.core.priority import Class
from mailcordon.send.ports import Arrived, BatchName, NewMessage

TRICKLE = 100  #: deliveries of a name that arrive in one window without being a batch
#: Deliveries of a lane that arrive in one window under names of which none is a batch. More is paced as the lane's: an app may
#: make up a campaign for each mail.
SCATTERED = 1_000
WINDOW = 60.0  #: seconds
TELL_EVERY = 1.0  #: seconds between two counts of a batch that is known
#: Seconds after which a batch is made known again: it may be over, and is then a new one.
KNOWN_FOR = 300.0
MOST = 50_000  #: names that are remembered


class Batches:
    """`monotonic`: seconds of a clock that does not jump."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, *, trickle: int = TRICKLE) -> None:
        self._monotonic = monotonic
        self._trickle = trickle
        self._counts: Counter[BatchName] = Counter()  #: not told yet
        self._scattered: Counter[BatchName] = Counter()  #: by lane, under names that are not known
        self._since = 0.0
        self._known: dict[BatchName, tuple[float, float]] = {}  #: made known at, last told at

    def _batches(self, message: NewMessage) -> Sequence[BatchName]:
        """With the lane, once much of its mail has names that are no batch."""
        own = names(message)
        if not own or own[0].kind == "lane" or any(name in self._known for name in own):
            return own
        lane = BatchName(own[0].tenant, own[0].lane, "lane", "")
        if lane not in self._known:
            self._scattered[lane] += len(message.deliveries)
            if self._scattered[lane] < SCATTERED:
                return own
            self._counts[lane] += self._scattered.pop(lane) - len(message.deliveries)
        return [*own, lane]

    def arrive(self, messages: Iterable[NewMessage]) -> Sequence[Arrived]:
        """Counts the messages, which are about to be stored. Returns what the store has to be told before."""
        marketing = [one for one in messages if one.route.lane.class_ is Class.MARKETING]
        if not marketing:
            return ()
        now = self._monotonic()
        if now - self._since > WINDOW or len(self._counts) > MOST:
            # What came as a trickle is forgotten; counts of known batches are told by then.
            self._counts = Counter({name: n for name, n in self._counts.items() if name in self._known})
            self._scattered.clear()
            self._since = now
        if len(self._known) > MOST:
            self._known.clear()
        touched: set[BatchName] = set()
        for message in marketing:
            for name in self._batches(message):
                self._counts[name] += len(message.deliveries)
                touched.add(name)
        return [Arrived(name, self._counts[name]) for name in sorted(touched) if self._due(name, now)]

    @property
    def any_known(self) -> bool:
        """Whether the store was told of any batch: without, `rest` returns none."""
        return bool(self._known)

    def rest(self) -> Sequence[Arrived]:
        """What the store was not told yet of batches that it knows, for when no more mail comes."""
        return [Arrived(name, n) for name, n in sorted(self._counts.items()) if n and name in self._known]

    def told(self, arrived: Sequence[Arrived]) -> None:
        """The store knows of these."""
        now = self._monotonic()
        for name, deliveries in arrived:
            self._counts[name] -= deliveries
            made_known, _ = self._known.get(name, (now, now))
            self._known[name] = (made_known if now - made_known <= KNOWN_FOR else now, now)

    def _due(self, name: BatchName, now: float) -> bool:
        known = self._known.get(name)
        if known is None or now - known[0] > KNOWN_FOR:
            return self._counts[name] >= self._trickle
        return now - known[1] >= TELL_EVERY


def names(message: NewMessage) -> Sequence[BatchName]:
    """The batches that a message belongs to. Urgent and transactional mail belongs to none."""
    lane = message.route.lane
    if lane.class_ is not Class.MARKETING:
        return ()
    tenant = lane.tenant
    found: list[BatchName] = []
    if message.campaign is not None:
        found.append(BatchName(tenant, lane.id, "campaign", message.campaign))
    if message.list is not None:
        found.append(BatchName(tenant, lane.id, "list", message.list))
    return found or (BatchName(tenant, lane.id, "lane", ""),)
