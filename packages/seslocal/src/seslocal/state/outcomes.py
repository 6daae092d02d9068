"""What SES learns about a recipient after it accepted a mail. A plan is the row of outcomes that SES sees one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

Kind = Literal["Delivery", "Bounce", "Complaint", "DeliveryDelay"]
SIMULATOR: Final = "simulator.amazonses.com"
_AT_SIMULATOR: Final = "@" + SIMULATOR
DELIVERY_SECONDS: Final = 14 * 3600  # SES gives up on a mail after that


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that SES learns about one recipient."""

    kind: Kind
    type: str = ""  #: bounceType
    subtype: str = ""  #: bounceSubType, complaintSubType or delayType
    status: str = ""  #: enhanced status code of the DSN
    diagnostic: str = ""  #: diagnosticCode
    feedback: str = ""  #: complaintFeedbackType
    reporter: str = "dns; mail.example.com"  #: reportingMTA
    listed: bool = True  #: a hard bounce or complaint goes onto the suppression list in force
    after: float = 0.0  #: seconds between the outcome before, or the mail's leaving, and this one

    @property
    def suppressed(self) -> bool:
        """SES did not even try."""
        return self.subtype in ("OnTenantSuppressionList", "OnAccountSuppressionList")


Plan = tuple[Outcome, ...]

DELIVERY: Final = Outcome("Delivery")
DELIVERS: Final[Plan] = (DELIVERY,)

# bounceSubType -> bounceType, status, diagnosticCode
_BOUNCES: Final = {
    "General": ("Permanent", "5.1.1", "smtp; 550 5.1.1 user unknown"),
    "NoEmail": ("Permanent", "5.1.1", "smtp; 550 5.1.1 no such mailbox"),
    "Suppressed": (
        "Permanent",
        "5.1.1",
        "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an "
        "invalid address.",
    ),
    "UnsubscribedRecipient": ("Permanent", "5.7.1", "smtp; 550 5.7.1 recipient has unsubscribed"),
    "EmailValidationSuppressed": (
        "Permanent",
        "5.1.1",
        "Amazon SES did not send the message: validation failed.",
    ),
    "MailboxFull": ("Transient", "4.2.2", "smtp; 452 4.2.2 mailbox full"),
    "MessageTooLarge": ("Transient", "5.3.4", "smtp; 552 5.3.4 message too large"),
    "CustomTimeoutExceeded": ("Transient", "4.4.7", "smtp; 550 4.4.7 message expired: delivery time ran out"),
    "ContentRejected": ("Transient", "5.7.1", "smtp; 554 5.7.1 content rejected"),
    "AttachmentRejected": ("Transient", "5.7.1", "smtp; 554 5.7.1 attachment rejected"),
    "Undetermined": ("Undetermined", "5.0.0", "smtp; 550 5.0.0 unspecified"),
}
#: bounces of mails that SES did not try to deliver: they say nothing new, and SES itself reports them
_NOT_TRIED: Final = {"Suppressed", "EmailValidationSuppressed", "UnsubscribedRecipient"}
_SES: Final = "dns; amazonses.com"
_FEEDBACK: Final = ("abuse", "auth-failure", "fraud", "not-spam", "other", "virus")
_DELAYS: Final = [
    "TransientCommunicationFailure",
    "InternalFailure",
    "General",
    "MailboxFull",
    "SpamDetected",
    "RecipientServerError",
    "IPFailure",
    "BYOIPHostNameLookupUnavailable",
    "Undetermined",
    "SendingDeferral",
]


def is_simulator(address: str) -> bool:
    """Mail to it counts for the rate, and for nothing else (ses.md 9)."""
    return address.lower().endswith(_AT_SIMULATOR)


def bounce(subtype: str = "General", *, listed: bool = True) -> Outcome:
    """A bounce by sub-type; `Transient/General` names the type too, for the one sub-type that has two."""
    wanted, _, name = subtype.rpartition("/")
    kind, status, diagnostic = _BOUNCES[name]
    if wanted and wanted != kind:
        if subtype != "Transient/General":
            raise KeyError(subtype)
        kind, status, diagnostic = "Transient", "4.4.7", "smtp; 421 4.4.7 giving up after many attempts"
    if name in _NOT_TRIED:
        return Outcome("Bounce", kind, name, status, diagnostic, reporter=_SES, listed=False)
    return Outcome("Bounce", kind, name, status, diagnostic, listed=listed and kind == "Permanent")


def complaint(feedback: str = "abuse", *, listed: bool = True) -> Outcome:
    if feedback not in _FEEDBACK:
        raise KeyError(feedback)
    return Outcome("Complaint", feedback=feedback, listed=listed)


def delay(kind: str = "TransientCommunicationFailure") -> Outcome:
    if kind not in _DELAYS:
        raise KeyError(kind)
    return Outcome(
        "DeliveryDelay",
        subtype=kind,
        status="4.4.1",
        diagnostic="smtp; 421 4.4.1 Unable to connect to remote host",
    )


def suppressed(scope: str, reason: str) -> Outcome:
    """What SES reports for a recipient it did not even try: it is on the list of this scope for this reason."""
    subtype = "OnTenantSuppressionList" if scope == "TENANT" else "OnAccountSuppressionList"
    sentence = (
        "Amazon SES did not send the message to this address because it is on the suppression list for your "
        f"{scope.lower()}."
    )
    if scope == "ACCOUNT":
        sentence += " For more information about removing addresses from the list, see the Amazon SES Developer Guide."
    if reason == "COMPLAINT":
        return Outcome("Complaint", subtype=subtype, listed=False)
    return Outcome("Bounce", "Permanent", subtype, "5.1.1", sentence, reporter=_SES, listed=False)


def limited(plan: Plan, most: float | None) -> Plan:
    """What is left of a plan when SES gives up after `most` seconds, as its configuration set says, or else after its
    own fourteen hours: what would still be deferred then, bounces."""
    if plan[0].kind != "DeliveryDelay":
        return plan
    limit, passed = most or DELIVERY_SECONDS, 0.0
    for index, outcome in enumerate(plan):
        if passed + outcome.after > limit:
            last = bounce("CustomTimeoutExceeded" if most else "Transient/General")
            return (*plan[:index], replace(last, after=limit - passed))
        passed += outcome.after
        if outcome.kind != "DeliveryDelay":
            break
    return plan


def fate_of(plan: Plan) -> tuple[str, str]:
    """The fate of a whole plan and its sub-type, as the ledger shows it."""
    last = plan[-1]
    if last.suppressed:
        return "suppressed", last.subtype
    words = {"Delivery": "delivers", "Bounce": "bounces", "Complaint": "complains", "DeliveryDelay": "defers"}
    return words[last.kind], last.subtype or last.feedback
