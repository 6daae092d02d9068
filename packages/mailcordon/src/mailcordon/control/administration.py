"""The control plane's port to SES: every call but sending, with one error.

What is read is *whole*: all that SES returned, with SES's own member names, lists and spellings, and times as ISO 8601 text.
control/observed.py takes from it what is compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self, TypeAlias

from mailcordon.control.work import Work

Whole: TypeAlias = Mapping[str, Any]  #: JSON, as SES returned it


class SesError(Exception):
    """SES refused, or did not respond. The text is SES's own message; `tenant show` displays it."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class SesAccount:
    max_send_rate: float  #: recipients a second
    max_24h: float  #: recipients in 24 hours; below 0: no limit
    sent_24h: float
    sending_enabled: bool
    enforcement: str  #: HEALTHY, PROBATION or SHUTDOWN


class Administration(Protocol):
    """Each method is one call to SES, or one per page of a list. Raises SesError.

    Reading what does not exist gives None. Creating what exists gives False or None and changes nothing; deleting what does not
    exist is not an error: a process may have died right after such a call. A PUT replaces its group of members (ses.md 6), so a
    caller passes the whole group, with the values in it that are not its own.
    """

    def doing(self, work: Work, tenant: int | None) -> Self:
        """The same client; its calls are counted for this kind of work and this tenant."""
        ...

    # Configuration sets
    async def get_configuration_set(self, name: str) -> Whole | None: ...

    async def create_configuration_set(
        self,
        name: str,
        *,
        reasons: Sequence[str] | None,
        max_delivery_seconds: int | None,
        sending_pool: str | None = None,
    ) -> bool: ...

    async def put_set_group(self, name: str, group: str, members: Whole) -> None:
        """`group`: suppression, delivery, sending, tracking, vdm or reputation."""
        ...

    async def delete_configuration_set(self, name: str) -> None: ...

    async def configuration_sets(self) -> list[str]: ...

    async def get_destinations(self, set_name: str) -> list[Whole] | None:
        """None if the set does not exist."""
        ...

    async def create_destination(self, set_name: str, name: str, members: Whole) -> bool: ...

    async def put_destination(self, set_name: str, name: str, members: Whole) -> None: ...

    async def delete_destination(self, set_name: str, name: str) -> None: ...

    # Pools of dedicated IPs
    async def get_ip_pool(self, name: str) -> Whole | None:
        """With its addresses as `Ips`: `Ip`, `WarmupStatus` and `WarmupPercentage` of each, -1 in a managed pool (ses.md 7)."""
        ...

    async def delete_ip_pool(self, name: str) -> None: ...

    async def create_ip_pool(self, name: str, *, mode: str) -> bool:
        """`mode`: STANDARD or MANAGED."""
        ...

    # Identities
    async def get_identity(self, name: str) -> Whole | None: ...

    async def create_identity(self, domain: str, *, configuration_set: str) -> Whole | None:
        """What SES returned for the new identity; None if it exists."""
        ...

    async def put_identity_set(self, domain: str, configuration_set: str) -> None: ...

    async def put_dkim(self, domain: str, *, signing: bool) -> None: ...

    async def put_mail_from(self, domain: str, mail_from: str | None, *, behavior: str) -> None: ...

    async def put_feedback(self, domain: str, *, forwarding: bool) -> None: ...

    async def delete_identity(self, domain: str) -> None: ...

    async def identities(self) -> list[Whole]: ...

    # Tenants
    async def get_tenant(self, name: str) -> Whole | None: ...

    async def create_tenant(self, name: str, *, scope: str, reasons: Sequence[str]) -> Whole | None:
        """What SES returned for the new tenant; None if it exists."""
        ...

    async def put_tenant_suppression(self, name: str, *, scope: str, reasons: Sequence[str]) -> None: ...

    async def delete_tenant(self, name: str) -> None: ...

    async def tenants(self) -> list[Whole]: ...

    async def tenants_with_status(self, status: str) -> dict[str, str]:
        """ARN by name."""
        ...

    async def get_entity(self, tenant_arn: str) -> Whole | None:
        """The reputation entity of a tenant: its policy and statuses."""
        ...

    async def entities(self) -> list[Whole]: ...

    async def open_recommendations(self, type: str) -> list[Whole]:
        """SES's own findings of one type that are open: of tenants, identities and the account."""
        ...

    async def put_policy(self, tenant_arn: str, policy: str) -> None: ...

    async def put_status(self, tenant_arn: str, status: str) -> None:
        """The customer-managed status: ENABLED, DISABLED or REINSTATED."""
        ...

    async def status_cause(self, tenant_arn: str) -> str | None: ...

    async def get_associations(self, tenant: str) -> list[str] | None:
        """ARNs; None if the tenant does not exist."""
        ...

    async def tenants_of(self, arn: str) -> list[Whole]:
        """The tenants that a resource is associated with."""
        ...

    async def associate(self, tenant: str, arn: str) -> None: ...

    async def disassociate(self, tenant: str, arn: str) -> None: ...

    # The account and the suppression lists
    async def get_account(self) -> SesAccount: ...

    async def get_whole_account(self) -> Whole: ...

    async def put_account_suppression(self, members: Whole) -> None: ...

    async def put_account_vdm(self, members: Whole) -> None: ...

    async def get_suppressed(self, address: str, *, tenant: str | None) -> Whole | None:
        """The entry in exactly this spelling on the list of an SES tenant, or of the account. None: there is none."""
        ...

    async def suppressed_page(
        self, *, tenant: str | None, token: str | None, since: datetime | None = None
    ) -> tuple[Sequence[Whole], str | None]:
        """A page of the list of an SES tenant, or of the account, in the spellings that it has, and the token of the next.

        None at the end. `since`: only what was entered since then.
        """
        ...

    async def put_suppressed(self, address: str, *, reason: str, tenant: str) -> None:
        """Replaces the entry of this spelling."""
        ...

    async def delete_suppressed(self, address: str, *, tenant: str | None) -> None:
        """In exactly this spelling."""
        ...

    async def tag(self, arn: str, tags: Mapping[str, str]) -> None: ...

    async def untag(self, arn: str, keys: Sequence[str]) -> None: ...
