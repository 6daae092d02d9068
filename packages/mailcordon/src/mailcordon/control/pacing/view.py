"""Releases and warm-ups as people see them: where each stands, and the sentence that says what it waits for."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcordon.control.pacing import releases, warm_ups
from mailcordon.control.pacing.warm_ups import Standing
from mailcordon.control.views import Viewer
from mailcordon.core.limit import Mode
from mailcordon.guard.release import Feedback, Phase, Release, Why
from mailcordon.messages import pacing as messages


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseView:
    id: int
    tenant: str
    type: str
    kind: str  #: campaign, list or lane
    name: str
    fresh: bool
    release: Release
    feedback: Feedback
    mode: Mode
    may_leave: int | None  #: mails in all; None: no limit
    accepted: int  #: deliveries, without the first hundred or so
    expiry_ms: int  #: after which mail of its lane expires
    waiting: int  #: for a step; at most 100,000 are counted
    opened_by: str | None
    opened_because: str | None
    ended_at: int | None

    @property
    def sentence(self) -> str:
        """What it waits for, and what opens the next step."""
        at, out = self.release, self.feedback.out
        if at.phase is Phase.CLOSED:
            return messages.closed(releases.bad(at, self.feedback), self.expiry_ms, self.command)
        match at.why:
            case Why.SIZE:
                return messages.still_arrives()
            case Why.SMALL:
                return messages.small(at.cap)
            case Why.AGE if at.next_at is not None:
                return messages.first_step(out, at.next_at)
            case Why.SILENCE:
                return messages.silence(out, self.feedback.heard)
            case Why.UNUSED:
                return messages.unused(out, at.cap)
            case Why.PACE if at.next_at is not None:
                return messages.next_step(out, at.next_at)
            case Why.CANARY:
                return messages.canary(out, at.next_at)
            case Why.PERSON if self.opened_by is not None:
                return messages.opened_by(self.opened_by, self.opened_because or "")
            case Why.OVER if self.ended_at is not None:
                return messages.over(self.ended_at)
            case Why.HEALTHY:
                return messages.wide_open()
            case _:
                return messages.none_left()

    @property
    def command(self) -> str:
        """Lets all of it leave."""
        name = shlex.quote(self.name) + " " if self.name else ""
        return f"mailcordon campaign open {self.tenant} {name}--type {self.type} --because '...'"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUpView:
    tenant: str
    standing: Standing
    sent_today: int

    @property
    def sentence(self) -> str:
        return warm_ups.sentence(self.standing.key.domain, self.standing.provider, self.standing.at)

    @property
    def because(self) -> str:
        """Why it stands there."""
        return messages.warm_up_verdict(str(self.standing.at.verdict))


class PacingReads(Protocol):
    async def tenant_id(self, slug: str) -> int | None: ...

    async def releases(
        self,
        viewer: Viewer,
        *,
        type: str | None,
        name: str | None,
        is_open: bool | None,
        before: int | None,
        limit: int,
    ) -> Sequence[ReleaseView]:
        """Newest first. `name`: of a campaign or list; '' of a lane's mail without either."""
        ...

    async def warm_ups(self, viewer: Viewer, *, domain: str | None) -> Sequence[WarmUpView]:
        """Of one tenant, by domain and provider."""
        ...


class PacingChanges(Protocol):
    async def open(self, id: int, *, actor: str, because: str) -> None:
        """Lets all of a release leave. Raises NotFound, or Conflict if it is over."""
        ...
