"""What events report about an address beside its mail: the values from which suppressions with an end are computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailcordon.core.priority import Class
from mailcordon.core.suppression import Reported, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an event reported about an address, as it is remembered."""

    tenant: int
    hash: bytes
    key: bytes  #: of the event
    kind: Reported
    class_: Class
    at: int
    cause: str  #: of the suppression that may follow; "" for not-spam feedback
    address: str
    evidence: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListHit:
    """An address that one of SES's lists has, in a spelling that an entry may have."""

    tenant: int
    hash: bytes
    list: str  #: the SES tenant whose list it is; "": the account's
    spelling: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlist:
    """An address that SES may have listed for a bounce that closes it for a while, or not at all."""

    tenant: int
    hash: bytes
    spelling: str
    ses_id: str
    since: int
    due_at: int  #: when SES's entry is to go


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """All that is known of one address of a tenant."""

    tenant: int
    hash: bytes
    reports: Sequence[Report]
    removed: Mapping[
        tuple[Scope, int], int
    ]  #: until when evidence is void, since a person removed the suppression


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """Not-spam feedback about a tenant's mail of a class."""

    tenant: int
    hash: bytes
    class_: Class
    at: int
