"""The ground truth: what really became of each mail, and tables of it. It counts every mail and keeps the newest ones."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal

import msgspec

from seslocal.world.envelope import Envelope
from seslocal.world.people import Person
from seslocal.world.reaction import Reaction
from seslocal.world.tables import Tables
from seslocal.world.verdict import Verdict

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


_BLOCK: Final = 32  # mails that are compressed together
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[list[MailTruth]]).decode


class Truth:
    """Keeps the newest `most` mails (0: none) and the tables of all. The envelope given to each method is the one the mail was
    submitted with. What happens to a mail that is no longer kept is still counted."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.tables = Tables()
        self.forgotten = 0  #: mails that were kept and no longer are
        #: one mail's recipients; or a block of several mails, once they have ended
        self._mails: dict[str, list[MailTruth] | bytes] = {}
        self._ended: list[str] = []  # names of those that have ended and are in no block yet

    def submitted(self, name: str, envelope: Envelope, at: float, give_up: float = GIVE_UP) -> None:
        self.tables.cell(envelope).mails += 1
        if not self.most:
            return
        mail = MailTruth(name, envelope, at, give_up)
        kept = self._mails.get(name)
        if kept is None:
            self._mails[name] = [mail]
            if len(self._mails) > self.most:
                del self._mails[next(iter(self._mails))]
                self.forgotten += 1
        elif isinstance(kept, bytes):
            self._mails[name] = [*_in(_read(kept), name), mail]
        else:
            kept.append(mail)

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
        return _in(_read(kept), name) if isinstance(kept, bytes) else kept

    def mails(self, after: str | None = None) -> Iterator[MailTruth]:
        """Yields what is kept, or what is kept after the mail of this name, in the order of submission."""
        names = iter(list(self._mails))
        if after is not None:
            for name in names:
                if name == after:
                    break
        read = lru_cache(8)(_read)  # neighbours are mostly in the same block
        for name in names:
            kept = self._mails.get(name, [])
            yield from _in(read(kept), name) if isinstance(kept, bytes) else kept

    def __len__(self) -> int:
        """The number of mails kept."""
        return len(self._mails)

    @property
    def bytes(self) -> int:
        """The memory that the mails take which are in blocks, without their names."""
        blocks = {id(one): one for one in self._mails.values() if isinstance(one, bytes)}
        return sys.getsizeof(self._mails) + sum(map(sys.getsizeof, blocks.values()))

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
        if isinstance(mails, bytes):
            mails = self._mails[name] = self.find(name)
        under_way = False
        for mail in mails:
            if mail.envelope.recipient == envelope.recipient:
                mail.ended, mail.why = ended, why
                if attempt is not None:
                    mail.attempts.append(attempt)
            under_way = under_way or not mail.ended
        if not under_way:
            self._ended.append(name)
            if len(self._ended) >= _BLOCK:
                self._compress()

    def _compress(self) -> None:
        names, self._ended = self._ended, []
        mails = {
            name: kept
            for name in names
            if isinstance(kept := self._mails.get(name), list) and all(mail.ended for mail in kept)
        }
        block = zlib.compress(_encode(list(mails.values())), 1)
        for name in mails:
            self._mails[name] = block


def _read(block: bytes) -> list[list[MailTruth]]:
    return _decode(zlib.decompress(block))


def _in(block: list[list[MailTruth]], name: str) -> list[MailTruth]:
    return next(mails for mails in block if mails[0].name == name)
