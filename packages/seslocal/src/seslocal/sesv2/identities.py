"""Identities: the domains and addresses allowed in From, their DKIM and MAIL FROM, and which identity SES resolves a From
address to. By default a new identity is verified immediately; the switch `verify_at_once` changes that."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from seslocal.dns.dkim_keys import public_key_of
from seslocal.errors import already_exists, bad_request, limit_exceeded, not_found
from seslocal.sesv2.tenants import refuse_while_associated
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.identities import Identity
from seslocal.state.zone import SOA
from seslocal.tagging import tags_in, tags_out
from seslocal.wire.paging import page
from seslocal.wire.params import Params

MOST_IDENTITIES: Final = 10_000
DAY: Final = 86400.0  # seconds
SIGNING_ZONE: Final = "dkim.amazonses.com"
_DOMAIN: Final = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
)
_ADDRESS: Final = re.compile(r"[!-?A-~]{1,64}@(.+)")


def create(account: Account, params: Params, caller: Caller) -> Params:
    name = _checked_name(params["EmailIdentity"])
    if name in account.identities:
        raise already_exists(f"Email identity {name} already exist.")
    if len(account.identities) >= MOST_IDENTITIES:
        raise limit_exceeded(f"The account has {MOST_IDENTITIES} identities, which is its limit.")
    tags = tags_in(params.get("Tags", []))
    default_set: str | None = params.get("ConfigurationSetName")
    _require_set(account, default_set)
    identity = _add(account, name, params.get("DkimSigningAttributes", {}), default_set, tags)
    if account.behaviour.verify_at_once:
        identity.set_status("SUCCESS", account.clock.now())
    account.identities.changed(identity)
    shown = dkim_shown(account, identity)
    if identity.is_domain and shown["Status"] == "PENDING":
        shown["Status"] = "NOT_STARTED"  # SES has not started to check; the next read shows PENDING
    return {
        "IdentityType": _type(identity),
        "VerifiedForSendingStatus": identity.verified,
        "DkimAttributes": shown,
    }


def get(account: Account, params: Params, caller: Caller) -> Params:
    identity = identity_of(account, params["EmailIdentity"])
    mail_from: Params = {"BehaviorOnMxFailure": identity.on_mx_failure}
    if identity.mail_from:
        mail_from["MailFromDomain"] = identity.mail_from
        mail_from["MailFromDomainStatus"] = identity.mail_from_status
    shown: Params = {
        "IdentityType": _type(identity),
        "FeedbackForwardingStatus": identity.feedback,
        "VerifiedForSendingStatus": identity.verified,
        "DkimAttributes": dkim_shown(account, identity),
        "MailFromAttributes": mail_from,
        "Policies": identity.policies,
        "Tags": tags_out(identity.tags),
        "VerificationStatus": identity.status,
        "VerificationInfo": _verification(account, identity),
    }
    if identity.configuration_set:
        shown["ConfigurationSetName"] = identity.configuration_set
    return shown


def list_all(account: Account, params: Params, caller: Caller) -> Params:
    wanted: dict[str, str] = params.get("Filter", {})
    part, kind = wanted.get("IDENTITY_NAME_CONTAINS", ""), wanted.get("IDENTITY_TYPE")
    status = wanted.get("VERIFICATION_STATUS")
    found = [
        identity
        for identity in account.identities.values()
        if part in identity.name and kind in (None, _type(identity)) and status in (None, identity.status)
    ]
    chosen, more = page("identities", found, lambda i: i.name, params, most=1000)
    shown = [
        {
            "IdentityType": _type(identity),
            "IdentityName": identity.name,
            "SendingEnabled": identity.verified,
            "VerificationStatus": identity.status,
        }
        for identity in chosen
    ]
    return {"EmailIdentities": shown, **more}


def delete(account: Account, params: Params, caller: Caller) -> Params:
    identity = identity_of(account, params["EmailIdentity"])
    refuse_while_associated(account, identity.arn)
    del account.identities[identity.name]
    account.identities.with_topics.discard(identity.arn)
    return {}


def put_dkim(account: Account, params: Params, caller: Caller) -> Params:
    """DKIM belongs to the domain: an address whose domain is an identity keeps the domain's settings."""
    name: str = params["EmailIdentity"].lower()
    domain = account.identities.get(name.rpartition("@")[2])
    if domain is None:
        raise bad_request(f"Domain {name.rpartition('@')[2]} is not verified for DKIM signing.")
    if domain.name == name:
        domain.signing = params.get("SigningEnabled", False)
    return {}


