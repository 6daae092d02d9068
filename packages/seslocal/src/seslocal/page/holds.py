"""What holds mail at this SES at the moment, and how each hold is ended: the account, configuration sets, tenants, findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from seslocal.page import messages
from seslocal.state.account import Account
from seslocal.state.tenants import Tenant


@dataclass(frozen=True, slots=True)
class Hold:
    colour: str  #: bad: mail is refused; slow: it is not, yet
    what: str  #: a sentence
    cause: str  #: in the words of who decided it; "" if nobody said
    since: float | None  #: seconds since the epoch
    ends: str  #: a shell command


def holds(account: Account, url: str) -> Iterator[Hold]:
    """Yields what holds mail now, the widest first. `url` is this server's, for the commands."""
    yield from _account(account, url)
    for name, found in sorted(account.configuration_sets.items()):
        if not found.sending_enabled:
            command = f"put-configuration-set-sending-options --configuration-set-name {quote(name)} --sending-enabled"
            yield Hold("bad", messages.set_off(name), "", None, _aws(command, url))
    for _, tenant in sorted(account.tenants.items()):
        yield from _tenant(tenant, url)


def _account(account: Account, url: str) -> Iterator[Hold]:
    sending, review = account.sending, account.sending.review
    if not sending.enabled:
        command = _aws("put-account-sending-attributes --sending-enabled", url)
        yield Hold("bad", messages.ACCOUNT_PAUSED, "", sending.paused_at, command)
    status = sending.enforcement
    if status != "HEALTHY":
        sentence = messages.ACCOUNT_SHUT_DOWN if status == "SHUTDOWN" else messages.ACCOUNT_REVIEWED
        colour = "bad" if status == "SHUTDOWN" else "slow"
        command = admin("PUT", "/account", url, '{"enforcement": "HEALTHY"}')
        yield Hold(colour, sentence, review.cause, review.since or None, command)
    if not sending.production:
        command = admin("PUT", "/account", url, '{"production": true}')
        yield Hold("slow", messages.ACCOUNT_IN_SANDBOX, "", None, command)


def _tenant(tenant: Tenant, url: str) -> Iterator[Hold]:
    customer, aws = tenant.customer_managed, tenant.aws_managed
    if customer.status == "DISABLED":
        command = (
            "update-reputation-entity-customer-managed-status --reputation-entity-type RESOURCE "
            f"--reputation-entity-reference {quote(tenant.arn)} --sending-status ENABLED"
        )
        sentence = messages.tenant_paused_by_customer(tenant.name)
        yield Hold("bad", sentence, customer.cause or "", customer.at, _aws(command, url))
    if aws.status == "DISABLED":
        command = admin("PUT", f"/tenants/{tenant.name}", url, '{"aws_status": "REINSTATED"}')
        yield Hold("bad", messages.tenant_paused_by_aws(tenant.name), aws.cause or "", aws.at, command)
    for finding in tenant.open_findings:
        command = admin("DELETE", f"/tenants/{tenant.name}/findings/{finding.type}", url)
        sentence = messages.tenant_has_finding(tenant.name, finding.type, finding.impact)
        yield Hold("slow", sentence, finding.description, finding.created, command)


def admin(method: str, path: str, url: str, body: str = "") -> str:
    """Returns a command that makes an admin call."""
    more = f" -H 'Content-Type: application/json' -d {quote(body)}" if body else ""
    return f"curl -X {method} {quote(f'{url}/_seslocal{path}')}{more}"


def _aws(command: str, url: str) -> str:
    return f"aws sesv2 {command} --endpoint-url {quote(url)}"
