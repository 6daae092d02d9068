"""Who watches the mail go by: what counts, keeps or judges mails is told of each one that was accepted and of each
thing that happened to it, and sending knows none of them. A witness changes nothing about a mail, and does little, since
it is asked several times a mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from seslocal.state.outcomes import Outcome, Plan

if TYPE_CHECKING:
    from seslocal.events.documents import Mail
    from seslocal.state.account import ConfigurationSet


class Witness(Protocol):
    def accepted(
        self, mail: Mail, configuration_set: ConfigurationSet | None, plans: list[tuple[str, Plan]]
    ) -> None:
        """A mail was taken. `plans` says what will become of it for each recipient."""
        ...

    def happened(
        self, mail: Mail, event: str, outcome: Outcome | None, recipients: Sequence[str], at: float
    ) -> None:
        """`event` is an eventType (`Send`, `Bounce`, `Open`, ...); `outcome` comes with those that have one. `at` is a
        moment of the account's clock, in seconds since the epoch. No recipients: it concerns all of the mail's."""
        ...
