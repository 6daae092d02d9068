"""What SES's management events tell us to look at (ses.md 4.6). Pure.

An event says that somebody called SES. It is a hint to look at the named resource again, and never the truth about it: it may be
late, repeated, forged or missing. A call concerns one or more places, the most specific first. A hint is stored about each, so
that a finding can name who did it, and the first place that is a resource of ours is looked at.

Kinds and names of places are those of our resources (desired.py). The member is what was changed:

- configuration-set: suppression, delivery, sending, tracking, reputation, vdm, archiving, security, tags, event-destination/NAME
- event-destination: none, the whole destination
- identity: dkim_signing, dkim_key, mail_from, feedback_forwarding, configuration_set, policies, notifications, certificate, tags,
  tenant/NAME (associated with it), identity/ADDRESS (an address of the domain)
- tenant: suppression, status (as of the policy), tags
- policy (what SES calls a tenant's reputation entity): policy, status
- association: the associated resource as in its ARN, identity/DOMAIN or configuration-set/NAME
- account: suppression, sending, delivery, vdm, details, dedicated_ips, pricing

An empty member stands for the whole resource: it was created or deleted, or the operation is not known here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import cast
from urllib.parse import unquote

#: In the user agent of our own management client. Anybody can write it; the rolling check finds what it hides.
OUR_AGENT = "mailcordon/control"
LONGEST_NAME = 320  #: characters; an address is the longest name of a resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who called SES, as CloudTrail tells it."""

    arn: str | None = None
    access_key: str | None = None
    source_ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A management call, as its event tells it."""

    event: str  #: CloudTrail's eventName: the operation of SES v2 or v1
    by: Caller
    at: datetime | None  #: when SES took the call, by AWS's clock; None: the event does not say
    parameters: Mapping[str, object]  #: of the request; the names are in lower case
    read_only: bool = False
    error: str | None = None  #: SES's error code if the call was refused
    says_who: bool = True  #: False: SES reports a change itself, and not who made it


@dataclass(frozen=True, slots=True)
class Place:
    kind: str
    name: str
    member: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What is stored about a place."""

    event: str
    place: Place
    by: Caller
    at: datetime  #: when SES took the call, by AWS's clock


class Verdict(StrEnum):
    LOOK = "look"
    GUESSED = "guessed"  #: an operation that is not known here; what it names is looked at
    OWN = "own"  #: we called, and have read back what we set
    READ = "read"  #: the call changes nothing
    REFUSED = "refused"  #: SES refused the call
    ELSEWHERE = "elsewhere"  #: about things that are not ours to govern, such as templates
    NOTHING = "nothing"  #: the call names nothing that could be a resource


def judge(call: Call, cell: str) -> tuple[Verdict, Sequence[Place]]:
    """What to look at because of this call. Only LOOK and GUESSED have places. `cell` is the name of the account."""
    if call.by.user_agent is not None and OUR_AGENT in call.by.user_agent:
        return Verdict.OWN, ()
    if call.read_only:
        return Verdict.READ, ()
    # An error of SES itself does not say whether the call took effect.
    if call.error is not None and not call.error.startswith(("Internal", "ServiceUnavailable")):
        return Verdict.REFUSED, ()
    places_of = _EVENTS.get(call.event)
    if places_of is None and any(part in call.event for part in _ELSEWHERE):
        return Verdict.ELSEWHERE, ()
    found = (places_of or _guess)(_Members(call.parameters, cell))
    places = [place for place in found if _can_be(place)]
    if not places:
        return Verdict.NOTHING, ()
    return Verdict.LOOK if places_of is not None else Verdict.GUESSED, places


def _can_be(place: Place) -> bool:
    # A name in a path is decoded here, and a database stores no NUL.
    return 0 < len(place.name) <= LONGEST_NAME and "\0" not in place.name + place.member


