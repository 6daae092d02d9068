"""The path of every mail, whichever operation sends it: SES's checks in SES's order, rate and quota, an entry in the ledger, then
its delivery. A mail that passes the checks is accepted; a suppressed recipient, a virus or a bounce is reported later, by
events."""

from __future__ import annotations

from typing import Final

import msgspec

from seslocal.errors import ApiError, bad_request, limit_exceeded, not_found
from seslocal.mail import auto_validation, delivery, list_management, suppression, world_delivery
from seslocal.mail.content import Letter
from seslocal.state import outcomes
from seslocal.state.accepted_mail import Mail, write_headers
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.account_review import SHUTDOWN
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.dedicated_ips import SHARED_IP
from seslocal.state.identities import Identity
from seslocal.state.outcomes import BY_WORLD, DELIVERS, Plan, is_simulator
from seslocal.state.tenants import Tenant
from seslocal.wire.params import Params
from seslocal.world.providers import provider_of

#: what SES v1 and SMTP say of a paused account (GoodDollar/GoodServer#419, hcengineering/platform#8899)
PAUSED: Final = (
    "Sending paused for this account. For more information, please check the inbox of the email address associated with your "
    "AWS account."
)
#: kinds of errors that concern the whole call, however many mails it has
TENANT_GATE: Final = ("tenant_set", "tenant_resources", "tenant_paused")


class Submission(msgspec.Struct):
    """A mail as a call submits it."""

    operation: str  #: as in the tag ses:operation
    letter: Letter
    content: Params  #: as the ledger stores it: Simple, Raw or Rendered
    tenant: Tenant | None
    configuration_set: str | None  #: of the call; else the letter's, else the identity's default
    named: tuple[str, ...] = ()  #: ARNs of further identities and of stored templates in the call


class CheckedSubmission(msgspec.Struct):
    """A submission that passed the checks, with what they found."""

    submission: Submission
    tenant: Tenant | None
    configuration_set: ConfigurationSet | None
    identity: Identity


def submit(account: Account, submission: Submission, caller: Caller) -> str:
    """Checks, counts and accepts one mail. Returns its MessageId. Raises ApiError, and then changes nothing."""
    passed = check(account, submission)
    take(account, submission.letter)
    return accept(account, passed, caller)


def take(account: Account, letter: Letter) -> None:
    """Counts the recipients against rate and quota (ses.md 3.5). Raises ApiError, and then counts nothing."""
    now = account.clock.now()
    recipients = letter.recipients
    counted = len(recipients) - sum([is_simulator(address) for address in recipients])
    if not account.sending.limits.has_tokens(len(recipients), now):
        raise too_fast()
    if not account.sending.limits.has_quota(counted, now):
        raise limit_exceeded("Daily message quota exceeded.", kind="quota_gone")
    account.sending.limits.take(len(recipients), counted, now)


def too_fast() -> ApiError:
    return ApiError("TooManyRequestsException", "Maximum sending rate exceeded.", 429)


def tenant_named(account: Account, name: str) -> Tenant:
    """SES looks up the tenant before it reads the rest of a call (ses.md 1.5). Raises ApiError."""
    tenant = account.tenants.get(name)
    if tenant is None:
        raise not_found(f"Tenant {name} for AwsAccountId {account.id} not found.")
    return tenant


# checks


