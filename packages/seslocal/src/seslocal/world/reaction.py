"""What recipients do with mail that was accepted."""

from __future__ import annotations

from typing import Literal

import msgspec

Deed = Literal[
    "open", "machine_open", "click", "machine_click", "complaint", "not_spam", "unsubscribe", "delete"
]


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    deed: Deed
    after: float  #: seconds since the mail was accepted
    #: seconds since the mail was accepted at which the provider reports it to the sender; None: never (as Gmail does)
    reported: float | None = None
    #: User-Agent of whoever fetches the picture or the link. "" if an open fetches nothing (pictures are switched off, or a proxy
    #: has fetched them before): the sender's tracking does not see it, the provider does.
    agent: str = ""
    address: str = ""  #: and its IP address
