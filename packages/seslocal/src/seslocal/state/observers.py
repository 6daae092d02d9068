"""The interface of what counts, keeps or judges mails: an observer is called for each mail that was accepted and for each
thing that happened to it, so that sending depends on no observer. An observer never changes a mail, and must be fast: it is
called several times for each mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from seslocal.state.accepted_mail import Mail
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.outcomes import Outcome, Plan


class MailObserver(Protocol):
    def accepted(
        self, mail: Mail, configuration_set: ConfigurationSet | None, plans: list[tuple[str, Plan]]
    ) -> None:
        """A mail was accepted. `plans` says what will happen to it for each recipient."""
        ...

    def happened(
        self, mail: Mail, event: str, outcome: Outcome | None, recipients: Sequence[str], at: float
    ) -> None:
        """`event` is an eventType (`Send`, `Bounce`, `Open`, ...); some have an `outcome`. `at` is a time of the
        account's clock, in seconds since the epoch. Without recipients the event concerns all of the mail's."""
        ...
