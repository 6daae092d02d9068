"""Mail that our own ledger has, what SES would report of it, and what has to be counted in the end.

Documents are real ones of the local SES, with other ids, addresses, times and signed tags. Send events come in the order of the
mail and deliveries soon after them. Complaints, opens, clicks and late bounces are scattered over the rest of the stream, and one
document in a hundred comes twice.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mailcordon.core import address, ids, tags
from mailcordon.core.event import MOVES, Attempt, Kind
from mailcordon.core.installation import Installation

SPAN = 300_000  #: milliseconds over which the calls of a stream are spread
#: Nodes of the ids: one for each stream, and none that a process of a local system gets.
NODES = range(64, ids.NODES)
_SOON = 200  #: documents between a mail's Send event and its next one, at most
_TWICE = 0.01
#: share of the mail -> what SES reports after Send: kinds, and whether they come late
_LIVES: Sequence[tuple[float, Sequence[tuple[Kind, bool]]]] = (
    (0.925, ((Kind.DELIVERY, False),)),
    (0.025, ((Kind.HARD_BOUNCE, False),)),
    (0.015, ((Kind.SOFT_BOUNCE, False),)),
    (0.005, ((Kind.DELIVERY, False), (Kind.HARD_BOUNCE, True))),
    (0.002, ((Kind.DELIVERY, False), (Kind.COMPLAINT, True))),
    (0.018, ((Kind.DELIVERY, False), (Kind.OPEN, True))),
    (0.010, ((Kind.DELIVERY, False), (Kind.OPEN, True), (Kind.CLICK, True))),
)
#: Providers as the ledger has them, and a domain of each.
_PROVIDERS = ((1, "gmail.com"), (2, "outlook.com"), (3, "yahoo.com"), (0, "inbox.example"))
SUPPRESSING = (Kind.HARD_BOUNCE, Kind.COMPLAINT)
#: Counted columns by kind, beside `sent`.
COUNTED = {
    Kind.DELIVERY: "delivered",
    Kind.HARD_BOUNCE: "hard_bounced",
    Kind.SOFT_BOUNCE: "soft_bounced",
    Kind.COMPLAINT: "complained",
    Kind.OPEN: "opened",
    Kind.CLICK: "clicked",
}

Cell = tuple[int, int, int]  #: lane, provider, minute


@dataclass(frozen=True, slots=True)
class Lane:
    id: int
    tenant: int
    tenant_key: str
    type: str
    path: str
    mail: Mapping[str, Any]  #: the member `mail` of an event of a real mail of this lane
    envelope: Mapping[str, Any] | None  #: SNS's, in which that event came


@dataclass(slots=True)
class Stream:
    documents: list[str] = field(default_factory=list[str])
    #: Address -> the place in `documents` of the first one that suppresses it.
    suppressing: dict[str, int] = field(default_factory=dict[str, int])
    messages: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    recipients: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    ledger: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    #: Cell -> column -> deliveries. `send_events` is counted as `sent` is.
    counts: dict[Cell, Counter[str]] = field(default_factory=dict[Cell, Counter[str]])
    outcomes: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])  #: state, kinds
    paths: dict[int, str] = field(default_factory=dict[int, str])  #: by lane


MESSAGE = ("id", "tenant", "lane", "path", "from_address", "recipients", "bytes", "api_key")
RECIPIENT = ("tenant", "hash", "id")
LEDGER = ("id", "tenant", "lane", "state", "attempt", "provider", "ses_id", "called_at", "at")
_SENT = 20


@dataclass(frozen=True, slots=True)
class _Mail:
    attempt: Attempt
    to: str
    ses_id: str
    json: str  #: the member `mail`
    envelope: Mapping[str, Any] | None


def make(lanes: Sequence[Lane], ours: Installation, events: int, *, run: str, node: int, now: int) -> Stream:
    """About `events` documents. `run` makes addresses unique, `node` ids. `now`: milliseconds since 1970, after the last call."""
    chance = random.Random(events)
    made = ids.IdGenerator(node)
    stream = Stream(paths={lane.id: lane.path for lane in lanes})
    placed: list[tuple[float, str, str | None]] = []  # place, document, the address that it suppresses
    shares = [share for share, _ in _LIVES]
    each = sum(share * (1 + len(rest)) for share, rest in _LIVES) * (1 + _TWICE)
    count = max(1, round(events / each))
    lives = chance.choices([rest for _, rest in _LIVES], shares, k=count)
    for number, life in enumerate(lives):
        lane = lanes[number % len(lanes)]
        of, domain = _PROVIDERS[number % len(_PROVIDERS)]
        called_at = now - SPAN + number * SPAN // count
        mail = _mail(lane, ours, made, f"{run}-{number}@{domain}", called_at)
        _keep(stream, lane, ours, mail, of)
        kinds = [Kind.SEND, *(kind for kind, _ in life)]
        _expect(stream, (lane.id, of, called_at // 60_000), mail.attempt.delivery, kinds)
        place = 2.0 * number
        placed += _twice(chance, place, _document(mail, Kind.SEND), None, 2.0 * count)
        for kind, late in life:
            place = chance.uniform(place, 2.0 * count) if late else place + chance.uniform(0, _SOON)
            suppresses = mail.to if kind in SUPPRESSING else None
            placed += _twice(chance, place, _document(mail, kind), suppresses, 2.0 * count)
    placed.sort(key=lambda one: one[0])
    for place, (_, document, suppresses) in enumerate(placed):
        stream.documents.append(document)
        if suppresses is not None:
            stream.suppressing.setdefault(suppresses, place)
    return stream


def _twice(
    chance: random.Random, place: float, document: str, suppresses: str | None, end: float
) -> Iterator[tuple[float, str, str | None]]:
    yield place, document, suppresses
    if chance.random() < _TWICE:
        yield chance.uniform(place, max(place, end)), document, suppresses


def _mail(lane: Lane, ours: Installation, made: ids.IdGenerator, to: str, called_at: int) -> _Mail:
    attempt = Attempt(
        installation=ours.name,
        tenant_key=lane.tenant_key,
        type=lane.type,
        delivery=made.next(called_at) + 1,
        attempt=1,
        called_at=called_at,
    )
    ses_id = f"0100{called_at:012x}-{attempt.delivery:016x}-000000"
    own = {name: [value] for name, value in tags.sign(ours.mac_key, attempt).items()}
    mail = {
        **lane.mail,
        "timestamp": _iso(called_at + 40),
        "messageId": ses_id,
        "destination": [to],
        "tags": {**lane.mail["tags"], **own},
    }
    return _Mail(attempt, to, ses_id, _json(mail), lane.envelope)


def _keep(stream: Stream, lane: Lane, ours: Installation, mail: _Mail, provider: int) -> None:
    delivery, called_at = mail.attempt.delivery, mail.attempt.called_at
    hash = address.hash_of(ours.hash_key, address.parse(mail.to))
    stream.messages.append(
        (
            ids.message_of(delivery),
            lane.tenant,
            lane.id,
            lane.path,
            f"hello@{lane.type}.example",
            [mail.to],
            1,
            1,
        )
    )
    stream.recipients.append((lane.tenant, hash, delivery))
    stream.ledger.append(
        (delivery, lane.tenant, lane.id, _SENT, 1, provider, mail.ses_id, called_at, called_at)
    )


def _expect(stream: Stream, cell: Cell, delivery: int, kinds: Sequence[Kind]) -> None:
    counts = stream.counts.setdefault(cell, Counter())
    counts["sent"] += 1
    counts.update(COUNTED[kind] for kind in kinds if kind is not Kind.SEND)
    state = max((MOVES[kind] for kind in kinds if kind in MOVES), key=lambda move: move[0])[1]
    stream.outcomes[delivery] = (int(state), sum(1 << kind for kind in kinds))


def _document(mail: _Mail, kind: Kind) -> str:
    at = _iso(mail.attempt.called_at + 1000 * (1 + kind))
    type, member = _member(kind, mail, at)
    document = f'{{"eventType":"{type}","mail":{mail.json},"{type.lower()}":{_json(member)}}}'
    return document if mail.envelope is None else _json({**mail.envelope, "Message": document})


def _member(kind: Kind, mail: _Mail, at: str) -> tuple[str, dict[str, Any]]:
    """Type of the event, and the member that only events of this kind have (ses.md 4.2)."""
    bounced = {
        "bouncedRecipients": [
            {
                "emailAddress": mail.to,
                "action": "failed",
                "status": "5.1.1" if kind is Kind.HARD_BOUNCE else "4.4.7",
                "diagnosticCode": f"smtp; 550 5.1.1 <{mail.to}>: User unknown in virtual mailbox table"
                if kind is Kind.HARD_BOUNCE
                else "smtp; 450 4.4.7 Message expired: connection timed out",
            }
        ],
        "timestamp": at,
        "feedbackId": f"f-{mail.ses_id}",
        "reportingMTA": "dns; a8-50.smtp-out.amazonses.com",
    }
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    match kind:
        case Kind.DELIVERY:
            return "Delivery", {
                "timestamp": at,
                "processingTimeMillis": 960,
                "recipients": [mail.to],
                "smtpResponse": "250 2.0.0 OK  1693000416 l9-20020a05620a28c900b si1864617qkp.664 - gsmtp",
                "reportingMTA": "a8-77.smtp-out.amazonses.com",
            }
        case Kind.HARD_BOUNCE:
            return "Bounce", {"bounceType": "Permanent", "bounceSubType": "General", **bounced}
        case Kind.SOFT_BOUNCE:
            return "Bounce", {"bounceType": "Transient", "bounceSubType": "General", **bounced}
        case Kind.COMPLAINT:
            return "Complaint", {
                "complainedRecipients": [{"emailAddress": mail.to}],
                "timestamp": at,
                "feedbackId": f"c-{mail.ses_id}",
                "complaintFeedbackType": "abuse",
                "userAgent": "Yahoo!-Mail-Feedback/2.0",
            }
        case Kind.OPEN:
            return "Open", {"timestamp": at, "ipAddress": "192.0.2.7", "userAgent": agent}
        case Kind.CLICK:
            return "Click", {
                "timestamp": at,
                "ipAddress": "192.0.2.7",
                "userAgent": agent,
                "link": "https://app.example/summary",
                "linkTags": None,
            }
        case _:
            return "Send", {}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
