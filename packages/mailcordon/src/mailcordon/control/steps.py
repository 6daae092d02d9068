"""The changes of the platform that a plan consists of.

Each is one value, and is applied in one transaction with the rest of its plan. SES follows (control/reconcile.py).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Mail = Literal["drain", "cancel"]  #: what becomes of the mail of a lane that is retired


class StepKind(StrEnum):
    ADD_TENANT = "add-tenant"  #: to: key, dedicated, ses_tenants
    ADD_DOMAIN = "add-domain"
    ADD_LANE = "add-lane"  #: to: domain
    SET_MAIL_FROM = "set-mail-from"  #: of a domain
    MOVE_LANE = "move-lane"  #: to another domain of the same tenant
    SET_TOPOLOGY = "set-topology"  #: of a tenant: dedicated, ses_tenants
    RETIRE_LANE = "retire-lane"
    RETIRE_DOMAIN = "retire-domain"
    RETIRE_TENANT = "retire-tenant"
    UNRETIRE_LANE = "unretire-lane"
    UNRETIRE_DOMAIN = "unretire-domain"
    UNRETIRE_TENANT = "unretire-tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    kind: StepKind
    tenant: str  #: slug
    type: str | None = None
    domain: str | None = None
    was: str | None = None  #: the value before, in words that a document uses
    to: str | None = None
    mail: Mail | None = None
