"""The ground truth: what really became of each mail, and tables of it. It counts every mail and keeps the newest ones."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import msgspec

from seslocal.world.envelope import Envelope
from seslocal.world.people import Person
from seslocal.world.reaction import Reaction
from seslocal.world.tables import Tables
from seslocal.world.verdict import Verdict

_BLOCK: Final = 32  # mails that are compressed together
_WINDOW: Final = -12  # bits, and no header, of a single mail's packing

#: how a mail to one recipient ended. "": under way. suppressed: it was never attempted. returned: accepted, then it came back
Ended = Literal["", "inbox", "spam", "refused", "returned", "expired", "suppressed"]
GIVE_UP: Final = 14 * 3600.0  #: seconds after which a sender gives up


class MailTruth(msgspec.Struct, array_like=True):
    """One mail to one recipient."""

    name: str  #: what the caller calls the mail, for example SES's message id; its recipients share it
    envelope: Envelope
    submitted: float  #: seconds since the epoch; the first attempt is made then
    give_up: float = GIVE_UP  #: seconds after which the sender gives up
    attempts: list[tuple[float, Verdict]] = []
    ended: Ended = ""
    why: str = ""  #: why it was suppressed

    @property
    def last(self) -> Verdict | None:
        return self.attempts[-1][1] if self.attempts else None


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[list[MailTruth]]).decode
_decode_one: Final = msgspec.msgpack.Decoder(list[MailTruth]).decode


@dataclass(slots=True, eq=False)
class _Block:
    """Several mails that have ended, encoded and compressed."""

    number: int
    data: bytes
    mails: int  #: that are kept in it


#: one mail's recipients; or packed, while a deferred one waits; or the block that it is in
_Kept = list[MailTruth] | bytes | _Block


class Truth:
    """Keeps the newest `most` mails (0: none) and the tables of all. The envelope given to each method is the one the mail was
    submitted with. What happens to a mail that is no longer kept is still counted."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.tables = Tables()
        self.forgotten = 0  #: mails that were kept and no longer are
        self._mails: dict[str, _Kept] = {}
        self._ended: list[str] = []  # names of those that have ended and are in no block yet
        self._blocks: dict[int, _Block] = {}
        self._number = 0  # of the newest block
        self._restored: list[tuple[float, str]] = []  # submission and name, until they are put in order

    def submitted(self, name: str, envelope: Envelope, at: float, give_up: float = GIVE_UP) -> None:
        self.tables.cell(envelope).mails += 1
        if not self.most:
            return
        if self._restored:
            self._arrange()
        kept = self._mails.get(name)
        if kept is None:
            kept = self._mails[name] = []
            if len(self._mails) > self.most:
                self._forget(next(iter(self._mails)))
        elif not isinstance(kept, list):
            kept = self._taken_out(name, kept)
        kept.append(MailTruth(name, envelope, at, float(give_up)))

    def attempted(
        self, name: str, envelope: Envelope, number: int, at: float, verdict: Verdict, person: Person
    ) -> None:
        """A receiving host answered attempt `number`, from 1."""
        cell = self.tables.cell(envelope)
        cell.attempts += 1
        ended: Ended = ""
        if verdict.kind == "defer":
            cell.deferrals += 1
            if number == 1:
                cell.deferred += 1
        elif verdict.kind == "refuse":
            cell.refused += 1
            ended = "refused"
        else:
            cell.accepted += 1
            if person.trap:
                self.tables.trapped(envelope, person, at)
                cell.trapped += 1
            if verdict.returned is None:
                ended = verdict.kind
                if ended == "inbox":
                    cell.inbox += 1
                else:
                    cell.spam += 1
        if self.most:
            self._change(name, envelope, ended, (at, verdict))

    def happened(self, name: str, envelope: Envelope, reaction: Reaction, at: float) -> None:
        """The recipient, or a machine, did this."""
        self.tables.cell(envelope).did(reaction)

    def reported(self, name: str, envelope: Envelope, at: float) -> None:
        """The sender was told of a complaint."""
        self.tables.cell(envelope).complaints_known += 1

    def returned(self, name: str, envelope: Envelope, at: float) -> None:
        """A mail that was accepted came back."""
        self.tables.cell(envelope).returned += 1
        if self.most:
            self._change(name, envelope, "returned")

    def expired(self, name: str, envelope: Envelope, at: float) -> None:
        """The sender gave up after deferrals."""
        self.tables.cell(envelope).expired += 1
        if self.most:
            self._change(name, envelope, "expired")

    def suppressed(self, name: str, envelope: Envelope, at: float, why: str) -> None:
        """The sender's own side held it back. Called after `submitted`, and no attempt follows."""
        self.tables.cell(envelope).suppressed += 1
        if self.most:
            self._change(name, envelope, "suppressed", why=why)

    def find(self, name: str) -> list[MailTruth]:
        """Returns a mail's recipients; empty if it is unknown or no longer kept."""
        kept = self._mails.get(name, [])
        return _opened(name, kept, _read)

    def mails(self, after: str | None = None) -> Iterator[MailTruth]:
        """Yields what is kept, or what is kept after the mail of this name, in the order of submission."""
        if self._restored:
            self._arrange()
        names = iter(list(self._mails))
        if after is not None:
            for name in names:
                if name == after:
                    break
        yield from _each((name, self._mails.get(name, [])) for name in names)

    def snapshot(self) -> Callable[[], Iterator[MailTruth]]:
        """Returns what yields the mails that are kept now, as they are now, whatever happens later. It shares the blocks."""
        if self._restored:
            self._arrange()
        found = [
            (name, [_copied(mail) for mail in kept] if isinstance(kept, list) else kept)
            for name, kept in self._mails.items()
        ]
        return lambda: _each(found)

    def keep(self) -> Iterator[tuple[str, bytes]]:
        """Yields everything in parts with names. Most parts never change."""
        yield "tables", self.tables.keep()
        yield "forgotten", _encode(self.forgotten)
        for block in self._blocks.values():
            yield f"block {block.number}", block.data
        for name, kept in self._mails.items():
            if not isinstance(kept, _Block):
                yield f"mail {name}", _packed(kept) if isinstance(kept, list) else kept

    def restore(self, name: str, part: bytes) -> None:
        """Takes over a part that `keep` yielded. Raises msgspec.DecodeError, zlib.error."""
        kind, _, rest = name.partition(" ")
        match kind:
            case "tables":
                self.tables.restore(part)
            case "forgotten":
                self.forgotten = msgspec.msgpack.decode(part, type=int)
            case "block":
                self._restore_block(_Block(int(rest), part, 0))
            case "mail":
                mails = _unpacked(part)
                if isinstance(before := self._mails.get(rest), _Block):
                    self._left(before)
                self._mails[rest] = mails if all(mail.ended for mail in mails) else part
                self._restored.append((mails[0].submitted, rest))
            case _:
                raise ValueError(name)

    def __len__(self) -> int:
        """The number of mails kept."""
        return len(self._mails)

    @property
    def bytes(self) -> int:
        """The memory that the mails take which are in blocks, without their names."""
        return sys.getsizeof(self._mails) + sum(sys.getsizeof(one.data) for one in self._blocks.values())

    def _change(
        self,
        name: str,
        envelope: Envelope,
        ended: Ended,
        attempt: tuple[float, Verdict] | None = None,
        why: str = "",
    ) -> None:
        mails = self._mails.get(name)
        if mails is None:
            return
        if not isinstance(mails, list):
            mails = self._taken_out(name, mails)
        under_way = waits = False
        for mail in mails:
            if mail.envelope.recipient == envelope.recipient:
                mail.ended, mail.why = ended, why
                if attempt is not None:
                    mail.attempts.append(attempt)
            if not mail.ended:
                under_way, waits = True, waits or bool(mail.attempts)
        if waits:
            self._mails[name] = _packed(mails)  # for hours perhaps, with the texts of all attempts
        elif not under_way:
            self._ended.append(name)
            if len(self._ended) >= _BLOCK:
                self._compress()

    def _taken_out(self, name: str, kept: bytes | _Block) -> list[MailTruth]:
        mails = self._mails[name] = _opened(name, kept, _read)
        if isinstance(kept, _Block):
            self._left(kept)
        return mails

    def _left(self, block: _Block) -> None:
        block.mails -= 1
        if not block.mails:
            del self._blocks[block.number]

    def _forget(self, name: str) -> None:
        kept = self._mails.pop(name)
        self.forgotten += 1
        if isinstance(kept, _Block):
            self._left(kept)

    def _compress(self) -> None:
        names, self._ended = self._ended, []
        mails = {
            name: kept
            for name in names
            if isinstance(kept := self._mails.get(name), list) and all(mail.ended for mail in kept)
        }
        if mails:
            self._number += 1
            block = _Block(self._number, zlib.compress(_encode(list(mails.values())), 1), len(mails))
            self._blocks[block.number] = block
            for name in mails:
                self._mails[name] = block

    def _restore_block(self, block: _Block) -> None:
        self._number = max(self._number, block.number)
        self._blocks[block.number] = block
        for mails in _read(block.data):
            name = mails[0].name
            before = self._mails.get(name)
            if isinstance(before, _Block):
                if before.number > block.number:
                    continue  # it was taken out of this block
                self._left(before)
            elif before is not None:
                continue
            self._mails[name] = block
            block.mails += 1
            self._restored.append((mails[0].submitted, name))
        if not block.mails:
            del self._blocks[block.number]

    def _arrange(self) -> None:
        """Puts restored mails in the order of submission. A block may have brought back some that were forgotten."""
        order, self._restored = dict.fromkeys(name for _, name in sorted(self._restored)), []
        self._mails = {name: self._mails[name] for name in order if name in self._mails}
        forgotten = self.forgotten
        while len(self._mails) > self.most:
            self._forget(next(iter(self._mails)))
        self.forgotten = forgotten
        self._ended = [
            name
            for name, kept in self._mails.items()
            if isinstance(kept, list) and all(mail.ended for mail in kept)
        ]


def _each(named: Iterable[tuple[str, _Kept]]) -> Iterator[MailTruth]:
    read = lru_cache(8)(_read)  # neighbours are mostly in the same block
    for name, kept in named:
        yield from _opened(name, kept, read)


def _copied(mail: MailTruth) -> MailTruth:
    return msgspec.structs.replace(mail, attempts=mail.attempts.copy())


def _read(block: bytes) -> list[list[MailTruth]]:
    return _decode(zlib.decompress(block))


def _opened(name: str, kept: _Kept, read: Callable[[bytes], list[list[MailTruth]]]) -> list[MailTruth]:
    if isinstance(kept, _Block):
        return next(mails for mails in read(kept.data) if mails[0].name == name)
    return _unpacked(kept) if isinstance(kept, bytes) else kept


def _packed(mails: list[MailTruth]) -> bytes:
    return zlib.compress(_encode(mails), 1, _WINDOW)


def _unpacked(packed: bytes) -> list[MailTruth]:
    return _decode_one(zlib.decompress(packed, _WINDOW))