def check(account: Account, submission: Submission) -> CheckedSubmission:
    """Runs SES's checks in SES's order (ses.md 1.5, 3.4). Raises ApiError."""
    letter, tenant = submission.letter, submission.tenant
    if tenant is None and letter.tenant is not None:
        tenant = tenant_named(account, letter.tenant)
    identities = [(sender, account.identities.resolve(sender)) for sender in letter.senders]
    first = identities[0][1]
    configuration_set = _configuration_set(account, submission, first)
    if tenant is not None:
        arns = [identity.arn for _, identity in identities if identity]
        arns += submission.named
        _check_tenant(account, tenant, arns, configuration_set)
    if account.sending.enforcement == SHUTDOWN:
        if account.sending.review.paused:
            raise ApiError(account.behaviour.pause_error, PAUSED, kind="account_paused_by_ses")
        raise ApiError("AccountSuspendedException", "Sending suspended for this account.")
    if not account.sending.enabled:
        code = account.behaviour.pause_error
        text = "Sending paused for this account." if code == "SendingPausedException" else PAUSED
        raise ApiError(code, text, kind="account_paused")
    if configuration_set is not None and not configuration_set.sending_enabled:
        name = configuration_set.name
        raise ApiError(
            "SendingPausedException", f"Sending paused for configuration set {name}.", kind="set_paused"
        )
    if unverified := [sender for sender, identity in identities if not identity or not identity.verified]:
        raise not_verified(account, unverified)
    assert first is not None  # else the check above raised
    if first.mail_from and first.on_mx_failure == "REJECT_MESSAGE" and first.mail_from_status != "SUCCESS":
        raise ApiError(
            "MailFromDomainNotVerifiedException", f"Mail-From domain {first.mail_from} is not verified."
        )
    if not account.sending.production:
        _check_sandbox(account, letter)
    return CheckedSubmission(submission, tenant, configuration_set, first)


def _configuration_set(
    account: Account, submission: Submission, identity: Identity | None
) -> ConfigurationSet | None:
    default = identity.configuration_set if identity else None
    name = submission.configuration_set or submission.letter.configuration_set or default
    if name is None:
        return None
    found = account.configuration_sets.get(name)
    if found is None:
        raise not_found(f"Configuration set <{name}> does not exist.", kind="set_absent")
    return found


def _check_tenant(
    account: Account,
    tenant: Tenant,
    resources: list[str],
    configuration_set: ConfigurationSet | None,
) -> None:
    """`resources` are the ARNs of all identities and templates that the call uses."""
    if configuration_set is None and account.behaviour.tenant_needs_configuration_set:
        raise bad_request("A configuration set is required when sending with a tenant.", kind="tenant_set")
    arns = dict.fromkeys(resources)
    if configuration_set is not None:
        arns[configuration_set.arn] = None
    if missing := [arn for arn in arns if arn not in tenant.associations]:
        raise ApiError(
            "AccessDeniedException",
            f"Tenant not associated with resources [{', '.join(missing)}].",
            403,
            key="Message",
            kind="tenant_resources",
        )
    if tenant.status == "DISABLED":
        raise ApiError("MessageRejected", f"Sending disabled for {tenant.arn}.", kind="tenant_paused")


def _check_sandbox(account: Account, letter: Letter) -> None:
    unverified: list[str] = []
    for recipient in letter.recipients:
        folded = recipient.lower()
        identity = account.identities.resolve(folded)
        if not is_simulator(recipient) and not (identity and identity.verified):
            unverified.append(recipient)
    if unverified:
        raise not_verified(account, unverified)


def not_verified(account: Account, addresses: list[str]) -> ApiError:
    return ApiError(
        "MessageRejected",
        "Email address is not verified. The following identities failed the check in region "
        f"{account.region.upper()}: {', '.join(addresses)}",
    )


# accepted


def accept(account: Account, passed: CheckedSubmission, caller: Caller) -> str:
    """Adds the mail to the ledger and starts its delivery. Returns its MessageId."""
    submission, tenant, configuration_set = passed.submission, passed.tenant, passed.configuration_set
    letter, now = submission.letter, account.clock.now()
    message_id = account.ids.message(now)
    force = suppression.in_force(account, tenant, configuration_set)
    name = tenant.name if tenant else None
    most = _max_delivery(configuration_set)
    plans: list[tuple[str, Plan]] = [
        (
            recipient,
            outcomes.limited(_plan(account, force, recipient, name, letter, configuration_set, now), most),
        )
        for recipient in letter.recipients
    ]
    common = {**letter.common, "messageId": message_id}
    truncated, headers, _ = written = write_headers(letter.headers, common)
    account.mail.ledger.add(
        message_id=message_id,
        at=now,
        tenant=name,
        configuration_set=configuration_set.name if configuration_set else None,
        recipients=letter.recipients,
        facts={
            "from": letter.source,
            "subject": letter.subject,
            "tags": letter.tags,
            "headers": letter.headers if truncated else headers,  # encoded once
            "size": letter.size,
            "fates": {recipient: _fate(plan, letter) for recipient, plan in plans},
        },
        content=submission.content,
    )
    mail = Mail(
        message_id=message_id,
        accepted_at=now,
        source=letter.source,
        source_arn=passed.identity.arn,
        account_id=account.id,
        destination=letter.recipients,
        headers=letter.headers,
        written=written,
        common=common,
        tags={**_auto_tags(passed, caller), **letter.tags},
        tenant=name,
        max_delivery_seconds=most,
        outgoing_ip=_outgoing_ip(account, configuration_set, letter.recipients[0], now)
        if account.dedicated_ips.by_ip and not any(plan is BY_WORLD for _, plan in plans)
        else SHARED_IP,
    )
    if letter.managed is not None:
        list_management.activate_link(account, letter.managed, mail, configuration_set)
    if account.mailboxes.world is None:
        delivery.start(account, mail, configuration_set, plans, force, letter)
        return message_id
    ours = [(recipient, plan) for recipient, plan in plans if plan is not BY_WORLD]
    shown = delivery.start(account, mail, configuration_set, ours, force, letter)
    world_delivery.start(
        account, shown, letter, submission.content, passed.identity, configuration_set, force, plans
    )
    return message_id


