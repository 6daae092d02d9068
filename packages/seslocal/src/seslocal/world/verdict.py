"""What a receiving host answers to one delivery attempt."""

from __future__ import annotations

from typing import Literal

import msgspec

from seslocal.world.reply import Reply

#: `inbox` and `spam` are both accepted with 250: a sender cannot tell them apart
Kind = Literal["inbox", "spam", "defer", "refuse"]
Cause = Literal[
    "",
    "no_mailbox",
    "disabled",
    "moved",
    "full",
    "no_host",
    "rate",
    "greylisted",
    "weather",
    "reputation",
    "listed",  # on a block list that the host asks
    "content",
    "authentication",
    "rule",
    "too_large",
]


class Verdict(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    kind: Kind
    provider: str  #: name of the provider, as in `providers`
    code: int = 250  #: SMTP reply code (RFC 5321, 4.2)
    status: str = "2.0.0"  #: enhanced status code (RFC 3463); "" if the host gives none
    text: str = ""  #: the reply without its code and status; each line of SMTP in a line
    host: str = ""  #: the receiving host
    address: str = ""  #: and its address
    seconds: float = 0.5  #: that the attempt took
    cause: Cause = ""  #: of a deferral or refusal
    #: seconds after an acceptance at which a bounce comes back instead; None: none comes. The recipient never sees the mail.
    returned: float | None = None
    bounce: Reply | None = None  #: what the bounce says that comes back
    why: str = ""  #: for the ground truth: what decided, with its numbers

    def spoken(self, message_id: str = "") -> str:
        """Returns the reply as it is on the wire, as `Reply.spoken` does."""
        return Reply(self.code, self.status, self.text).spoken(message_id)

    @property
    def accepted(self) -> bool:
        return self.kind in ("inbox", "spam")