class _Members:
    """Reads the parameters of a call, in the spelling of SES v2 or v1."""

    def __init__(self, parameters: Mapping[str, object], cell: str) -> None:
        self._parameters = parameters
        self.cell = cell

    def text(self, *names: str) -> str:
        """The first of these that is a text; empty if none is. `a.b` is a member of a member."""
        for name in names:
            outer, _, inner = name.partition(".")
            value = self._parameters.get(outer)
            if inner and isinstance(value, Mapping):
                value = cast("Mapping[str, object]", value).get(inner)
            if isinstance(value, str) and value:
                return value
        return ""

    @property
    def set_name(self) -> str:
        return self.text("configurationsetname", "configurationset.name")

    @property
    def tenant(self) -> str:
        return self.text("tenantname")

    @property
    def identity(self) -> str:
        found = self.text("emailidentity", "identity", "domain", "emailaddress")
        return unquote(found).lower()


_Places = Callable[[_Members], Sequence[Place]]


def _set(member: str = "") -> _Places:
    return lambda given: [Place("configuration-set", given.set_name, member)]


def _destination(given: _Members) -> Sequence[Place]:
    set_name = given.set_name
    name = given.text("eventdestinationname", "eventdestination.name")
    if not set_name:
        return []
    return [
        Place("event-destination", f"{set_name}/{name}"),
        Place("configuration-set", set_name, f"event-destination/{name}"),
    ]


def _identity(member: str = "") -> _Places:
    def places(given: _Members) -> Sequence[Place]:
        name = given.identity
        domain = name.rpartition("@")[2]
        found = [Place("identity", name, member)]
        # An address has settings of its own, before those of its domain (ses.md 5.6).
        return found if domain == name else [*found, Place("identity", domain, f"identity/{name}")]

    return places


def _tenant(member: str = "") -> _Places:
    return lambda given: [Place("tenant", given.tenant, member)]


def _association(given: _Members) -> Sequence[Place]:
    tenant, resource = given.tenant, given.text("resourcearn").split(":", 5)[-1]
    kind, _, name = resource.partition("/")
    if not tenant or not name:
        return []
    found = [Place("association", tenant, resource)]
    # A tenant that is not ours may use what is ours.
    if kind in ("identity", "configuration-set"):
        found.append(Place(kind, name, f"tenant/{tenant}"))
    return found


def _entity(member: str, *kinds: str) -> _Places:
    """Of a reputation entity, which an ARN names: tenant/NAME/ID."""

    def places(given: _Members) -> Sequence[Place]:
        arn = unquote(given.text("reputationentityreference"))
        parts = arn.split(":", 5)[-1].split("/")
        known = parts[0] == "tenant" and len(parts) > 1
        return [Place(kind, parts[1], member) for kind in kinds] if known else []

    return places


def _account(member: str) -> _Places:
    return lambda given: [Place("account", given.cell, member)]


def _arn(given: _Members) -> Sequence[Place]:
    kind, _, name = given.text("resourcearn").split(":", 5)[-1].partition("/")
    if kind == "tenant":
        name = name.partition("/")[0]
    return [Place(kind, name, "tags")] if kind in ("configuration-set", "identity", "tenant") else []


def _guess(given: _Members) -> Sequence[Place]:
    """Whatever an operation that is not known here names."""
    found = [
        Place("configuration-set", given.set_name),
        Place("identity", given.identity),
        Place("tenant", given.tenant),
        *(Place(place.kind, place.name) for place in _arn(given)),
    ]
    return [place for place in found if place.name]