def _plan(
    account: Account,
    force: suppression.InForce,
    recipient: str,
    tenant: str | None,
    letter: Letter,
    configuration_set: ConfigurationSet | None,
    now: float,
) -> Plan:
    if letter.infected or letter.broken:
        return DELIVERS
    if recipient in letter.opted_out:
        return (outcomes.bounce("UnsubscribedRecipient"),)
    folded = recipient.lower()
    if reason := force.hit(folded):
        return (outcomes.suppressed(force.scope, reason),)
    if account.suppression.global_list.entries and _globally_suppressed(account, force, folded, now):
        return (outcomes.bounce("Suppressed"),)
    if auto_validation.rejects(account, configuration_set, recipient):
        return (outcomes.bounce("EmailValidationSuppressed"),)
    if account.behaviour.ooto_bounces and outcomes.is_away(folded):
        return (outcomes.DELIVERY, outcomes.AUTOMATIC_REPLY)
    return account.mailboxes.plan(folded, tenant, now)


def _globally_suppressed(account: Account, force: suppression.InForce, folded: str, now: float) -> bool:
    """If bounces are checked against an own list, SES ignores the global list (ses.md 2.2)."""
    switches = account.behaviour
    has_own_list = "BOUNCE" in force.reasons and not (
        switches.global_list_for_tenants and force.scope == "TENANT"
    )
    return switches.global_list and not has_own_list and account.suppression.global_list.holds(folded, now)


def _fate(plan: Plan, letter: Letter) -> dict[str, str | None]:
    if letter.infected or letter.broken:
        return {"fate": "rendering_failed" if letter.broken else "rejected", "subtype": None}
    fate, subtype = outcomes.fate_of(plan)
    return {"fate": fate, "subtype": subtype or None}


def _auto_tags(passed: CheckedSubmission, caller: Caller) -> dict[str, list[str]]:
    tags = {
        "ses:operation": [passed.submission.operation],
        "ses:source-ip": [caller.source_ip],
        "ses:from-domain": [passed.submission.letter.senders[0].rpartition("@")[2]],
        "ses:caller-identity": [caller.user],
    }
    if passed.configuration_set is not None:
        tags["ses:configuration-set"] = [passed.configuration_set.name]
    return tags


def _outgoing_ip(
    account: Account, configuration_set: ConfigurationSet | None, recipient: str, now: float
) -> str:
    """Of mail that no world decides about. If there is a world it depends on no other mail of the same minute."""
    delivery: Params = configuration_set.options.get("DeliveryOptions", {}) if configuration_set else {}
    pool: str | None = delivery.get("SendingPoolName")
    if (state := account.mailboxes.world) is None:
        return account.dedicated_ips.outgoing(pool, now)
    pick, chance, _, _ = state.world.draws.four("ip", recipient.lower())
    return account.dedicated_ips.choose(pool, provider_of(recipient), (pick, chance), now).ip


def _max_delivery(configuration_set: ConfigurationSet | None) -> float | None:
    if configuration_set is None:
        return None
    return configuration_set.options.get("DeliveryOptions", {}).get("MaxDeliverySeconds")
