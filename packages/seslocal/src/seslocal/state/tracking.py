"""Mails whose opens and clicks are tracked. The newest ten thousand can be opened and clicked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seslocal.state.accepted_mail import Mail
from seslocal.state.configuration_sets import ConfigurationSet

MOST: Final = 10_000  # mails that can be opened and clicked


@dataclass(slots=True, eq=False)
class Tracked:
    mail: Mail
    configuration_set: ConfigurationSet
    opens: bool
    clicks: bool


class Tracking:
    def __init__(self, secret: bytes) -> None:
        self.secret = secret  #: signs the links that only this account makes
        self._by_id: dict[str, Tracked] = {}

    def add(self, tracked: Tracked) -> None:
        self._by_id[tracked.mail.message_id] = tracked
        if len(self._by_id) > MOST:
            del self._by_id[next(iter(self._by_id))]

    def get(self, message_id: str) -> Tracked | None:
        return self._by_id.get(message_id)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._by_id

    def clear(self) -> None:
        self._by_id.clear()
