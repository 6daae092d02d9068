"""How SES reacts to a tenant's bounces and complaints: counts them, opens and closes findings, and pauses the tenant if its
reputation policy says so (ses.md 1.6 to 1.8). Open findings of a reinstated tenant are ignored; once all are closed it becomes
ENABLED. Open findings are evaluated every hour of the clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from seslocal.events.publishing import publish_recommendation
from seslocal.sesv2 import reputation
from seslocal.state.account import Account
from seslocal.state.findings import HIGH, Finding, find_exceeded
from seslocal.state.isps import has_feedback_loop, isp_of
from seslocal.state.outcomes import Outcome, Plan, is_simulator
from seslocal.state.tenants import StatusRecord, Tenant

if TYPE_CHECKING:
    from seslocal.state.accepted_mail import Mail
    from seslocal.state.configuration_sets import ConfigurationSet

REVIEW_INTERVAL: Final = 3600.0  # seconds between two evaluations of open findings
_NOT_COUNTED: Final = (
    "OnTenantSuppressionList",
    "OnAccountSuppressionList",
    "EmailValidationSuppressed",
    "UnsubscribedRecipient",
)


class ReputationMonitor:
    """Counts outcomes of mail and acts on the counts."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def accepted(
        self, mail: Mail, configuration_set: ConfigurationSet | None, plans: list[tuple[str, Plan]]
    ) -> None:
        pass

    def happened(
        self, mail: Mail, event: str, outcome: Outcome | None, recipients: Sequence[str], at: float
    ) -> None:
        if mail.tenant is None or not self._account.tenants.automatic_findings:
            return
        tenant = self._account.tenants.get(mail.tenant)
        if tenant is None:
            return
        if event == "Send":
            seen = [address for address in mail.destination if not is_simulator(address)]
            with_loop = sum([has_feedback_loop(isp_of(address)) for address in seen])
            tenant.counts.add(at, len(seen), 0, with_loop, 0)
        elif outcome is not None and (weight := _weight(outcome, recipients)):
            bounced, complained = weight
            tenant.counts.add(at, 0, bounced, 0, complained)
            review(self._account, tenant)


def _weight(outcome: Outcome, recipients: Sequence[str]) -> tuple[int, int] | None:
    if outcome.kind == "Delivery" or outcome.subtype in _NOT_COUNTED:
        return None
    seen = len(recipients) - sum([is_simulator(address) for address in recipients])
    if outcome.kind == "Bounce" and outcome.type == "Permanent":
        return (seen, 0) if seen else None
    if outcome.kind == "Complaint" and outcome.feedback != "not-spam":
        return (0, seen) if seen else None
    return None


def review(account: Account, tenant: Tenant) -> None:
    """Opens, changes and closes findings by the current counts."""
    now = account.clock.now()
    tenant.counts.forget(now)
    found = find_exceeded(tenant.counts, account.tenants.thresholds)
    for kind, (impact, threshold) in found.items():
        before = tenant.findings.get(kind)
        is_open = before is not None and before.is_open
        if before is not None and is_open and (before.by_hand or before.impact == impact):
            continue
        volume = tenant.counts.mailed if kind == "BOUNCE" else tenant.counts.with_loop
        sentence = (
            f"The {kind.lower()} rate exceeded {threshold:.1%} based on a representative volume of {volume} emails "
            f"from {_time_text(tenant.counts.since)} to {_time_text(now)}."
        )
        since = before.created if before is not None and is_open else now
        open_finding(account, tenant, Finding(kind, impact, sentence, since, now))
    for finding in list(tenant.findings.values()):
        if finding.is_open and not finding.by_hand and finding.type not in found:
            close_finding(account, tenant, finding)
    enforce(account, tenant)  # the policy may have changed since they opened


def open_finding(account: Account, tenant: Tenant, finding: Finding) -> None:
    """Stores the finding, publishes it on the event bus, and applies the tenant's policy."""
    tenant.findings[finding.type] = finding
    publish_recommendation(account, tenant.arn, finding.description, finding.impact, finding.type)
    enforce(account, tenant)
    if not tenant.review_is_due:
        tenant.review_is_due = True
        account.clock.call_later(REVIEW_INTERVAL, partial(_review_again, account, tenant))


def resume(account: Account) -> None:
    """Schedules the reviews that were due in an earlier run."""
    for tenant in account.tenants.values():
        if tenant.review_is_due:
            account.clock.call_later(REVIEW_INTERVAL, partial(_review_again, account, tenant))


def enforce(account: Account, tenant: Tenant) -> None:
    """Pauses the tenant if its policy requires it for an open finding."""
    policy = tenant.policy.rpartition("/")[2]
    if policy == "none" or tenant.customer_managed.status != "ENABLED":
        return
    for finding in tenant.open_findings:
        if policy == "strict" or finding.impact == HIGH:
            cause = f"Reputation policy {policy}: {finding.description}"[:512]
            record = StatusRecord("DISABLED", cause, account.clock.now())
            reputation.set_status(account, tenant, record, by_customer=True)
            return


def close_finding(account: Account, tenant: Tenant, finding: Finding) -> None:
    finding.is_open, finding.updated = False, account.clock.now()
    publish_recommendation(
        account, tenant.arn, finding.description, finding.impact, finding.type, is_open=False
    )
    if not tenant.open_findings and tenant.customer_managed.status == "REINSTATED":
        record = StatusRecord("ENABLED", "All findings are resolved.", account.clock.now())
        reputation.set_status(account, tenant, record, by_customer=True)


def _review_again(account: Account, tenant: Tenant) -> None:
    tenant.review_is_due = False
    if account.tenants.get(tenant.name) is not tenant:
        return
    review(account, tenant)
    if tenant.open_findings and not tenant.review_is_due:
        tenant.review_is_due = True
        account.clock.call_later(REVIEW_INTERVAL, partial(_review_again, account, tenant))


def _time_text(at: float) -> str:
    """Formats a time as AWS does in a finding."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%B} {moment.day}, {moment:%Y} at {moment:%H:%M} (UTC)"
