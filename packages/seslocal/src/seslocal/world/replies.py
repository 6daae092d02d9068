"""The providers' own words: for each mail system, outcome and cause the SMTP replies that it really gives (`data/replies`).

`answer` makes the whole verdict of an attempt. `find` finds only the words."""

from __future__ import annotations

import re
import tomllib
from binascii import hexlify
from bisect import bisect
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, Literal
from zlib import crc32

import msgspec

from seslocal.world import delays
from seslocal.world.envelope import Envelope
from seslocal.world.providers import system_of, system_of_domain
from seslocal.world.reply import Reply
from seslocal.world.verdict import Cause, Kind, Verdict

Outcome = Literal["accept", "defer", "refuse", "return"]  #: return: a bounce that comes after an acceptance
Case = tuple[str, str, str]  #: outcome, cause and what it is about
#: What a refusal is about, where a provider has different words for it.
About = Literal["", "ip", "domain", "person", "dmarc", "spf", "needs_dmarc", "needs_dkim", "needs_one_click"]

#: Where a system has no words for a cause, it uses those for another, as real hosts do.
INSTEAD: Final[dict[str, Cause]] = {
    "moved": "no_mailbox",
    "disabled": "no_mailbox",
    "greylisted": "rate",
    "rule": "authentication",
    "authentication": "reputation",
    "content": "reputation",
    "listed": "reputation",
    "too_large": "content",
    "full": "weather",
    "rate": "weather",
    "reputation": "rate",
}

_WIDTH: Final = 192  # bits of a reply's ids, of which 53 are drawn
_SPREAD: Final = 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251
_MASK: Final = (1 << _WIDTH) - 1
_DIGITS: Final = b"0123456789abcdef"
#: forms of ids: what stands for each hexadecimal digit
_FORMS: Final = {
    "hex": bytes.maketrans(b"", b""),
    "HEX": bytes.maketrans(_DIGITS, b"0123456789ABCDEF"),
    "dec": bytes.maketrans(_DIGITS, b"0123456789170395"),
    "low": bytes.maketrans(_DIGITS, b"qazwsxedcrfvtgbn"),
    "up": bytes.maketrans(_DIGITS, b"0A1B2N3P4F5T6X7M"),
    "mix": bytes.maketrans(_DIGITS, b"4Qx1ZbWm7TgLk9Pr"),
}


class Gap(msgspec.Struct, frozen=True):
    """A gap in a reply."""

    of_mail: Callable[[Envelope, float], str] | None  #: what fills it, unless an id does
    form: bytes = b""
    start: int = 0  #: of the part of the ids that it has
    end: int = 0


Piece = str | Gap


class Text(msgspec.Struct, frozen=True):
    """A reply of a system, with gaps that are filled for each mail."""

    code: int
    status: str
    pieces: tuple[Piece, ...]


class Words(msgspec.Struct, frozen=True):
    """What a system says in one case: one of several replies."""

    ends: tuple[float, ...]  #: where the part of each in [0, 1) ends
    texts: tuple[Text, ...]


class Voice(msgspec.Struct, frozen=True):
    """A system's words and hosts."""

    words: dict[Case, Words]
    hosts: tuple[tuple[Piece, ...], ...]
    hosts_of_own_domain: tuple[tuple[Piece, ...], ...]
    addresses: tuple[str, ...]  #: set aside for documentation (RFC 5737, RFC 3849)


def find(
    outcome: Outcome, cause: Cause, envelope: Envelope, chance: float, at: float = 0.0, about: About = ""
) -> Reply:
    """Returns what the system of the mail's recipient says. `chance` in [0, 1) chooses among a system's replies and fills their
    ids: the same chance gives the same reply. `about` is a hint: where the system has no such words, it does not matter."""
    return _find(system_of(envelope.recipient).name, outcome, cause, envelope, chance, at, about)


def cases(system: str) -> list[Case]:
    """Returns the cases in which this system has words of its own, sorted."""
    return sorted(_voice(system).words)


def all_of(system: str, case: Case, envelope: Envelope, at: float) -> list[Reply]:
    """Returns all replies of one case, filled for this mail."""
    texts = _voice(system).words[case].texts
    return [Reply(text.code, text.status, _fill(text.pieces, envelope, 0.5, at)) for text in texts]


