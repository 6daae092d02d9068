"""What happens to a mail after it was accepted: its Send, then the outcomes in its recipients' plans, each at its time. Bounces
and complaints are added to the applicable suppression list, and every outcome is published."""

from __future__ import annotations

from functools import partial

import msgspec

from seslocal.events import notifications
from seslocal.events.documents import Document, outcome_document
from seslocal.events.publishing import publish, rendering_failed
from seslocal.mail import suppression, tracking
from seslocal.mail.content import Letter
from seslocal.state.accepted_mail import Mail
from seslocal.state.account import Account
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.isps import has_feedback_loop, isp_of
from seslocal.state.outcomes import Outcome, Plan
from seslocal.state.suppression import SuppressedDestination


def start(
    account: Account,
    mail: Mail,
    configuration_set: ConfigurationSet | None,
    plans: list[tuple[str, Plan]],
    force: suppression.InForce,
    letter: Letter,
) -> None:
    """Schedules everything that happens to a mail that was just accepted."""
    if skew := account.faults.skew():
        mail = msgspec.structs.replace(mail, accepted_at=mail.accepted_at + skew)
    for observer in account.mail.observers:
        observer.accepted(mail, configuration_set, plans)
    tracking.track(account, mail, configuration_set, letter.tracking)
    account.clock.call_later(
        account.settings.event_delay,
        partial(_send, account, mail, configuration_set, plans, force, letter),
    )


def _send(
    account: Account,
    mail: Mail,
    configuration_set: ConfigurationSet | None,
    plans: list[tuple[str, Plan]],
    force: suppression.InForce,
    letter: Letter,
) -> None:
    if letter.broken:
        _report_rendering_failure(account, mail, configuration_set, *letter.broken)
        return
    tell = partial(_report, account, mail, configuration_set)
    tell("Send", None, [])
    if letter.infected:
        account.clock.call_later(account.settings.event_delay, partial(tell, "Reject", None, []))
        return
    for due, outcome, recipients in _scheduled(plans, account.settings.event_delay):
        account.clock.call_later(
            due, partial(_apply, account, mail, configuration_set, outcome, recipients, force)
        )


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
) -> None:
    if outcome.kind == "Complaint" and not outcome.suppressed:
        recipients = [one for one in recipients if has_feedback_loop(isp_of(one))]
        if not recipients:
            return
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
