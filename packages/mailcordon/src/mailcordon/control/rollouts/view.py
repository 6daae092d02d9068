"""Rollouts as people see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mailcordon.control.lookup import TenantNames
from mailcordon.control.views import Viewer
from mailcordon.guard.rollouts.nouns import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """What was decided. Times are ms since 1970."""

    at: int
    what: str
    from_share: int
    to_share: int
    by: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideView:
    key: str
    share: int
    by: str
    because: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeView:
    id: int
    tenant: str | None  #: slug; None: of all
    since: int
    until: int
    by: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    id: int
    tenant: str
    types: tuple[str, ...]
    standing: Standing
    began_at: int
    began_by: str
    because: str
    looked_at: int | None
    verdict: str | None  #: of the last look
    sentence: str | None
    moving: bool  #: mail that waits is being moved back
    plan: int | None  #: that drops the old path, while the rollout is being finished
    ended_at: int | None
    rests_until: int | None
    gates: Sequence[Mapping[str, Any]]
    checklist: Sequence[Mapping[str, Any]]
    steps: tuple[StepView, ...] = ()  #: the newest first; of one rollout that is shown
    overrides: tuple[OverrideView, ...] = ()


class RolloutReads(TenantNames, Protocol):
    async def rollouts(
        self, viewer: Viewer, *, is_open: bool | None, before: int | None, limit: int
    ) -> Sequence[RolloutView]: ...

    async def rollout(self, viewer: Viewer, id: int) -> RolloutView | None:
        """With its steps and overrides. None also for another tenant's."""
        ...

    async def freezes(self) -> Sequence[FreezeView]:
        """Those that are not over."""
        ...
