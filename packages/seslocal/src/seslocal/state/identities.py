"""Identities: the domains and addresses allowed in From, and their verification."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from seslocal.state.verification import PendingVerification, VerificationTemplate
from seslocal.wire.params import Params


@dataclass(slots=True)
class Identity:
    name: str
    arn: str
    created: float
    tags: dict[str, str]
    is_domain: bool
    status: str  #: VerificationStatus
    dkim: Params  #: DkimAttributes, without Status
    signing: bool = True
    feedback: bool = True  #: e-mail feedback forwarding
    configuration_set: str | None = None  #: default set
    mail_from: str | None = None
    mail_from_status: str = "SUCCESS"
    on_mx_failure: str = "USE_DEFAULT_VALUE"
    checked_at: float = 0.0
    verified_at: float | None = None
    error: str | None = None  #: VerificationInfo.ErrorType
    public_key: str | None = None  #: of a key that the customer brought, as in p=
    rotates: bool = False  #: it has new keys whose records were not found yet; the old keys sign meanwhile
    policies: dict[str, str] = field(default_factory=dict[str, str])  #: sending authorization, as given
    token: str | None = None  #: SES v1's verification token, of domains
    topics: dict[str, str] = field(
        default_factory=dict[str, str]
    )  #: Bounce, Complaint, Delivery -> topic ARN
    with_headers: frozenset[str] = frozenset()  #: which of these notifications carry the mail's headers

    @property
    def verified(self) -> bool:
        return self.status == "SUCCESS"

    def set_status(self, status: str, at: float) -> None:
        self.status = status
        self.checked_at = at
        if status == "SUCCESS":
            self.mail_from_status = "SUCCESS"
            self.verified_at = at
            self.use_new_keys()

    def use_new_keys(self) -> None:
        """From now on SES signs with the keys that were requested last."""
        self.rotates = False
        if "NextSigningKeyLength" in self.dkim:
            self.dkim["CurrentSigningKeyLength"] = self.dkim["NextSigningKeyLength"]


class Identities(dict[str, Identity]):
    """All identities by name, in lower case."""

    def __init__(self) -> None:
        super().__init__()
        self.with_topics: set[str] = set()  #: ARNs of those that have notification topics
        #: called with an identity that was created, or whose keys or MAIL FROM changed
        self.changed: Callable[[Identity], None] = lambda identity: None
        self.verification_templates: dict[str, VerificationTemplate] = {}
        self.pending_verifications: dict[str, PendingVerification] = {}  #: by the token in the mail's link

    def resolve(self, address: str) -> Identity | None:
        """Returns the identity for this From address: the address itself, its domain, or a parent domain, in this order,
        verified ones first. `address` is in lower case."""
        unverified: Identity | None = None
        for name in _covering(address):
            if identity := self.get(name):
                if identity.verified:
                    return identity
                unverified = unverified or identity
        return unverified


def _covering(address: str) -> Iterator[str]:
    yield address
    domain = address.rpartition("@")[2]
    while "." in domain:
        yield domain
        domain = domain.partition(".")[2]
