"""What a control process knows of its own work (app/heartbeat.py). Times are milliseconds since 1970, of this host's clock."""

from dataclasses import dataclass


@dataclass(slots=True)
class ControlFacts:
    last_reconcile: int | None = None  #: the last round that found nothing left to do
    last_account: int | None = None  #: the last answer of GetAccount

    def document(self) -> dict[str, object]:
        return {
            "last_reconcile": self.last_reconcile,
            "last_account": self.last_account,
        }
