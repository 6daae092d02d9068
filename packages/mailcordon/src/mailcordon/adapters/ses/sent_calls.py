"""Reads CloudTrail's data events of SES: calls that send mail (SES Developer Guide, "Logging Amazon SES API calls with AWS
CloudTrail"). Addresses, subject and content are hidden there; caller, identity, tags and SES's id of the mail are not. Mail over
SMTP is not logged. A record is read as far as it goes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from mailcordon.core import sending_service, ungoverned
from mailcordon.core.event import NO_TIME
from mailcordon.core.ungoverned import Fact, Net, SentCall, Sighting

_SENDING = "Send"  #: how the names of all operations begin that send mail
_LONGEST = 512
_LISTS = ("toAddresses", "ccAddresses", "bccAddresses")


def is_one(record: Mapping[str, Any]) -> bool:
    """Whether it is a data event of a call that sends."""
    data = record.get("eventCategory") == "Data" or record.get("managementEvent") is False
    return data and str(record.get("eventName")).startswith(_SENDING)


def read(record: Mapping[str, Any]) -> SentCall | None:
    """None: SES refused the call, so that no mail was sent. Never raises."""
    if record.get("errorCode"):
        return None
    asked = _mapping(record.get("requestParameters"))
    who = _mapping(record.get("userIdentity"))
    operation = _text(record.get("eventName"))
    arn = _text(who.get("arn"))
    found = {
        Fact.NET: Net.CLOUDTRAIL,
        Fact.IP: _text(record.get("sourceIPAddress")),
        Fact.OPERATION: operation,
        Fact.SET: _text(asked.get("configurationSetName")),
        Fact.SERVICE: sending_service.of_call(_text(record.get("userAgent")), _text(who.get("invokedBy"))),
        Fact.ARN: _without_session(arn),
        Fact.ACCOUNT: _text(record.get("recipientAccountId")) or _text(who.get("accountId")),
    }
    ses_id = _ses_id(record)
    if ses_id is not None:
        found[Fact.MAIL] = ses_id
    sighting = Sighting(
        identity=ungoverned.named(_identity(record) or _from(asked), ungoverned.LONGEST_IDENTITY).lower(),
        caller=ungoverned.named(_caller(who, arn), ungoverned.LONGEST_CALLER),
        ses_id=(ses_id or f"call {_text(record.get('eventID'))}")[:100],
        at=_milliseconds(record.get("eventTime")),
        recipients=_recipients(asked),
        sends=True,
        facts=ungoverned.kept(found),
    )
    return SentCall(sighting=sighting, tags=_tags(asked))


def _identity(record: Mapping[str, Any]) -> str | None:
    for resource in _list(record.get("resources")):
        found = ungoverned.identity_of(_text(_mapping(resource).get("ARN")))
        if found is not None:
            return found
    return None


def _from(asked: Mapping[str, Any]) -> str | None:
    """The domain of the sender's address, in the spelling of SES v2 or v1."""
    address = _text(asked.get("fromEmailAddress")) or _text(asked.get("source"))
    return address.rpartition("@")[2].rstrip(">") if address and "@" in address else None


def _caller(who: Mapping[str, Any], arn: str | None) -> str | None:
    """The name as SES's events have it: of the user, or of the role and not of its session."""
    issuer = _mapping(_mapping(who.get("sessionContext")).get("sessionIssuer"))
    named = _text(issuer.get("userName")) or _text(who.get("userName"))
    if named is not None:
        return named
    if _text(who.get("type")) == "Root":
        return "root"
    resource = (arn or "").rpartition(":")[2].split("/")
    return resource[1] if len(resource) > 1 else _text(who.get("invokedBy")) or _text(who.get("principalId"))


def _without_session(arn: str | None) -> str | None:
    """Each session of a role has another ARN."""
    head, slash, rest = (arn or "").partition(":assumed-role/")
    return f"{head}{slash}{rest.partition('/')[0]}" if slash else arn


def _ses_id(record: Mapping[str, Any]) -> str | None:
    more, answer = _mapping(record.get("additionalEventData")), _mapping(record.get("responseElements"))
    return _text(more.get("sesMessageId")) or _text(answer.get("messageId"))


def _recipients(asked: Mapping[str, Any]) -> int:
    """The addresses are hidden one by one, so their number is known."""
    bulk = _list(asked.get("bulkEmailEntries")) or _list(asked.get("destinations"))
    to = [_mapping(asked.get("destination")), *(_mapping(_mapping(one).get("destination")) for one in bulk)]
    return max(1, len(bulk), sum(len(_list(one.get(name))) for one in to for name in _LISTS))


def _tags(asked: Mapping[str, Any]) -> Mapping[str, str] | None:
    found: dict[str, str] = {}
    for name in ("emailTags", "tags", "defaultEmailTags", "defaultTags"):
        for tag in _list(asked.get(name)):
            key, value = _text(_mapping(tag).get("name")), _text(_mapping(tag).get("value"))
            if key and value:
                found[key] = value
    return found or None


def _milliseconds(value: object) -> int:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None:
            return NO_TIME
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return NO_TIME


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _text(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    # PostgreSQL stores neither NUL nor halves of surrogate pairs.
    return value.replace("\0", "").encode(errors="replace").decode()[:_LONGEST] or None
