"""What happens to a mail after it was accepted: its Send, then the outcomes in its recipients' plans, each at its time. Bounces
and complaints are added to the applicable suppression list, and every outcome is published."""

from __future__ import annotations

import logging
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
from seslocal.state.mail_under_way import MailUnderWay
from seslocal.state.outcomes import Outcome, Plan
from seslocal.state.suppression import SuppressedDestination, SuppressionList

log = logging.getLogger("seslocal")

#: address (RFC 5737) and User-Agent of whoever opens and clicks at a mailbox set by hand
READER: Final = (
    "198.51.100.7",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.0",
)

#: due time, number of the step, outcome (None: the mail is rejected), recipients
_Step = tuple[float, int, Outcome | None, list[str]]


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
    _attach(account)
    account.mail.under_way.start(
        account.clock.now() + account.settings.event_delay,
        MailUnderWay(
            mail,
            plans,
            configuration_set,
            force.list,
            force.scope,
            force.reasons,
            letter.infected,
            letter.broken,
        ),
    )
    return mail


def resume(account: Account) -> None:
    """Schedules what an earlier run left: each event at its time, or at once if that has passed."""
    _attach(account)
    under_way = account.mail.under_way
    restored, under_way.restored = under_way.restored, []
    for one in sorted(restored, key=lambda one: one.mail.accepted_at):
        left_at = one.mail.accepted_at + account.settings.event_delay
        if 0 in one.done:
            one.left_at = left_at
            _go_on(account, one)
        else:
            under_way.schedule(left_at, one)


def in_force_of(
    account: Account, scope: str, reasons: tuple[str, ...], tenant_name: str | None
) -> suppression.InForce:
    """Returns the suppression settings of a mail that was accepted earlier."""
    if scope != "TENANT":
        return suppression.InForce(scope, reasons, account.suppression.list)
    tenant = account.tenants.get(tenant_name or "")
    return suppression.InForce(scope, reasons, tenant.suppression if tenant else SuppressionList())


def _attach(account: Account) -> None:
    if not account.mail.under_way.attached:
        account.mail.under_way.attach(partial(_continue, account))


def _continue(account: Account, one: MailUnderWay) -> None:
    """Does the step that is due, with all others that are due at the same time."""
    if one.left_at is None:
        _send(account, one)
        return
    steps = _steps_left(account, one)
    if len(steps) == 1:
        _, number, outcome, recipients = steps[0]
        _apply(account, one, outcome, recipients)
        account.mail.under_way.did(one, number, is_last=True)
        return
    place = account.clock.place
    due = [step for step in steps if step[0] == steps[0][0]]
    is_last = len(due) == len(steps)
    try:
        for _, number, outcome, recipients in due:
            try:
                _apply(account, one, outcome, recipients)
            except Exception:
                log.exception("an event of mail %s failed", one.mail.message_id)
            account.mail.under_way.did(one, number, is_last=is_last and number == due[-1][1])
    finally:
        if not is_last:
            account.mail.under_way.schedule(steps[len(due)][0], one, place)


def _send(account: Account, one: MailUnderWay) -> None:
    if one.broken:
        _report_rendering_failure(account, one.mail, one.configuration_set, *one.broken)
        account.mail.under_way.did(one, 0, is_last=True)
        return
    one.left_at = account.clock.now()
    try:
        _report(account, one.mail, one.configuration_set, "Send", None, [])
    finally:
        account.mail.under_way.did(one, 0, is_last=False)
        _go_on(account, one)


def _go_on(account: Account, one: MailUnderWay) -> None:
    """Schedules the first of the steps that are left."""
    if steps := _steps_left(account, one):
        account.mail.under_way.schedule(steps[0][0], one)
    else:
        account.mail.under_way.did(one, 0, is_last=True)


def _steps_left(account: Account, one: MailUnderWay) -> list[_Step]:
    """Returns the steps after the Send that are not done, in the order of their due times."""
    pause, left_at = account.settings.event_delay, one.left_at or 0.0
    if one.infected:
        return [(left_at + pause, 1, None, [])]
    if len(one.plans) == 1 and len(one.plans[0][1]) == 1:
        recipient, (outcome,) = one.plans[0]
        return [(left_at + (pause + outcome.after), 1, outcome, [recipient])]
    steps: list[_Step] = [
        (left_at + due, number, outcome, recipients)
        for number, (due, outcome, recipients) in enumerate(_scheduled(one.plans, pause), 1)
        if number not in one.done
    ]
    steps.sort(key=lambda step: step[:2])
    return steps


def _scheduled(plans: list[tuple[str, Plan]], pause: float) -> list[tuple[float, Outcome, list[str]]]:
    """Returns due time, outcome and recipients. Recipients that share an outcome share its event; deliveries do by domain."""
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


def _apply(account: Account, one: MailUnderWay, outcome: Outcome | None, recipients: list[str]) -> None:
    if outcome is None:
        _report(account, one.mail, one.configuration_set, "Reject", None, [])
        return
    if outcome.kind == "Complaint" and not outcome.suppressed:
        recipients = [each for each in recipients if has_feedback_loop(isp_of(each))]
    if outcome.kind in ("Open", "Click"):
        _engage(account, one.mail, outcome)
    elif recipients:
        force = suppression.InForce(one.scope, one.reasons, one.suppression)
        happen(account, one.mail, one.configuration_set, outcome, recipients, force)


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


def _report_rendering_failure(
    account: Account, mail: Mail, configuration_set: ConfigurationSet | None, template: str, sentence: str
) -> None:
    for observer in account.mail.observers:
        observer.happened(mail, "Rendering Failure", None, (), account.clock.now())
    rendering_failed(account, configuration_set, mail, template, sentence)


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

    publish(account, configuration_set, event, mail, build)
    if mail.source_arn in account.identities.with_topics and event in notifications.TYPES:
        notifications.notify(account, mail, event, build())
