"""Mails that were accepted and have events to come. Each event is a numbered step: 0 is the Send, or the rendering failure; the
outcomes follow in the order of their plans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from seslocal.state.accepted_mail import Mail
from seslocal.state.outcomes import Plan


@dataclass(slots=True, eq=False)
class MailUnderWay:
    """What is needed to continue a mail's delivery."""

    mail: Mail
    configuration_set: str | None
    plans: list[tuple[str, Plan]]
    scope: str  #: of the suppression list in force: TENANT or ACCOUNT
    reasons: tuple[str, ...]  #: for which that list gets new entries
    infected: bool = False
    broken: tuple[str, str] | None = None  #: template and reason of a rendering failure
    done: set[int] = field(default_factory=set[int])
    steps: int | None = None  #: their number, known after step 0


class UnderWay:
    def __init__(self) -> None:
        self.by_id: dict[str, MailUnderWay] = {}
        self.started: Callable[[MailUnderWay], None] = lambda mail: None  #: called with each new mail
        #: called after each step with the message id, the step, and whether it was the last
        self.stepped: Callable[[str, int, bool], None] = lambda message_id, step, is_last: None

    def add(self, mail: MailUnderWay) -> None:
        self.by_id[mail.mail.message_id] = mail
        self.started(mail)

    def expect(self, message_id: str, steps: int) -> None:
        """Says how many steps the mail has."""
        if (found := self.by_id.get(message_id)) is not None:
            found.steps = steps

    def did(self, message_id: str, step: int) -> None:
        found = self.by_id.get(message_id)
        if found is None:
            return
        found.done.add(step)
        is_last = found.steps is not None and len(found.done) >= found.steps
        if is_last:
            del self.by_id[message_id]
        self.stepped(message_id, step, is_last)
