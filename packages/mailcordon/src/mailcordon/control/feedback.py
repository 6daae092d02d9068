"""What is shown of lost and late feedback (docs/decisions/033-feedback-losses.md). Recorded by observe/feedback_loop.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mailcordon.control.lookup import TenantNames
from mailcordon.control.views import Viewer
from mailcordon.core.feedback import Mark, Signal
from mailcordon.core.provider import Provider
from mailcordon.messages import feedback as messages
from mailcordon.messages import times


@dataclass(frozen=True, slots=True, kw_only=True)
class LossView:
    """A loss. Times are milliseconds since 1970, of the calls to SES."""

    id: int
    signal: Signal
    configuration_set: str | None  #: None: every set
    provider: int | None  #: core.provider.Provider; None: every provider
    since: int
    until: int | None  #: None: it lasts
    raised_at: int
    cause: str  #: core.feedback.Cause
    because: str
    late: bool  #: the events wait in the queue
    missing: int  #: events that have not come
    evidence: Mapping[str, Any]
    types: Sequence[str] = ()  #: of the tenant that was asked about: its lanes that are concerned

    @property
    def sentence(self) -> str:
        """Without a full stop."""
        return messages.loss(
            self.signal,
            messages.whose(self.configuration_set, _word(self.provider)),
            int(self.evidence.get("sent", 0)),
            int(self.evidence.get("seen", 0)),
            int(self.evidence.get("others", 0)),
            self.since,
            self.until,
            self.because,
            late=self.late,
        )

    @property
    def next(self) -> str | None:
        return None if self.until is not None else messages.what_next(self.cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneMark:
    """What a tenant sees of a loss: that a lane of its own is concerned."""

    type: str
    mark: Mark

    @property
    def sentence(self) -> str:
        return lane_sentence([self.mark])


def lane_sentence(marks: Sequence[Mark]) -> str:
    """Whether events of a lane's mail come back; `marks` are those that cover it now."""
    since = min((mark.since for mark in marks), default=None)
    return messages.own_lanes(None if since is None else times.minute(since))


def _word(provider: int | None) -> str | None:
    return None if provider is None else Provider(provider).word


class FeedbackReads(TenantNames, Protocol):
    async def losses(
        self, viewer: Viewer, *, is_open: bool | None, before: int | None, limit: int
    ) -> list[LossView]:
        """As the platform, the newest first; of a tenant, those that concern its lanes."""
        ...

    async def own(self, viewer: Viewer, *, is_open: bool | None, limit: int) -> list[LaneMark]:
        """As the tenant, the newest first."""
        ...

    async def of_lane(self, viewer: Viewer, tenant: str, type: str) -> list[Mark]:
        """The losses that cover the mail that a lane sends now."""
        ...
