"""What becomes of a mail once it was accepted: its Send, and then what its recipients' plans say, each at its time,
entered on the suppression list in force where SES would enter it, and told by events."""

from __future__ import annotations

from functools import partial

from seslocal import suppression
from seslocal.events import Mail, document
from seslocal.fates import Outcome, Plan
from seslocal.publishing import publish
from seslocal.state import Account, ConfigurationSet, Suppressed


def begin(
    account: Account,
    mail: Mail,
    configuration_set: ConfigurationSet | None,
    plans: list[tuple[str, Plan]],
    force: suppression.InForce,
    *,
    infected: bool,
) -> None:
    """Lets a mail that was just accepted take its course."""
    account.clock.call_later(
        account.settings.event_delay,
        partial(_leave, account, mail, configuration_set, plans, force, infected),
    )


def _leave(
    account: Account,
    mail: Mail,
    configuration_set: ConfigurationSet | None,
    plans: list[tuple[str, Plan]],
    force: suppression.InForce,
    infected: bool,
) -> None:
    tell = partial(_tell, account, mail, configuration_set)
    tell("Send", None, [])
    if infected:
        account.clock.call_later(account.settings.event_delay, partial(tell, "Reject", None, []))
        return
    for step in range(max(len(plan) for _, plan in plans)):
        for outcome, recipients in _together(plans, step):
            account.clock.call_later(
                account.settings.event_delay * (step + 1),
                partial(_happen, account, mail, configuration_set, outcome, recipients, force),
            )


def _together(plans: list[tuple[str, Plan]], step: int) -> list[tuple[Outcome, list[str]]]:
    """Recipients that share an outcome share its event; deliveries go by domain."""
    groups: dict[tuple[Outcome, str], list[str]] = {}
    for recipient, plan in plans:
        if step < len(plan):
            domain = recipient.rpartition("@")[2].lower() if plan[step].kind == "Delivery" else ""
            groups.setdefault((plan[step], domain), []).append(recipient)
    return [(outcome, recipients) for (outcome, _), recipients in groups.items()]


def _happen(
    account: Account,
    mail: Mail,
    configuration_set: ConfigurationSet | None,
    outcome: Outcome,
    recipients: list[str],
    force: suppression.InForce,
) -> None:
    now = account.clock.now()
    feedback_id = account.ids.message(now) if outcome.kind in ("Bounce", "Complaint") else ""
    if outcome.feedback == "not-spam":
        for recipient in recipients:
            force.list.forget_complaint(recipient.lower())
    elif outcome.listed and feedback_id:
        reason = "BOUNCE" if outcome.kind == "Bounce" else "COMPLAINT"
        for recipient in recipients:
            suppression.record(
                force,
                Suppressed(suppression.stored(recipient), reason, now, mail.message_id, feedback_id),
            )
    _tell(account, mail, configuration_set, outcome.kind, outcome, recipients, feedback_id)


def _tell(
    account: Account,
    mail: Mail,
    configuration_set: ConfigurationSet | None,
    event: str,
    outcome: Outcome | None,
    recipients: list[str],
    feedback_id: str = "",
) -> None:
    publish(
        account,
        configuration_set,
        event,
        mail.tenant,
        lambda: document(
            mail,
            event,
            outcome,
            recipients,
            account.clock.now(),
            feedback_id,
            tenant_tag=account.behaviour.tenant_tag_on_every_event,
        ),
    )