def answer(
    kind: Kind,
    cause: Cause,
    envelope: Envelope,
    chance: float,
    at: float,
    *,
    about: About = "",
    why: str = "",
    slower: float = 1.0,
) -> Verdict:
    """Returns the verdict of an attempt with the words, host, address and time of the recipient's system.

    `chance` in [0, 1) must be drawn for this alone. `slower` is the weather's factor of the time. Some systems look a recipient
    up only after they have accepted: their refusals for `no_mailbox` or `full` become an acceptance that is returned later
    (`returned`, `bounce`; the cause stays)."""
    receiver = _receiver(envelope.recipient.rpartition("@")[2].lower())
    # One number of 53 bits serves for all: what to say, whether and when it bounces, which host, and how long it takes.
    rest = chance * 1021.0 % 1.0
    returned = None
    bounce = None
    outcome: Outcome = "accept"
    if kind == "defer":
        outcome = "defer"
    elif kind == "refuse":
        returned = delays.returned(receiver.system, cause, rest)
        if returned is None:
            outcome = "refuse"
        else:
            bounce = _find(receiver.system, "return", cause, envelope, chance, at + returned, about)
            kind = "inbox"
    words = receiver.accepts if outcome == "accept" else _words(receiver.system, outcome, cause, about)
    text = words.texts[0] if len(words.texts) == 1 else words.texts[bisect(words.ends, chance)]
    which = int(rest * 60)
    reached = cause != "no_host"
    law = receiver.times[outcome]
    return Verdict(
        kind=kind,
        provider=receiver.provider,
        code=text.code,
        status=text.status,
        text=_fill(text.pieces, envelope, chance, at),
        host=receiver.hosts[which % len(receiver.hosts)] if reached else "",
        address=receiver.addresses[which % len(receiver.addresses)] if reached else "",
        seconds=min(law.most, law.at(rest * 1021.0 % 1.0) * slower),
        cause=cause,
        returned=returned,
        bounce=bounce,
        why=why,
    )


class _Receiver(msgspec.Struct, frozen=True):
    """Who receives the mail of a domain."""

    system: str
    provider: str
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    times: dict[str, delays.Law]  #: of an attempt, by outcome
    accepts: Words  #: what it says then


@lru_cache(maxsize=50_000)
def _receiver(domain: str) -> _Receiver:
    system = system_of_domain(domain)
    voice = _voice(system.name)
    own = Envelope(
        key="",
        recipient=f"@{domain}",
        from_domain="",
        signed_by=None,
        spf=False,
        aligned=False,
        mail_from="",
        pool="",
        ip="",
    )
    hosts = voice.hosts if system.public else voice.hosts_of_own_domain
    # The ids in the names of an organisation's hosts are of its domain.
    named = tuple([_fill(host, own, crc32(domain.encode()) / 2**32, 0.0) for host in hosts])
    accepts = _words(system.name, "accept", "", "")
    return _Receiver(system.name, system.provider, named, voice.addresses, _times(system.name), accepts)


@cache
def _times(system: str) -> dict[str, delays.Law]:
    return {outcome: delays.processing(system, outcome) for outcome in ("accept", "defer", "refuse")}


def _find(
    system: str, outcome: str, cause: str, envelope: Envelope, chance: float, at: float, about: str
) -> Reply:
    words = _words(system, outcome, cause, about)
    text = words.texts[0] if len(words.texts) == 1 else words.texts[bisect(words.ends, chance)]
    return Reply(text.code, text.status, _fill(text.pieces, envelope, chance, at))


