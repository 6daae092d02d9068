"""Strict identities: a domain verifies only when its records are in the zone. If the records disappear, it fails
temporarily, and permanently after 72 hours. The same holds for MAIL FROM domains. SES checks periodically; here a check runs
whenever identities or records change and when a deadline passes. An address verifies by
`PUT /_seslocal/identities/{address}`, within a day; at AWS its owner follows a link."""

from __future__ import annotations

from functools import partial
from typing import Final

from seslocal.dns.identity_records import Finding, check_keys, check_mail_from
from seslocal.state.account import Account
from seslocal.state.identities import Identity

PATIENCE: Final = 72 * 3600.0  # seconds that SES keeps checking for records
ADDRESS_PATIENCE: Final = 24 * 3600.0  # seconds that the verification mail to an address is valid
_DNS_IS_DOWN: Final = Finding(False, "DNS_SERVER_ERROR")


class RecordWatch:
    def __init__(self, account: Account) -> None:
        self._account = account
        #: identity or MAIL FROM domain -> since when its records have been missing
        self._missing: dict[tuple[str, bool], float] = {}
        account.identities.changed = self.identity_changed
        account.zone.changed = self.check_all

    def resume(self) -> None:
        """Continues to wait for the records of an earlier run's identities; the time to wait starts again."""
        for identity in self._account.identities.values():
            if identity.status in ("PENDING", "TEMPORARY_FAILURE") or identity.rotates:
                self._start_waiting(identity, mail_from=False)
            if identity.mail_from and identity.mail_from_status in ("PENDING", "TEMPORARY_FAILURE"):
                self._start_waiting(identity, mail_from=True)

    def identity_changed(self, identity: Identity) -> None:
        if identity.status == "PENDING" or identity.rotates:
            self._start_waiting(identity, mail_from=False)
        if identity.mail_from:
            identity.mail_from_status = "PENDING"
            self._start_waiting(identity, mail_from=True)
        self.check(identity)

    def check_all(self) -> None:
        for identity in self._account.identities.values():
            self.check(identity)

    def check(self, identity: Identity) -> None:
        account = self._account
        now = identity.checked_at = account.clock.now()
        is_down = account.faults.is_active("dns_outage")
        if identity.is_domain:
            finding = _DNS_IS_DOWN if is_down else check_keys(account.zone, identity, account.region)
            identity.status = self._next_status(identity, identity.status, finding, mail_from=False)
            identity.error = finding.error
            if finding.ok and identity.status == "SUCCESS":
                identity.verified_at = now
                identity.use_new_keys()
        elif identity.status == "PENDING" and now - self._since(identity, False) >= ADDRESS_PATIENCE:
            identity.status = "FAILED"
        if identity.mail_from:
            finding = (
                _DNS_IS_DOWN if is_down else check_mail_from(account.zone, identity.mail_from, account.region)
            )
            status = self._next_status(identity, identity.mail_from_status, finding, mail_from=True)
            identity.mail_from_status = status

    def _next_status(self, identity: Identity, status: str, finding: Finding, *, mail_from: bool) -> str:
        if status in ("FAILED", "NOT_STARTED"):
            return status  # SES stops checking until it is asked again
        if finding.ok:
            self._missing.pop((identity.name, mail_from), None)
            return "SUCCESS"
        if finding.final and status == "PENDING":
            return "FAILED"
        if status == "SUCCESS" and not (identity.rotates and not mail_from):
            self._start_waiting(identity, mail_from=mail_from)
            return "TEMPORARY_FAILURE"
        over = self._account.clock.now() - self._since(identity, mail_from) >= PATIENCE
        return "FAILED" if over else status

    def _since(self, identity: Identity, mail_from: bool) -> float:
        return self._missing.setdefault((identity.name, mail_from), self._account.clock.now())

    def _start_waiting(self, identity: Identity, *, mail_from: bool) -> None:
        now = self._account.clock.now()
        self._missing[identity.name, mail_from] = now
        wait = PATIENCE if identity.is_domain or mail_from else ADDRESS_PATIENCE
        self._account.clock.call_at(now + wait, partial(self._deadline_passed, identity))

    def _deadline_passed(self, identity: Identity) -> None:
        if self._account.identities.get(identity.name) is identity:
            self.check(identity)
