"""What happens to a mail after it was accepted: its Send, then the outcomes in its recipients' plans, each at its time. Bounces
and complaints are added to the applicable suppression list, and every outcome is published."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Final

import msgspec

from seslocal.events import notifications
from seslocal.events.documents import Document, outcome_document
from seslocal.events.publishing import publish, rendering_failed
from seslocal.mail import suppression, tracking
from seslocal.mail.content import Letter
from seslocal.mail.parts import read_parts
from seslocal.state.accepted_mail import Mail
from seslocal.state.account import Account
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.isps import has_feedback_loop, isp_of
from seslocal.state.outcomes import Outcome, Plan
from seslocal.state.suppression import SuppressedDestination, SuppressionList
from seslocal.state.under_way import MailUnderWay

#: address (RFC 5737) and User-Agent of whoever opens and clicks at a mailbox set by hand
READER: Final = (
    "198.51.100.7",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.0",
)


def start(
    account: Account,
    mail: Mail,
    configuration_set: ConfigurationSet | None,
    plans: list[tuple[str, Plan]],
    force: suppression.InForce,
    letter: Letter,
) -> Mail:
    """Schedules everything that happens to a mail that was just accepted, but for the recipients about whom the world decides.
    Returns the mail as its events show it."""
    if skew := account.faults.skew():
        mail = msgspec.structs.replace(mail, accepted_at=mail.accepted_at + skew)
    for observer in account.mail.observers:
        observer.accepted(mail, configuration_set, plans)
    tracking.track(account, mail, configuration_set, letter.tracking)
    if account.mail.under_way is not None:
        account.mail.under_way.add(
            MailUnderWay(
                mail,
                configuration_set.name if configuration_set else None,
                plans,
                force.scope,
                force.reasons,
                letter.infected,
                letter.broken,
            )
        )
    account.clock.call_later(
        account.settings.event_delay,
        partial(_send, account, mail, configuration_set, plans, force, letter.infected, letter.broken),
    )
    return mail


def resume(account: Account) -> None:
    """Schedules what an earlier run left: each event at its time, or at once if that has passed."""
    if account.mail.under_way is None:
        return
    for kept in list(account.mail.under_way.by_id.values()):
        mail, left_at = kept.mail, kept.mail.accepted_at + account.settings.event_delay
        configuration_set = account.configuration_sets.get(kept.configuration_set or "")
        force = in_force_of(account, kept.scope, kept.reasons, mail.tenant)
        if 0 in kept.done:
            _schedule(account, mail, configuration_set, kept.plans, force, kept.infected, left_at, kept.done)
            continue
        account.clock.call_at(
            left_at,
            partial(_send, account, mail, configuration_set, kept.plans, force, kept.infected, kept.broken),
        )


def in_force_of(
    account: Account, scope: str, reasons: tuple[str, ...], tenant_name: str | None
) -> suppression.InForce:
    """Returns the suppression settings of a mail that was accepted earlier."""
    if scope != "TENANT":
        return suppression.InForce(scope, reasons, account.suppression.list)
    tenant = account.tenants.get(tenant_name or "")
    return suppression.InForce(scope, reasons, tenant.suppression if tenant else SuppressionList())


def _send(
    account: Account,
    mail: Mail,
    configuration_set: ConfigurationSet | None,
    plans: list[tuple[str, Plan]],
    force: suppression.InForce,
    infected: bool,
    broken: tuple[str, str] | None,
) -> None:
    if broken:
        _report_rendering_failure(account, mail, configuration_set, *broken)
        _expect(account, mail, 1)
    else:
        _report(account, mail, configuration_set, "Send", None, [])
        _schedule(account, mail, configuration_set, plans, force, infected, account.clock.now(), ())
    _did(account, mail, 0)


def _schedule(
    account: Account,
    mail: Mail,
    configuration_set: ConfigurationSet | None,
    plans: list[tuple[str, Plan]],
    force: suppression.InForce,
    infected: bool,
    left_at: float,
    done: Collection[int],
) -> None:
    """Schedules the steps after the Send, except those that are done. `left_at` is the time of the Send."""
    if infected:
        _expect(account, mail, 2)
        due = left_at + account.settings.event_delay
        account.clock.call_at(due, partial(_reject, account, mail, configuration_set))
        return
    steps = _scheduled(plans, account.settings.event_delay)
    _expect(account, mail, 1 + len(steps))
    for step, (due, outcome, recipients) in enumerate(steps, 1):
        if step not in done:
            account.clock.call_at(
                left_at + due,
                partial(_apply, account, mail, configuration_set, outcome, recipients, force, step),
            )


def _expect(account: Account, mail: Mail, steps: int) -> None:
    if account.mail.under_way is not None:
        account.mail.under_way.expect(mail.message_id, steps)


def _did(account: Account, mail: Mail, step: int) -> None:
    if account.mail.under_way is not None:
        account.mail.under_way.did(mail.message_id, step)


def _reject(account: Account, mail: Mail, configuration_set: ConfigurationSet | None) -> None:
    _report(account, mail, configuration_set, "Reject", None, [])
    _did(account, mail, 1)


def _report_rendering_failure(
    account: Account, mail: Mail, configuration_set: ConfigurationSet | None, template: str, sentence: str
) -> None:
    for observer in account.mail.observers:
        observer.happened(mail, "Rendering Failure", None, (), account.clock.now())
    rendering_failed(account, configuration_set, mail, template, sentence)


def _scheduled(plans: list[tuple[str, Plan]], pause: float) -> list[tuple[float, Outcome, list[str]]]:
    """Returns due time, outcome and recipients. Recipients that share an outcome share its event; deliveries do by domain."""
    if len(plans) == 1:
        recipient, plan = plans[0]
        if len(plan) == 1:
            return [(pause + plan[0].after, plan[0], [recipient])]
    groups: dict[tuple[int, float, Outcome, str], list[str]] = {}
    for recipient, plan in plans:
        due = 0.0
        for step, outcome in enumerate(plan):
            due += pause + outcome.after
            domain = recipient.rpartition("@")[2].lower() if outcome.kind == "Delivery" else ""
            if outcome.kind in ("Open", "Click"):
                domain = recipient  # one event for each
            groups.setdefault((step, due, outcome, domain), []).append(recipient)
    in_steps = sorted(groups.items(), key=lambda group: group[0][0])
    return [(due, outcome, recipients) for (_, due, outcome, _), recipients in in_steps]


def _apply(
    account: Account,
    mail: Mail,
    configuration_set: ConfigurationSet | None,
    outcome: Outcome,
    recipients: list[str],
    force: suppression.InForce,
    step: int,
) -> None:
    if outcome.kind == "Complaint" and not outcome.suppressed:
        recipients = [one for one in recipients if has_feedback_loop(isp_of(one))]
    if outcome.kind in ("Open", "Click"):
        _engage(account, mail, outcome)
    elif recipients:
        happen(account, mail, configuration_set, outcome, recipients, force)
    _did(account, mail, step)


def _engage(account: Account, mail: Mail, outcome: Outcome) -> None:
    """An open or click of a mailbox set by hand: counts if the mail is tracked, and has a link."""
    tracked = account.mail.tracking.get(mail.message_id)
    if tracked is None:
        return
    if outcome.kind == "Open":
        if tracked.opens:
            tracking.report_open(account, tracked, *READER)
    elif tracked.clicks:
        entry = account.mail.ledger.get(mail.message_id)
        html = (parts := read_parts(entry) if entry else None) and parts.html
        for link, pairs in tracking.links_of(html or "", 1):
            tracking.report_click(account, tracked, *READER, link, pairs)


def happen(
    account: Account,
    mail: Mail,
    configuration_set: ConfigurationSet | None,
    outcome: Outcome,
    recipients: list[str],
    force: suppression.InForce,
) -> None:
    """Does to suppression lists what an outcome does, and publishes it."""
    now = account.clock.now()
    feedback_id = account.ids.message(now) if outcome.kind in ("Bounce", "Complaint") else ""
    if outcome.feedback == "not-spam":
        for recipient in recipients:
            force.list.forget_complaint(recipient.lower())
    elif outcome.listed and feedback_id:
        reason = "BOUNCE" if outcome.kind == "Bounce" else "COMPLAINT"
        for recipient in recipients:
            if reason == "BOUNCE":
                account.suppression.global_list.bounced(recipient.lower(), now)
            suppression.record(
                force,
                SuppressedDestination(
                    suppression.stored_address(recipient), reason, now, mail.message_id, feedback_id
                ),
            )
    _report(account, mail, configuration_set, outcome.kind, outcome, recipients, feedback_id)


def _report(
    account: Account,
    mail: Mail,
    configuration_set: ConfigurationSet | None,
    event: str,
    outcome: Outcome | None,
    recipients: list[str],
    feedback_id: str = "",
) -> None:
    now = account.clock.now()
    for observer in account.mail.observers:
        observer.happened(mail, event, outcome, recipients, now)

    def build() -> Document:
        return outcome_document(
            mail,
            event,
            outcome,
            recipients,
            now + account.faults.skew(),
            feedback_id,
            tenant_tag=account.behaviour.tenant_tag_on_every_event,
        )

    publish(account, configuration_set, event, mail.tenant, build)
    if mail.source_arn in account.identities.with_topics and event in notifications.TYPES:
        notifications.notify(account, mail, event, build())
