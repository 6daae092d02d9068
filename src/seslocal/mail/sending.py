"""SendEmail: the checks in SES's order, one line in the ledger, and then what becomes of the mail. A mail that
passes is accepted whatever happens to it later; a suppressed recipient, a virus or a bounce is found afterwards
and told by events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from seslocal.errors import ApiError, bad_request, limit_exceeded, not_found
from seslocal.events.documents import Mail
from seslocal.mail import aftermath, fates
from seslocal.mail.content import Letter, read_letter
from seslocal.mail.fates import DELIVERS, SIMULATOR, Plan
from seslocal.sesv2 import suppression
from seslocal.sesv2.identities import resolve
from seslocal.state import Account, Caller, ConfigurationSet, Identity, Params, Tenant

_NAMED_IDENTITIES: Final = ("FromEmailAddressIdentityArn", "FeedbackForwardingEmailAddressIdentityArn")


@dataclass(slots=True)
class _Passed:
    """A letter that may leave, with all that was found out about it on the way."""

    letter: Letter
    tenant: Tenant | None
    configuration_set: ConfigurationSet | None
    identity: Identity


def send_email(account: Account, params: Params, caller: Caller) -> Params:
    passed = _gate(account, params)
    now = account.clock.now()
    recipients = passed.letter.recipients
    counted = sum(1 for address in recipients if not address.lower().endswith("@" + SIMULATOR))
    if not account.allowance.has_tokens(len(recipients), now):
        raise too_fast()
    if not account.allowance.has_quota(counted, now):
        raise limit_exceeded("Daily message quota exceeded.")
    account.allowance.take(len(recipients), counted, now)
    return {"MessageId": _accept(account, passed, params["Content"], caller, now)}


def too_fast() -> ApiError:
    return ApiError("TooManyRequestsException", "Maximum sending rate exceeded.", 429)


def whose(params: Params) -> tuple[str | None, str | None]:
    """Tenant and configuration set that a call names, for faults that concern only some."""
    tenant, name = params.get("TenantName"), params.get("ConfigurationSetName")
    return tenant if isinstance(tenant, str) else None, name if isinstance(name, str) else None


# the gate


def _gate(account: Account, params: Params) -> _Passed:
    tenant = _tenant(account, params["TenantName"]) if "TenantName" in params else None
    letter = read_letter(params)
    if tenant is None and letter.tenant is not None:
        tenant = _tenant(account, letter.tenant)
    if "ListManagementOptions" in params:
        name = params["ListManagementOptions"]["ContactListName"]
        raise not_found(f"List with name: {name} doesn't exist.")
    identities = [(sender, resolve(account, sender)) for sender in letter.senders]
    first = identities[0][1]
    configuration_set = _configuration_set(account, params, letter, first)
    if tenant is not None:
        arns = [identity.arn for _, identity in identities if identity]
        arns += [params[name] for name in _NAMED_IDENTITIES if name in params]
        _check_tenant(account, tenant, arns, configuration_set)
    if account.enforcement == "SHUTDOWN":
        raise ApiError("AccountSuspendedException", "Sending suspended for this account.")
    if not account.sending_enabled:
        raise ApiError("SendingPausedException", "Sending paused for this account.")
    if configuration_set is not None and not configuration_set.sending_enabled:
        name = configuration_set.name
        raise ApiError("SendingPausedException", f"Sending paused for configuration set {name}.")
    if unverified := [sender for sender, identity in identities if not identity or not identity.verified]:
        raise _not_verified(account, unverified)
    assert first is not None  # an identity that failed the check above never gets here
    if first.mail_from and first.on_mx_failure == "REJECT_MESSAGE" and first.mail_from_status != "SUCCESS":
        raise ApiError(
            "MailFromDomainNotVerifiedException", f"Mail-From domain {first.mail_from} is not verified."
        )
    if not account.production:
        _check_sandbox(account, letter)
    return _Passed(letter, tenant, configuration_set, first)


def _tenant(account: Account, name: str) -> Tenant:
    tenant = account.tenants.get(name)
    if tenant is None:
        raise not_found(f"Tenant {name} for AwsAccountId {account.id} not found.")
    return tenant


def _configuration_set(
    account: Account, params: Params, letter: Letter, identity: Identity | None
) -> ConfigurationSet | None:
    default = identity.configuration_set if identity else None
    name: str | None = params.get("ConfigurationSetName") or letter.configuration_set or default
    if name is None:
        return None
    found = account.configuration_sets.get(name)
    if found is None:
        raise not_found(f"Configuration set <{name}> does not exist.")
    return found


def _check_tenant(
    account: Account,
    tenant: Tenant,
    identities: list[str],
    configuration_set: ConfigurationSet | None,
) -> None:
    """`identities` are the ARNs of all identities that the call names or uses."""
    if configuration_set is None and account.behaviour.tenant_needs_configuration_set:
        raise bad_request("A configuration set is required when sending with a tenant.")
    arns = dict.fromkeys(identities)
    if configuration_set is not None:
        arns[configuration_set.arn] = None
    if missing := [arn for arn in arns if arn not in tenant.associations]:
        raise ApiError(
            "AccessDeniedException",
            f"Tenant not associated with resources [{', '.join(missing)}].",
            403,
            key="Message",
        )
    if tenant.status == "DISABLED":
        raise ApiError("MessageRejected", f"Sending disabled for {tenant.arn}.")


def _check_sandbox(account: Account, letter: Letter) -> None:
    strangers: list[str] = []
    for recipient in letter.recipients:
        folded = recipient.lower()
        identity = resolve(account, folded)
        if not folded.endswith("@" + SIMULATOR) and not (identity and identity.verified):
            strangers.append(recipient)
    if strangers:
        raise _not_verified(account, strangers)


def _not_verified(account: Account, addresses: list[str]) -> ApiError:
    return ApiError(
        "MessageRejected",
        "Email address is not verified. The following identities failed the check in region "
        f"{account.region.upper()}: {', '.join(addresses)}",
    )


# accepted


def _accept(account: Account, passed: _Passed, content: Params, caller: Caller, now: float) -> str:
    letter, tenant, configuration_set = passed.letter, passed.tenant, passed.configuration_set
    message_id = account.ids.message(now)
    force = suppression.in_force(account, tenant, configuration_set)
    name = tenant.name if tenant else None
    most = _max_delivery(configuration_set)
    plans = [
        (recipient, fates.within(_plan(account, force, recipient, name, letter.infected, now), most))
        for recipient in letter.recipients
    ]
    account.ledger.add(
        message_id=message_id,
        at=now,
        tenant=name,
        configuration_set=configuration_set.name if configuration_set else None,
        recipients=letter.recipients,
        facts={
            "from": letter.source,
            "subject": letter.subject,
            "tags": letter.tags,
            "headers": letter.headers,
            "size": letter.size,
            "fates": {recipient: _fate(plan, letter.infected) for recipient, plan in plans},
        },
        content=content,
    )
    mail = Mail(
        message_id=message_id,
        accepted_at=now,
        source=letter.source,
        source_arn=passed.identity.arn,
        account_id=account.id,
        destination=letter.recipients,
        headers=letter.headers,
        common={**letter.common, "messageId": message_id},
        tags={**_auto_tags(passed, caller), **letter.tags},
        tenant=name,
        max_delivery_seconds=most,
    )
    aftermath.begin(account, mail, configuration_set, plans, force, infected=letter.infected)
    return message_id


def _plan(
    account: Account,
    force: suppression.InForce,
    recipient: str,
    tenant: str | None,
    infected: bool,
    now: float,
) -> Plan:
    if infected:
        return DELIVERS
    folded = recipient.lower()
    if reason := force.hit(folded):
        return (fates.suppressed(force.scope, reason),)
    return fates.ask(account.providers, folded, tenant, now)


def _fate(plan: Plan, infected: bool) -> dict[str, str | None]:
    fate, subtype = ("rejected", "") if infected else fates.in_words(plan)
    return {"fate": fate, "subtype": subtype or None}


def _auto_tags(passed: _Passed, caller: Caller) -> dict[str, list[str]]:
    tags = {
        "ses:operation": ["SendEmail"],
        "ses:source-ip": [caller.source_ip],
        "ses:from-domain": [passed.letter.senders[0].rpartition("@")[2]],
        "ses:caller-identity": [caller.access_key],
    }
    if passed.configuration_set is not None:
        tags["ses:configuration-set"] = [passed.configuration_set.name]
    return tags


def _max_delivery(configuration_set: ConfigurationSet | None) -> float | None:
    if configuration_set is None:
        return None
    return configuration_set.options.get("DeliveryOptions", {}).get("MaxDeliverySeconds")


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {"SendEmail": send_email}
