"""Outcomes of a mail for one recipient: delivery, bounce, complaint, delay; opens and clicks of a mailbox set by hand. A plan is
a sequence of outcomes. If there is a world it decides about most mail, one attempt at a time (`BY_WORLD`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

Kind = Literal["Delivery", "Bounce", "Complaint", "DeliveryDelay", "Open", "Click"]
SIMULATOR: Final = "simulator.amazonses.com"
_AT_SIMULATOR: Final = "@" + SIMULATOR
DELIVERY_SECONDS: Final = 14 * 3600  # then SES gives up on a mail


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome, as SES reports it."""

    kind: Kind
    type: str = ""  #: bounceType
    subtype: str = ""  #: bounceSubType, complaintSubType or delayType
    status: str = ""  #: enhanced status code of the DSN
    diagnostic: str = ""  #: diagnosticCode
    feedback: str = ""  #: complaintFeedbackType
    reporter: str = "dns; mail.example.com"  #: reportingMTA
    listed: bool = True  #: a hard bounce or complaint is added to the applicable suppression list
    after: float = 0.0  #: seconds since the previous outcome, or since the mail left
    response: str = ""  #: smtpResponse of a delivery
    remote: str = ""  #: remoteMtaIp of a delivery or bounce
    agent: str = ""  #: userAgent of a complaint
    arrived: float = 0.0  #: arrivalDate of a complaint, in seconds since the epoch; 0: that of the complaint

    @property
    def suppressed(self) -> bool:
        """SES did not attempt delivery."""
        return self.subtype in ("OnTenantSuppressionList", "OnAccountSuppressionList")

    @property
    def not_tried(self) -> bool:
        """SES did not attempt delivery, for any reason of its own."""
        return self.suppressed or self.subtype in _NOT_TRIED


Plan = tuple[Outcome, ...]

DELIVERY: Final = Outcome("Delivery")
DELIVERS: Final[Plan] = (DELIVERY,)
BY_WORLD: Final[Plan] = (Outcome("Delivery", subtype="World"),)  #: it is decided at each attempt
#: of ooto@ at the simulator, as SES reports an automatic reply: without action, status and diagnosticCode
AUTOMATIC_REPLY: Final = Outcome("Bounce", "Transient", "General", reporter="", listed=False)
OPEN: Final = Outcome("Open")
CLICK: Final = Outcome("Click")

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
#: bounces without a delivery attempt: SES itself reports them, and they are not added to a list
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
    """Whether this is an address of SES's mailbox simulator. Mail to it counts only for the rate (ses.md 9)."""
    return address.lower().endswith(_AT_SIMULATOR)


def is_away(address: str) -> bool:
    """Whether this is the simulator's address that sends automatic replies (ses.md 9). `address` is in lower case."""
    local, _, domain = address.rpartition("@")
    return domain == SIMULATOR and local.partition("+")[0] == "ooto"


def bounce(subtype: str = "General", *, listed: bool = True) -> Outcome:
    """Returns a bounce by sub-type. `Transient/General` names the type too: it is the only sub-type with two types. Raises
    KeyError."""
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
    """Returns the outcome for a recipient on the suppression list of this scope for this reason."""
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
    """Returns the plan if SES gives up after `most` seconds (of the configuration set), else after fourteen hours: a
    recipient that is still deferred then bounces."""
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
    """Returns the fate of a plan and its sub-type, as the ledger shows them."""
    if plan is DELIVERS:
        return "delivers", ""
    if plan is BY_WORLD:
        return "world", ""
    last = next(outcome for outcome in reversed(plan) if outcome.kind not in ("Open", "Click"))
    if last.suppressed:
        return "suppressed", last.subtype
    words = {"Delivery": "delivers", "Bounce": "bounces", "Complaint": "complains", "DeliveryDelay": "defers"}
    return words[last.kind], last.subtype or last.feedback