def _fill(pieces: tuple[Piece, ...], envelope: Envelope, chance: float, at: float) -> str:
    if len(pieces) == 1 and isinstance(pieces[0], str):
        return pieces[0]
    ids = b""
    parts: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(piece)
        elif piece.of_mail is not None:
            parts.append(piece.of_mail(envelope, at))
        else:
            if not ids:
                ids = hexlify(((int(chance * 2**53) + 1) * _SPREAD & _MASK).to_bytes(_WIDTH // 8))
            parts.append(ids[piece.start : piece.end].translate(piece.form).decode())
    return "".join(parts)


def _domain(recipient: str) -> str:
    return recipient.rpartition("@")[2].lower()


def _number(envelope: Envelope) -> int:
    return crc32(_domain(envelope.recipient).encode())


def _result(passes: bool) -> str:
    return "Pass" if passes else "Fail"


_GAPS: Final[dict[str, Callable[[Envelope, float], str]]] = {
    "recipient": lambda envelope, at: envelope.recipient,
    "user": lambda envelope, at: envelope.recipient.rpartition("@")[0],
    "there": lambda envelope, at: _domain(envelope.recipient),
    "dashed": lambda envelope, at: _domain(envelope.recipient).replace(".", "-"),
    # The numbers that Cisco and Proofpoint give to a customer, in the names of its hosts.
    "hc": lambda envelope, at: f"{1000 + _number(envelope) % 9000}-{10 + _number(envelope) % 89}",
    "pp": lambda envelope, at: f"{_number(envelope) % 0x1000000:06x}",
    "ip": lambda envelope, at: envelope.ip,
    "netblock": lambda envelope, at: envelope.ip.rpartition(".")[0] + ".0/24",
    "domain": lambda envelope, at: envelope.domain,
    "from_domain": lambda envelope, at: envelope.from_domain,
    "mail_from": lambda envelope, at: envelope.mail_from,
    "size": lambda envelope, at: str(envelope.size),
    "spf": lambda envelope, at: _result(envelope.spf),
    "dkim": lambda envelope, at: _result(envelope.signed_by is not None),
    "dmarc": lambda envelope, at: _result(envelope.aligned),
    "spf_result": lambda envelope, at: "passed" if envelope.spf else "did not pass",
    "dkim_result": lambda envelope, at: "passed" if envelope.signed_by is not None else "did not pass",
    "time": lambda envelope, at: str(int(at)),
    "iso": lambda envelope, at: datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
    "message_id": lambda envelope, at: "{message_id}",  # only who sent the mail knows it: Reply.spoken
}


@cache
def _words(system: str, outcome: str, cause: str, about: str) -> Words:
    words = _voice(system).words
    tried: set[str] = set()
    while cause not in tried:
        found = words.get((outcome, cause, about)) or words.get((outcome, cause, ""))
        if found is not None:
            return found
        tried.add(cause)
        cause = INSTEAD.get(cause, cause)
    # What a sending host that cannot reach anyone says.
    found = _voice("unreachable").words.get((outcome, cause, ""))
    return found or _voice("unreachable").words[outcome, "", ""]


@cache
def _voice(system: str) -> Voice:
    given = read(system)
    found: dict[Case, list[tuple[float, Text]]] = {}
    for reply in given["reply"]:
        case: Case = (reply["kind"], reply.get("cause", ""), reply.get("about", ""))
        text = Text(reply["code"], reply["status"], _pieces(reply["text"]))
        found.setdefault(case, []).append((float(reply.get("share", 1)), text))
    hosts = tuple([_pieces(host) for host in given["hosts"]])
    return Voice(
        {case: _choice(texts) for case, texts in found.items()},
        hosts,
        tuple([_pieces(host) for host in given.get("hosts_of_own_domain", ())]) or hosts,
        tuple(given["addresses"]),
    )


def read(system: str) -> dict[str, Any]:
    """Returns the file of a system, as it is."""
    path = Path(__file__).with_name("data") / "replies" / f"{system}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _choice(texts: list[tuple[float, Text]]) -> Words:
    total = sum([share for share, _ in texts])
    ends: list[float] = []
    end = 0.0
    for share, _ in texts[:-1]:
        end += share / total
        ends.append(end)
    return Words(tuple(ends), tuple([text for _, text in texts]))


_GAP: Final = re.compile(r"\{([a-z_]+|[A-Za-z]+?)(\d*)\}")


def _pieces(text: str) -> tuple[Piece, ...]:
    """`{recipient}` and the like are gaps; `{hex13}` is an id of 13 digits of that form."""
    pieces: list[Piece] = []
    last = used = 0
    for gap in _GAP.finditer(text):
        if gap.start() > last:
            pieces.append(text[last : gap.start()])
        last = gap.end()
        name, length = gap[1], int(gap[2] or 0)
        if length:
            # The ids of one reply are parts of one number; the last of a long reply may repeat the first.
            start = used % (_WIDTH // 4)
            if start + length > _WIDTH // 4:
                start = 0
            pieces.append(Gap(None, _FORMS[name], start, start + length))
            used = start + length
        else:
            pieces.append(Gap(_GAPS[name]))
    if last < len(text):
        pieces.append(text[last:])
    return tuple(pieces)
