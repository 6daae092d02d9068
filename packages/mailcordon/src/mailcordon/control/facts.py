"""What a control process knows of its own work (app/heartbeat.py). Times are milliseconds since 1970, of this host's clock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mailcordon.control.signals import SignalFacts


@dataclass(slots=True)
class ControlFacts:
    last_reconcile: int | None = None  #: the last round that found nothing left to do
    last_account: int | None = None  #: the last answer of GetAccount
    #: The calls to SES and the rolling scan, while this process is the one that reconciles.
    calls: Callable[[], Mapping[str, object]] | None = None
    advice_problem: Callable[[], str | None] | None = None  #: why SES's findings could not be read
    signals: SignalFacts | None = None  #: None: no queue of management events is set

    def document(self) -> dict[str, object]:
        return {
            "last_reconcile": self.last_reconcile,
            "last_account": self.last_account,
            "advice_problem": None if self.advice_problem is None else self.advice_problem(),
            "calls": None if self.calls is None else self.calls(),
            "signals": None if self.signals is None else self.signals.document(),
        }
