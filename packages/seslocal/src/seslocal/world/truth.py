"""The ground truth: what really became of each mail, and tables of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from seslocal.world.envelope import Envelope
from seslocal.world.people import Person
from seslocal.world.reaction import Reaction
from seslocal.world.verdict import Verdict


@dataclass(slots=True)
class MailTruth:
    """One mail to one recipient."""

    name: str  #: what the caller calls it, for example SES's message id
    envelope: Envelope
    submitted: float
    person: Person
    attempts: list[tuple[float, Verdict]] = field(default_factory=list[tuple[float, Verdict]])
    reactions: tuple[Reaction, ...] = ()
    ended: str = ""  #: "": under way; inbox, spam, refused, returned, expired

    @property
    def last(self) -> Verdict | None:
        return self.attempts[-1][1] if self.attempts else None


class Truth:
    """Keeps the newest `most` mails and the tables of all."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.mails: dict[tuple[str, str], MailTruth] = {}

    def submitted(self, name: str, envelope: Envelope, at: float, person: Person) -> MailTruth:
        found = self.mails[name, envelope.recipient] = MailTruth(name, envelope, at, person)
        if len(self.mails) > self.most:
            del self.mails[next(iter(self.mails))]
        return found
