"""How SES reacts to bounces and complaints. Of a tenant: it counts them, opens and closes findings, and pauses the tenant if its
reputation policy says so (ses.md 1.6 to 1.8). Open findings of a reinstated tenant are ignored; once all are closed it becomes
ENABLED. Open findings are evaluated every hour of the clock. Of the account: `state/account_review.py` judges them, if there is a
world or the admin API switched it on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from seslocal.events.publishing import publish_recommendation
from seslocal.sesv2 import reputation
from seslocal.state.account import Account
from seslocal.state.findings import Finding, find_exceeded, find_pausing
from seslocal.state.isps import has_feedback_loop, isp_of
from seslocal.state.outcomes import Outcome, Plan, is_simulator
from seslocal.state.tenants import StatusRecord, Tenant
from seslocal.world.providers import PROVIDERS, provider_of

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
        account = self._account
        if event == "Delivery" or (mail.tenant is None and not reviews_account(account)):
            return  # most events
        if event == "Send":
            seen = [address for address in mail.destination if not is_simulator(address)]
        elif outcome is not None and (_is_counted_bounce(outcome) or _is_counted_complaint(outcome)):
            seen = [address for address in recipients if not is_simulator(address)]
        else:
            return
        if not seen:
            return
        if reviews_account(account):
            _count_for_account(account, at, event, seen)
        tenant = account.tenants.get(mail.tenant) if mail.tenant is not None else None
        if tenant is None or not account.tenants.automatic_findings:
            return
        if event == "Send":
            tenant.counts.add(at, len(seen), 0, sum([reports_complaints(account, one) for one in seen]), 0)
            return
        is_bounce = event == "Bounce"
        tenant.counts.add(at, 0, len(seen) if is_bounce else 0, 0, 0 if is_bounce else len(seen))
        review(account, tenant)


def reviews_account(account: Account) -> bool:
    """Returns whether the account's rates change its EnforcementStatus."""
    chosen = account.sending.reviewed
    return account.mailboxes.world is not None if chosen is None else chosen


def reports_complaints(account: Account, address: str) -> bool:
    """Returns whether the provider of this address reports complaints to SES (ses.md 8.1)."""
    if account.mailboxes.world is None:
        return has_feedback_loop(isp_of(address))
    return PROVIDERS[provider_of(address)].complaints


def _count_for_account(account: Account, at: float, event: str, seen: list[str]) -> None:
    count = account.sending.review.count
    if event == "Complaint":
        count(at, complained=len(seen))
        return
    mailed = sum([not _is_own(account, address) for address in seen])
    if event == "Bounce":
        count(at, bounced=mailed)
    else:
        count(at, mailed=mailed, with_loop=sum([reports_complaints(account, one) for one in seen]))


def _is_own(account: Account, address: str) -> bool:
    """Whether the account has verified the domain: bounces of its own addresses do not count (ses.md 8.1)."""
    identity = account.identities.resolve(address.rpartition("@")[2].lower())
    return identity is not None and identity.verified


def _is_counted_bounce(outcome: Outcome) -> bool:
    return outcome.kind == "Bounce" and outcome.type == "Permanent" and outcome.subtype not in _NOT_COUNTED


def _is_counted_complaint(outcome: Outcome) -> bool:
    return (
        outcome.kind == "Complaint" and outcome.feedback != "not-spam" and outcome.subtype not in _NOT_COUNTED
    )


def review(account: Account, tenant: Tenant) -> None:
    """Opens, changes and closes findings by the current counts."""
    now = account.clock.now()
    tenant.counts.forget(now)
    thresholds = account.tenants.thresholds
    found = find_exceeded(
        tenant.counts, thresholds if account.mailboxes.world is None else thresholds.in_a_world()
    )
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
    if tenant.customer_managed.status != "ENABLED":
        return
    policy = tenant.policy.rpartition("/")[2]
    if (finding := find_pausing(policy, tenant.open_findings)) is not None:
        cause = f"Reputation policy {policy}: {finding.description}"[:512]
        record = StatusRecord("DISABLED", cause, account.clock.now())
        reputation.set_status(account, tenant, record, by_customer=True)


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
