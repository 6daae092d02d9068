"""Hands one mail to the intake, and says in SMTP's words what became of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mailcordon.adapters.smtp import mail_head
from mailcordon.adapters.smtp.login import Keys, User
from mailcordon.adapters.smtp.mail_head import MailHead
from mailcordon.adapters.smtp.replies import Reply
from mailcordon.core import ids
from mailcordon.core.address import Address
from mailcordon.core.delivery import State
from mailcordon.core.errors import Conflict, Fault, Forbidden, Invalid
from mailcordon.core.principal import Principal
from mailcordon.intake import Intake
from mailcordon.messages import smtp
from mailcordon.send import raw_mail
from mailcordon.send.accept_item import Accepted, AnotherBody, Repeated
from mailcordon.send.submission import Submission

#: Milliseconds in which a mail with the Message-ID and the recipients of another one is that one, sent again. Relays try again
#: after minutes; an hour later, somebody wants to send it twice.
REPEAT_MS = 3_600_000

_HEADER = "X-Mailcordon-Type"


@dataclass(slots=True, kw_only=True, eq=False)
class Mail:
    """As it arrived."""

    user: User
    recipients: Sequence[Address]
    pieces: list[bytes]
    size: int
    client: str


class Submitter:
    def __init__(self, intake: Intake, keys: Keys) -> None:
        self._intake = intake
        self._keys = keys

    async def submit(self, mail: Mail) -> Reply:
        """Returns when the mail is stored. Raises MailcordonError if it is not."""
        head = mail_head.read(mail.pieces)
        principal = self._keys.known(mail.user) or await self._keys.principal(mail.user, mail.client)
        try:
            return _reply(await self._take(mail, head, principal))
        except Forbidden:
            now = await self._keys.again(mail.user, principal)
            if now == principal:
                raise
            return _reply(await self._take(mail, head, now))

    async def _take(self, mail: Mail, head: MailHead, principal: Principal) -> Accepted | Repeated:
        def parse() -> tuple[str, Submission]:
            type = _type(mail.user, head, principal)
            principal.require_type(type)
            raw = mail.pieces[0] if len(mail.pieces) == 1 else b"".join(mail.pieces)
            mail.pieces[:] = [raw]  # a large mail is not kept twice
            checked = raw_mail.check(raw, type=type, recipients=[str(one) for one in mail.recipients])
            return principal.tenant_for(mail.user.tenant), checked

        key = None if (id := head.message_id) is None else mail_head.repeat_key(id, mail.recipients)
        while True:
            try:
                taken = await self._intake.take(
                    principal,
                    mail.size,
                    parse,
                    key=key,
                    again=lambda: self._keys.authenticate(mail.user),
                    mime=True,
                )
            except AnotherBody as problem:
                if _is_recent(problem.message):
                    raise Conflict(smtp.message_id_used(), code=problem.code) from None
                before = problem.message
            else:
                if not isinstance(taken, Repeated) or _is_recent(taken.message):
                    return taken
                before = taken.message
            key = f"{key}\n{before}"  # that one was long ago: this is the next one with its Message-ID


def _is_recent(message: int) -> bool:
    return time.time() * 1000 - ids.ms_of(message) < REPEAT_MS


def _type(user: User, head: MailHead, principal: Principal) -> str:
    if len(head.types) > 1:
        raise Invalid(Fault(_HEADER, smtp.type_twice(), "unknown-type"))
    named = head.types[0] if head.types else None
    if named is not None and user.type is not None and named != user.type:
        problem = smtp.two_types(user.type, ascii(named[:64])[1:-1])
        raise Invalid(Fault(_HEADER, problem, "unknown-type"))
    found = named or user.type or principal.default_type
    if found is None:
        raise Invalid(Fault(_HEADER, smtp.no_type(user.tenant), "unknown-type"))
    return found


def _reply(taken: Accepted | Repeated) -> Reply:
    if isinstance(taken, Repeated):
        return Reply(250, "2.0.0", smtp.accepted_before(ids.message_id(taken.message)))
    id, removed = ids.message_id(taken.id), taken.removed
    refused = [one for one in taken.deliveries if one.state is State.REFUSED]
    if not refused:
        return Reply(250, "2.0.0", smtp.accepted(id, removed))
    why = refused[0].detail or refused[0].address
    if len(refused) == len(taken.deliveries):
        return Reply(550, "5.7.1", smtp.all_refused(id, why))
    return Reply(250, "2.0.0", smtp.accepted_in_part(id, len(refused), len(taken.deliveries), why))
