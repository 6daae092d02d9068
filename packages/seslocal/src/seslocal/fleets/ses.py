"""SES's part of a run: suppressed addresses, rates of tenants and of the account, and pauses. It acts at the end of a minute on
the counts of that minute, so the order within one changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seslocal.fleets.result import Action
from seslocal.fleets.scenario import Ses, seconds_of
from seslocal.state.account_review import HEALTHY, PROBATION, SHUTDOWN, AccountReview
from seslocal.state.findings import Counts, Finding, Thresholds, find_exceeded, find_pausing

_WORDS: Final = {HEALTHY: "account_healthy", PROBATION: "account_probation", SHUTDOWN: "account_paused"}
_THRESHOLDS: Final = Thresholds().in_a_world()


class Reactions:
    def __init__(self, rules: Ses) -> None:
        self._rules = rules
        self._counts: dict[str, Counts] = {}
        #: of this minute: mailed, bounced for good, mailed to a provider that reports complaints, complained
        self._pending: dict[str, list[int]] = {}
        self._lists: dict[str, set[str]] = {}
        self.paused: dict[str, float] = {}  #: tenant -> since when
        self._reinstated: set[str] = (
            set()
        )  # their open findings are ignored until all are closed (ses.md 1.6)
        self._account = AccountReview()
        self._status: str = HEALTHY
        self.account_paused = False
        self.actions: list[Action] = []

    def stops(self, tenant: str) -> bool:
        """Returns whether calls for this tenant are refused."""
        return self.account_paused or tenant in self.paused

    def suppressed(self, tenant: str) -> set[str]:
        """Returns the tenant's suppression list, which may be added to."""
        found = self._lists.get(tenant)
        if found is None:
            found = self._lists[tenant] = set()
        return found

    def suppress(self, tenant: str, recipient: str) -> None:
        if self._rules.suppression == "tenant":
            self.suppressed(tenant).add(recipient)

    def mailed(self, tenant: str, reports: bool) -> None:
        """A mail left, to a provider that reports complaints or not."""
        counts = self._of(tenant)
        counts[0] += 1
        if reports:
            counts[2] += 1

    def bounced(self, tenant: str) -> None:
        """A mail bounced for good."""
        self._of(tenant)[1] += 1

    def complained(self, tenant: str) -> None:
        """A complaint was reported."""
        self._of(tenant)[3] += 1

    def _of(self, tenant: str) -> list[int]:
        pending = self._pending.get(tenant)
        if pending is None:
            pending = self._pending[tenant] = [0, 0, 0, 0]
        return pending

    def end_minute(self, at: float) -> None:
        """`at`: the end, in seconds since the start."""
        together = [0, 0, 0, 0]
        for tenant in sorted(self._pending):
            for which, number in enumerate(self._pending[tenant]):
                together[which] += number
            counts = self._counts.get(tenant)
            if counts is None:
                counts = self._counts[tenant] = Counts()
            counts.add(at - 1, *self._pending[tenant])
            if counts.bounced or counts.complained:
                self._review(tenant, counts, at)
        self._pending.clear()
        if self._rules.reviews_account:
            self._review_account(together, at)
        if self._rules.resumes_after is not None and self.paused:
            self._resume(at, seconds_of(self._rules.resumes_after))

    def _review(self, tenant: str, counts: Counts, at: float) -> None:
        policy = self._rules.pauses_tenants
        if policy == "none" or tenant in self.paused:
            return
        counts.forget(at)
        findings = [
            Finding(kind, impact, f"{kind.lower()} rate above {threshold:.1%}", at, at)
            for kind, (impact, threshold) in find_exceeded(counts, _THRESHOLDS).items()
        ]
        if tenant in self._reinstated:
            if findings:
                return
            self._reinstated.remove(tenant)
        elif (finding := find_pausing(policy, findings)) is not None:
            self.paused[tenant] = at
            why = f"{finding.description}: reputation policy {policy}"
            self.actions.append(Action(at, "ses", "tenant_paused", tenant, why))

    def _review_account(self, together: list[int], at: float) -> None:
        self._account.count(at - 1, *together)
        status = self._account.status_at(at)
        if status != self._status:
            self._status = status
            self.account_paused = status == SHUTDOWN
            self.actions.append(Action(at, "ses", _WORDS[status], "", self._account.cause))

    def _resume(self, at: float, after: float) -> None:
        back: Iterable[str] = [tenant for tenant, since in self.paused.items() if at >= since + after]
        for tenant in sorted(back):
            del self.paused[tenant]
            self._reinstated.add(tenant)
            self.actions.append(Action(at, "ses", "tenant_resumed", tenant, "reinstated by hand"))
