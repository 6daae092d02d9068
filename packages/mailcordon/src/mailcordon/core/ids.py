"""Time-ordered ids of 63 bits: 41 of milliseconds since 2026, 7 of node, 9 of counter, 6 of recipient.

A message's id has recipient 0; its deliveries are id + 1 to id + 50. So a delivery's id gives its message, its day (and
partition) and its age, and "expired" is a comparison of two integers. The time is that of the acceptance; of mail that is
scheduled, the time it is scheduled for. The public form is opaque text.
"""

from dataclasses import dataclass, field

from mailcordon.messages import api

EPOCH_MS = 1_767_225_600_000  #: 2026-01-01T00:00:00Z in milliseconds since 1970
MAX_RECIPIENTS = 50  #: per message; SES's limit (ses.md 3.3)
NODES = 128
SCHEDULED_NODE = 127  #: of mail that is scheduled, from any process; processes lease the others

_TIME_SHIFT = 22
_NODE_SHIFT = 15
_COUNTER_SHIFT = 6
_COUNTERS = 512
_RECIPIENT_MASK = 63
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
#: Our digits to those of `int`, all other bytes to an invalid one: `int` would accept blanks, signs and capitals.
_TO_PYTHON_DIGITS = bytes(
    ord("0123456789abcdefghijklmnopqrstuv"[_ALPHABET.index(chr(byte))])
    if chr(byte) in _ALPHABET
    else ord("!")
    for byte in range(256)
)
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_DIGITS = 13


def first_of(ms: int) -> int:
    """The lowest id at a time (milliseconds since 1970). Ids below it are older."""
    return (ms - EPOCH_MS) << _TIME_SHIFT


def ms_of(id: int) -> int:
    """When the message was accepted, or what time it is scheduled for, in milliseconds since 1970."""
    return (id >> _TIME_SHIFT) + EPOCH_MS


def scheduled(ms: int, place: int) -> int:
    """The id of a message for a time (milliseconds since 1970): of the second that begins then.

    `place` counts such messages, in all processes: 512,000 of one second that follow each other have different ids."""
    place, counter = divmod(place, _COUNTERS)
    return first_of(ms + place % 1000) | SCHEDULED_NODE << _NODE_SHIFT | counter << _COUNTER_SHIFT


def message_of(delivery: int) -> int:
    return delivery & ~_RECIPIENT_MASK


def recipient_of(delivery: int) -> int:
    """The number of the recipient in its message, from 1; 0 for a message's id."""
    return delivery & _RECIPIENT_MASK


def encode(id: int) -> str:
    """13 letters and digits, valid in a URL and in an SES tag (`[A-Za-z0-9_-]`, ses.md 3.3)."""
    pairs = _PAIRS
    return (
        _ALPHABET[id >> 60]
        + pairs[id >> 50 & 1023]
        + pairs[id >> 40 & 1023]
        + pairs[id >> 30 & 1023]
        + pairs[id >> 20 & 1023]
        + pairs[id >> 10 & 1023]
        + pairs[id & 1023]
    )


def decode(text: str) -> int:
    """The inverse of `encode`. Raises ValueError for any other text."""
    if len(text) != _DIGITS:
        raise ValueError(api.bad_id(_DIGITS))
    try:
        id = int(text.encode("ascii").translate(_TO_PYTHON_DIGITS), 32)
    except ValueError:
        raise ValueError(api.bad_id(_DIGITS)) from None
    if id >= 1 << 63:
        raise ValueError(api.bad_id(_DIGITS))
    return id


def message_id(id: int) -> str:
    return "msg_" + encode(id)


def delivery_id(id: int) -> str:
    return "dlv_" + encode(id)


def parse_message_id(text: str) -> int:
    """The message id from the public form of a message or of one of its deliveries. Raises ValueError."""
    prefix, _, rest = text.partition("_")
    if prefix not in ("msg", "dlv"):
        raise ValueError(api.bad_id_prefix())
    return message_of(decode(rest))


@dataclass(slots=True)
class IdGenerator:
    """Makes message ids on one node: increasing, and unique while no other process has the node, even if the clock steps back."""

    node: int  #: 0 to 127, leased
    _last: int = field(default=0)  #: milliseconds and counter of the newest id

    def __post_init__(self) -> None:
        if not 0 <= self.node < NODES:
            raise ValueError(f"a node is a number from 0 to {NODES - 1}")

    def next(self, now_ms: int) -> int:
        self._last = max(self._last + 1, (now_ms - EPOCH_MS) * _COUNTERS)
        ms, counter = divmod(self._last, _COUNTERS)
        return ms << _TIME_SHIFT | self.node << _NODE_SHIFT | counter << _COUNTER_SHIFT
