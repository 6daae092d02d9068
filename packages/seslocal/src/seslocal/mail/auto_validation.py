"""Auto Validation: SES's verdicts about an address before it mails it (ses.md 2.6). A verdict is the confidence that a statement
is true. SES does not document how it judges; here verdicts follow from syntax, this server's DNS and mailboxes, and simple
rules. The admin API can set the verdict of an address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from seslocal.errors import ApiError
from seslocal.mail import world_envelope
from seslocal.mail.address import bare_address
from seslocal.state import outcomes
from seslocal.state.account import Account
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.wire.params import Params

LOW: Final = "LOW"
MEDIUM: Final = "MEDIUM"
HIGH: Final = "HIGH"
VERDICTS: Final = (LOW, MEDIUM, HIGH)
#: threshold -> the verdicts that are mailed
_MAILED: Final = {MEDIUM: (MEDIUM, HIGH), HIGH: (HIGH,), "MANAGED": (MEDIUM, HIGH)}
_ROLES: Final = re.compile(
    r"abuse|admin|billing|contact|help|hostmaster|info|marketing|no-?reply|office|postmaster|sales|security|support|webmaster"
)
_DISPOSABLE: Final = re.compile(
    r"(.+\.)?(10minutemail|dispostable|getnada|guerrillamail|mailinator|sharklasers|temp-mail|trashmail|yopmail)\.(com|org)"
)
_DEAD: Final = (".invalid", ".localhost")  # names that RFC 2606 keeps out of the DNS


@dataclass(frozen=True, slots=True)
class Insight:
    """Verdicts about one address."""

    valid_syntax: str
    valid_dns: str
    mailbox_exists: str
    role_address: str
    disposable: str
    random_input: str
    said: str | None = None  #: verdict set by the admin API

    @property
    def valid(self) -> str:
        if self.said is not None:
            return self.said
        if LOW in (self.valid_syntax, self.valid_dns, self.mailbox_exists):
            return LOW
        return MEDIUM if HIGH in (self.role_address, self.disposable, self.random_input) else HIGH


def assess(account: Account, address: str) -> Insight:
    folded = address.lower()
    local, _, domain = folded.rpartition("@")
    local = local.partition("+")[0]
    is_address = _is_address(address)
    has_dns = is_address and _has_dns(account, domain)
    return Insight(
        valid_syntax=HIGH if is_address else LOW,
        valid_dns=HIGH if has_dns else LOW,
        mailbox_exists=HIGH if has_dns and not _bounces(account, folded) else LOW,
        role_address=HIGH if _ROLES.fullmatch(local) else LOW,
        disposable=HIGH if _DISPOSABLE.fullmatch(domain) else LOW,
        random_input=HIGH if _looks_random(local) else LOW,
        said=account.suppression.verdicts.get(folded),
    )


def rejects(account: Account, configuration_set: ConfigurationSet | None, address: str) -> bool:
    """Whether the threshold of the set, else of the account, excludes this recipient."""
    options: Params | None = None
    if configuration_set is not None:
        options = configuration_set.options.get("SuppressionOptions", {}).get("ValidationOptions")
    condition: Params = (options or account.suppression.validation or {}).get("ConditionThreshold", {})
    if condition.get("ConditionThresholdEnabled") != "ENABLED":
        return False
    overall: Params = condition.get("OverallConfidenceThreshold", {})
    threshold: str = overall.get("ConfidenceVerdictThreshold", "MANAGED")
    return assess(account, address).valid not in _MAILED[threshold]


def _is_address(address: str) -> bool:
    try:
        return bare_address(address) == address
    except ApiError:
        return False


def _has_dns(account: Account, domain: str) -> bool:
    """A domain in the own zone needs MX, A or AAAA. Any other is assumed to accept mail, except reserved names."""
    if account.zone.has(domain):
        return any(account.zone.find(domain, kind) for kind in ("MX", "A", "AAAA"))
    return "." in domain and not domain.endswith(_DEAD)


def _bounces(account: Account, folded: str) -> bool:
    if outcomes.is_simulator(folded):
        return False  # the simulator's mailboxes exist; their bounces are simulated
    plan = account.mailboxes.plan(folded, None, account.clock.now())
    if plan is outcomes.BY_WORLD:
        return world_envelope.has_no_mailbox(account, folded)
    return plan[0].kind == "Bounce" and plan[0].type == "Permanent"


def _looks_random(local: str) -> bool:
    """Ten characters or more with few vowels, or with letters and digits alternating."""
    letters = [c for c in local if c.isalpha()]
    if len(local) < 10 or not letters:
        return False
    vowels = sum(c in "aeiouy" for c in letters)
    turns = len(re.findall(r"[a-z](?=\d)|\d(?=[a-z])", local))
    return vowels * 6 < len(letters) or turns >= 5