#: By operation. SES v1 and v2 share some names, and differ in the spelling of their members.
_EVENTS: Mapping[str, _Places] = {
    "CreateConfigurationSet": _set(),
    "DeleteConfigurationSet": _set(),
    "UpdateConfigurationSet": _set("security"),
    "PutConfigurationSetSuppressionOptions": _set("suppression"),
    "PutConfigurationSetDeliveryOptions": _set("delivery"),
    "PutConfigurationSetSendingOptions": _set("sending"),
    "PutConfigurationSetTrackingOptions": _set("tracking"),
    "PutConfigurationSetReputationOptions": _set("reputation"),
    "PutConfigurationSetVdmOptions": _set("vdm"),
    "PutConfigurationSetArchivingOptions": _set("archiving"),
    "UpdateConfigurationSetSendingEnabled": _set("sending"),
    "UpdateConfigurationSetReputationMetricsEnabled": _set("reputation"),
    "CreateConfigurationSetTrackingOptions": _set("tracking"),
    "UpdateConfigurationSetTrackingOptions": _set("tracking"),
    "DeleteConfigurationSetTrackingOptions": _set("tracking"),
    "CreateConfigurationSetEventDestination": _destination,
    "UpdateConfigurationSetEventDestination": _destination,
    "DeleteConfigurationSetEventDestination": _destination,
    "CreateEmailIdentity": _identity(),
    "DeleteEmailIdentity": _identity(),
    "PutEmailIdentityDkimAttributes": _identity("dkim_signing"),
    "PutEmailIdentityDkimSigningAttributes": _identity("dkim_key"),
    "PutEmailIdentityMailFromAttributes": _identity("mail_from"),
    "PutEmailIdentityFeedbackAttributes": _identity("feedback_forwarding"),
    "PutEmailIdentityConfigurationSetAttributes": _identity("configuration_set"),
    "CreateEmailIdentityPolicy": _identity("policies"),
    "UpdateEmailIdentityPolicy": _identity("policies"),
    "DeleteEmailIdentityPolicy": _identity("policies"),
    "AssociateEmailIdentityCertificate": _identity("certificate"),
    "DisassociateEmailIdentityCertificate": _identity("certificate"),
    "DeleteIdentity": _identity(),
    "DeleteVerifiedEmailAddress": _identity(),
    "VerifyDomainIdentity": _identity(),
    "VerifyDomainDkim": _identity("dkim_key"),
    "VerifyEmailIdentity": _identity(),
    "VerifyEmailAddress": _identity(),
    "SetIdentityDkimEnabled": _identity("dkim_signing"),
    "SetIdentityFeedbackForwardingEnabled": _identity("feedback_forwarding"),
    "SetIdentityMailFromDomain": _identity("mail_from"),
    "SetIdentityNotificationTopic": _identity("notifications"),
    "SetIdentityHeadersInNotificationsEnabled": _identity("notifications"),
    "PutIdentityPolicy": _identity("policies"),
    "DeleteIdentityPolicy": _identity("policies"),
    "CreateTenant": _tenant(),
    "DeleteTenant": _tenant(),
    "PutTenantSuppressionAttributes": _tenant("suppression"),
    "CreateTenantResourceAssociation": _association,
    "DeleteTenantResourceAssociation": _association,
    "UpdateReputationEntityPolicy": _entity("policy", "policy"),
    "UpdateReputationEntityCustomerManagedStatus": _entity("status", "policy", "tenant"),
    # Not calls: what SES reports of a tenant (ses.md 1.8).
    "Sending Status Enabled": _entity("status", "policy", "tenant"),
    "Sending Status Disabled": _entity("status", "policy", "tenant"),
    "Advisor Recommendation Status Open": _entity("status", "policy", "tenant"),
    "Advisor Recommendation Status Resolved": _entity("status", "policy", "tenant"),
    "Advisor Recommendation Status Closed": _entity("status", "policy", "tenant"),
    "PutAccountSuppressionAttributes": _account("suppression"),
    "PutAccountSendingAttributes": _account("sending"),
    "UpdateAccountSendingEnabled": _account("sending"),
    "PutAccountDeliveryAttributes": _account("delivery"),
    "PutAccountVdmAttributes": _account("vdm"),
    "PutAccountDetails": _account("details"),
    "PutAccountDedicatedIpWarmupAttributes": _account("dedicated_ips"),
    "PutAccountPricingAttributes": _account("pricing"),
    "TagResource": _arn,
    "UntagResource": _arn,
}

#: Parts of the names of operations on what is not ours to govern.
_ELSEWHERE = (
    "Contact",
    "DedicatedIp",
    "Deliverability",
    "ExportJob",
    "ImportJob",
    "MultiRegionEndpoint",
    "Receipt",
    "SuppressedDestination",
    "Template",
)
