"""What a host says in answer to a mail."""

from __future__ import annotations

import msgspec


class Reply(msgspec.Struct, frozen=True):
    code: int  #: SMTP reply code (RFC 5321, 4.2)
    status: str  #: enhanced status code (RFC 3463); "" if the host gives none
    text: str  #: without code and status; one line of SMTP in each line

    def spoken(self, message_id: str = "") -> str:
        """Returns the reply as it is on the wire: each line begins with the code and, where the host gives one, the status.
        `message_id` is the value of the mail's Message-ID without <>, which some hosts repeat."""
        *before, last = self.text.replace("{message_id}", message_id).split("\n")
        status = f"{self.status} " if self.status else ""
        return "".join([f"{self.code}-{status}{line}\n" for line in before]) + f"{self.code} {status}{last}"