def put_dkim_signing(account: Account, params: Params, caller: Caller) -> Params:
    """New keys start a new check of the records. A verified domain stays verified by its old keys meanwhile."""
    if "@" in params["EmailIdentity"]:
        raise bad_request("The EmailIdentity value must be a valid domain.")
    identity = identity_of(account, params["EmailIdentity"])
    signing: Params = params.get("SigningAttributes", {})
    if "DomainSigningAttributesOrigin" in signing:
        raise bad_request("DomainSigningAttributesOrigin cannot be given here; use SigningAttributesOrigin.")
    now, origin = account.clock.now(), params["SigningAttributesOrigin"]
    _refuse_early_change(identity, signing, now)
    new, key = _dkim(account, signing, origin, now), _public_key(signing)
    if _asks_for_the_same(identity.dkim, new):
        new = identity.dkim
    elif identity.verified and not account.behaviour.verify_at_once:
        identity.rotates = True
        if "CurrentSigningKeyLength" in identity.dkim and "CurrentSigningKeyLength" in new:
            new["CurrentSigningKeyLength"] = identity.dkim["CurrentSigningKeyLength"]
    identity.dkim, identity.public_key = new, key
    if account.behaviour.verify_at_once:
        identity.set_status("SUCCESS", account.clock.now())
    elif not identity.verified:
        identity.set_status("PENDING", account.clock.now())
    account.identities.changed(identity)
    shown = dkim_shown(account, identity)
    return {
        "DkimStatus": shown["Status"],
        "DkimTokens": shown["Tokens"],
        "SigningHostedZone": shown.get("SigningHostedZone", SIGNING_ZONE),
    }


def put_mail_from(account: Account, params: Params, caller: Caller) -> Params:
    identity = identity_of(account, params["EmailIdentity"])
    domain: str | None = params.get("MailFromDomain") or None
    own = identity.name.rpartition("@")[2]
    if domain is not None and (
        not domain.lower().endswith("." + own) or not _DOMAIN.fullmatch(domain.lower())
    ):
        raise bad_request(
            f"Provided MAIL-FROM domain {domain} is not subdomain of the domain of the identity {own}."
        )
    identity.mail_from = domain and domain.lower()
    identity.mail_from_status = "SUCCESS" if identity.verified else "PENDING"
    on_failure = params.get("BehaviorOnMxFailure", "USE_DEFAULT_VALUE")
    identity.on_mx_failure = on_failure if domain else "USE_DEFAULT_VALUE"
    account.identities.changed(identity)
    return {}


def put_feedback(account: Account, params: Params, caller: Caller) -> Params:
    identity = identity_of(account, params["EmailIdentity"])
    identity.feedback = params.get("EmailForwardingEnabled", False)
    return {}


def put_configuration_set(account: Account, params: Params, caller: Caller) -> Params:
    identity = identity_of(account, params["EmailIdentity"])
    default_set: str | None = params.get("ConfigurationSetName")
    _require_set(account, default_set)
    identity.configuration_set = default_set
    return {}


# shared with sending and the admin API


def identity_of(account: Account, name: str) -> Identity:
    identity = account.identities.get(name.lower())
    if identity is None:
        raise not_found(f"Email identity {name} does not exist.")
    return identity


def await_verification(account: Account, address: str) -> None:
    """Makes an address identity pending, as if a verification mail had been sent, unless it is verified."""
    name = _checked_name(address)
    identity = account.identities.get(name) or _add(account, name, {}, None, {})
    if not identity.verified:
        identity.set_status("PENDING", account.clock.now())
        account.identities.changed(identity)


def dkim_shown(account: Account, identity: Identity) -> Params:
    """Returns DkimAttributes. An address has its domain's if the domain is an identity (ses.md 5.3)."""
    owner = identity if identity.is_domain else account.identities.get(identity.name.rpartition("@")[2])
    if owner is None:
        return {"SigningEnabled": False, "Status": "NOT_STARTED", "Tokens": []}
    status = "PENDING" if owner.rotates and owner.verified else owner.status
    return {"SigningEnabled": owner.signing, "Status": status, "Tokens": [], **owner.dkim}


def _add(
    account: Account, name: str, signing: Params, default_set: str | None, tags: dict[str, str]
) -> Identity:
    now, is_domain = account.clock.now(), "@" not in name
    identity = account.identities[name] = Identity(
        name=name,
        arn=account.arn(f"identity/{name}"),
        created=now,
        tags=tags,
        is_domain=is_domain,
        status="PENDING",
        dkim=_dkim(account, signing, _origin(signing), now) if is_domain else {},
        signing=is_domain,
        configuration_set=default_set,
        public_key=_public_key(signing),
    )
    return identity


