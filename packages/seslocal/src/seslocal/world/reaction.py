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
    agent: str = ""  #: User-Agent of whoever opens or clicks
    address: str = ""  #: and its IP address