def _checked_name(name: str) -> str:
    folded = name.lower()
    if "@" in folded:
        match = _ADDRESS.fullmatch(folded)
        if match is None or not _DOMAIN.fullmatch(match[1]):
            raise bad_request(f"Invalid email address {name}.")
    elif not _DOMAIN.fullmatch(folded):
        raise bad_request(f"Invalid domain name {name}.")
    return folded


def _require_set(account: Account, name: str | None) -> None:
    if name is not None and name not in account.configuration_sets:
        raise not_found(f"Configuration set <{name}> does not exist.")


def _origin(signing: Params) -> str:
    origin: str | None = signing.get("DomainSigningAttributesOrigin")
    return origin or ("EXTERNAL" if "DomainSigningPrivateKey" in signing else "AWS_SES")


def _public_key(signing: Params) -> str | None:
    if "DomainSigningPrivateKey" not in signing:
        return None
    try:
        return public_key_of(signing["DomainSigningPrivateKey"])
    except ValueError as error:
        raise bad_request(f"The DomainSigningPrivateKey cannot be used: {error}.") from None


def _refuse_early_change(identity: Identity, signing: Params, now: float) -> None:
    """Raises ApiError: the length of SES's keys can change at most once a day (ses.md 5.3)."""
    last: float | None = identity.dkim.get("LastKeyGenerationTimestamp")
    wanted = signing.get("NextSigningKeyLength", identity.dkim.get("NextSigningKeyLength"))
    if last in (None, identity.created) or wanted == identity.dkim.get("NextSigningKeyLength"):
        return
    if now - last < DAY:
        raise bad_request("The signing key length can be changed once in 24 hours; try again later.")


def _dkim(account: Account, signing: Params, origin: str, now: float) -> Params:
    own_key = "DomainSigningPrivateKey" in signing or "DomainSigningSelector" in signing
    if origin == "EXTERNAL":
        if not ("DomainSigningPrivateKey" in signing and "DomainSigningSelector" in signing):
            raise bad_request("Bring your own DKIM needs DomainSigningSelector and DomainSigningPrivateKey.")
        if "NextSigningKeyLength" in signing:
            raise bad_request("NextSigningKeyLength cannot be given with a key of your own.")
        return {"SigningAttributesOrigin": origin, "Tokens": [signing["DomainSigningSelector"]]}
    if own_key:
        raise bad_request(f"A key of your own cannot be given with the origin {origin}.")
    if origin != "AWS_SES" and "NextSigningKeyLength" in signing:
        raise bad_request("A replica has the key length of its parent; NextSigningKeyLength cannot be given.")
    length = signing.get("NextSigningKeyLength", "RSA_2048_BIT")
    return {
        "SigningAttributesOrigin": origin,
        "Tokens": [account.ids.dkim_token() for _ in range(3)],
        "SigningHostedZone": SIGNING_ZONE,
        "NextSigningKeyLength": length,
        "CurrentSigningKeyLength": length,
        "LastKeyGenerationTimestamp": now,
    }


def _asks_for_the_same(old: Params, new: Params) -> bool:
    """Whether SES's keys of their current length are requested: then they stay."""
    same = ("SigningAttributesOrigin", "NextSigningKeyLength")
    return new["SigningAttributesOrigin"] != "EXTERNAL" and all(old.get(n) == new.get(n) for n in same)


def _verification(account: Account, identity: Identity) -> Params:
    info: Params = {"LastCheckedTimestamp": identity.checked_at} if identity.checked_at else {}
    if identity.verified_at:
        info["LastSuccessTimestamp"] = identity.verified_at
    if identity.error or identity.status == "FAILED":
        info["ErrorType"] = identity.error or "HOST_NOT_FOUND"
    if account.settings.strict and identity.is_domain:
        primary, admin, serial = SOA.split()[:3]
        info["SOARecord"] = {
            "PrimaryNameServer": primary.rstrip("."),
            "AdminEmail": admin.rstrip("."),
            "SerialNumber": int(serial),
        }
    return info


def _type(identity: Identity) -> str:
    return "DOMAIN" if identity.is_domain else "EMAIL_ADDRESS"


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "CreateEmailIdentity": create,
    "GetEmailIdentity": get,
    "ListEmailIdentities": list_all,
    "DeleteEmailIdentity": delete,
    "PutEmailIdentityDkimAttributes": put_dkim,
    "PutEmailIdentityDkimSigningAttributes": put_dkim_signing,
    "PutEmailIdentityMailFromAttributes": put_mail_from,
    "PutEmailIdentityFeedbackAttributes": put_feedback,
    "PutEmailIdentityConfigurationSetAttributes": put_configuration_set,
}
