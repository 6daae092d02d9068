"""Every reason that Mailcordon gives for the state of a delivery, a lane or a stop: one closed table.

A reason is a code for programs. What a person reads beside it comes from `mailcordon.messages.reasons`. The code says whether
the mail can still leave, and who can do something about it. docs/reference/reasons.md is generated from this table.

SES's own words for an event, such as `Permanent/General` of a bounce, are not in it: they are SES's (ses.md 4.3).
"""

from enum import Enum, StrEnum
from typing import NamedTuple


class Actor(Enum):
    """Who can do something about it."""

    NOBODY = "nobody: nothing is wrong, or it is over"
    CALLER = "the application that sent the mail"
    TENANT = "the tenant, for example with its DNS records or its list"
    OPERATOR = "an operator of the platform"
    AWS = "AWS, or whoever runs the AWS account"
    MAILCORDON = "Mailcordon, which retries without help"


class Reason(StrEnum):
    # The mail left.
    SENT = "sent"
    # It waits.
    HELD = "held"
    STOPPED = "stopped"
    NO_DISPATCHER = "no-dispatcher"
    RETRY = "retry"
    SET_ASIDE = "set-aside"
    NO_ROUTE = "no-route"
    OUTCOME_UNKNOWN = "outcome-unknown"
    SCHEDULED = "scheduled"
    LIMIT = "limit"
    RECIPIENT_LIMIT = "recipient-limit"
    THROTTLED = "throttled"
    ASSOCIATION = "association"
    # It will not leave.
    LIMIT_REFUSED = "limit-refused"
    SUPPRESSED = "suppressed"
    UNDELIVERABLE_DOMAIN = "undeliverable-domain"
    RECIPIENT_NOT_VERIFIED = "recipient-not-verified"
    REJECTED_BY_SES = "rejected-by-ses"
    NO_CONTENT = "no-content"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    GIVEN_UP = "given-up"
    NO_OUTCOME = "no-outcome"
    # What a delivery's timeline says beside these.
    ACCEPTED = "accepted"
    CALLED = "called"
    RELEASED = "released"
    OPEN_AGAIN = "open-again"
    PROVED_SENT = "proved-sent"
    RESEND = "resend"
    # Why a lane, a configuration set, an identity, a tenant or the cell is stopped.
    ACCOUNT_PAUSED = "account-paused"
    ACCOUNT_SUSPENDED = "account-suspended"
    CREDENTIALS = "credentials"
    DAILY_QUOTA = "daily-quota"
    RATE_UNKNOWN = "rate-unknown"
    SES_UNREACHABLE = "ses-unreachable"
    OUTAGE = "outage"
    SET_PAUSED = "set-paused"
    SET_MISSING = "set-missing"
    IDENTITY = "identity"
    MAIL_FROM = "mail-from"
    TENANT_PAUSED = "tenant-paused"
    TENANT_MISSING = "tenant-missing"
    ACCESS_DENIED = "access-denied"
    SETUP = "set-up"
    RESTORED = "restored"


class Meaning(NamedTuple):
    about: str  #: a delivery, its timeline only, or a stop: each has a table on the page
    retryable: bool  #: whether the mail can still leave without being sent again by the caller
    actor: Actor
    meaning: str  #: one sentence for the page
    sentence: str  #: the function of messages/reasons.py whose text is shown beside the code


_D, _T, _S = "delivery", "timeline", "stop"

MEANINGS: dict[Reason, Meaning] = {
    Reason.SENT: Meaning(
        _D, False, Actor.NOBODY, "SES accepted the mail and gave its message id.", "accepted_by_ses"
    ),
    Reason.HELD: Meaning(
        _D,
        True,
        Actor.OPERATOR,
        "A hold stops the lane, or this mail's campaign, list or mailbox provider.",
        "held",
    ),
    Reason.STOPPED: Meaning(
        _D,
        True,
        Actor.MAILCORDON,
        "A stop covers the lane: SES, or something that the call needs, keeps the mail from leaving.",
        "stopped",
    ),
    Reason.NO_DISPATCHER: Meaning(
        _D,
        True,
        Actor.OPERATOR,
        "No dispatcher runs, so no queued mail leaves.",
        "no_dispatcher",
    ),
    Reason.RETRY: Meaning(
        _D, True, Actor.MAILCORDON, "SES certainly did not take the mail; it is retried.", "retry_later"
    ),
    Reason.SET_ASIDE: Meaning(
        _D,
        True,
        Actor.OPERATOR,
        "SES refused this mail in words that do not speak of the mail. It is retried until it expires; its lane goes on.",
        "set_aside",
    ),
    Reason.NO_ROUTE: Meaning(
        _D, True, Actor.OPERATOR, "The lane lost its route after the mail was accepted.", "route_missing"
    ),
    Reason.OUTCOME_UNKNOWN: Meaning(
        _D,
        True,
        Actor.MAILCORDON,
        "SES was called and gave no clear answer. The Send event, or its proved absence, settles it.",
        "no_clear_answer",
    ),
    Reason.SCHEDULED: Meaning(_D, True, Actor.NOBODY, "The mail is for a later time.", "scheduled"),
    Reason.LIMIT: Meaning(
        _D,
        True,
        Actor.OPERATOR,
        "A limit on so many mails in a minute, an hour or a day, or in all, is used up. The mail leaves in the next window.",
        "over_limit",
    ),
    Reason.RECIPIENT_LIMIT: Meaning(
        _D,
        True,
        Actor.CALLER,
        "So much mail has left to this address in this hour that the rest waits for the next one.",
        "over_recipient_limit",
    ),
    Reason.THROTTLED: Meaning(
        _D, True, Actor.MAILCORDON, "SES throttles the account; the mail is back in its lane.", "throttled"
    ),
    Reason.ASSOCIATION: Meaning(
        _D,
        True,
        Actor.MAILCORDON,
        "SES does not see the association of the tenant and a resource, which takes seconds when it is new.",
        "association_not_visible",
    ),
    Reason.LIMIT_REFUSED: Meaning(
        _D,
        False,
        Actor.OPERATOR,
        "A limit is used up, and the policy refuses what is over it.",
        "refused_over_limit",
    ),
    Reason.SUPPRESSED: Meaning(
        _D, False, Actor.TENANT, "The address is on a suppression list that covers the lane.", "suppressed"
    ),
    Reason.UNDELIVERABLE_DOMAIN: Meaning(
        _D,
        False,
        Actor.CALLER,
        "No mail can be delivered to the domain of the address: the name is reserved, or it is not a valid name.",
        "domain_reserved",
    ),
    Reason.RECIPIENT_NOT_VERIFIED: Meaning(
        _D,
        False,
        Actor.AWS,
        "The account is in SES's sandbox, which sends to verified recipients only.",
        "recipient_not_verified",
    ),
    Reason.REJECTED_BY_SES: Meaning(
        _D, False, Actor.CALLER, "SES rejected the mail itself: its content or its form.", "rejected"
    ),
    Reason.NO_CONTENT: Meaning(
        _D,
        False,
        Actor.MAILCORDON,
        "The content of the mail is missing. Please report it as a bug.",
        "content_missing",
    ),
    Reason.EXPIRED: Meaning(
        _D, False, Actor.NOBODY, "The mail did not leave within its time limit.", "expired_in_queue"
    ),
    Reason.CANCELLED: Meaning(_D, False, Actor.OPERATOR, "Somebody cancelled the mail.", "cancelled"),
    Reason.GIVEN_UP: Meaning(
        _D,
        False,
        Actor.NOBODY,
        "SES certainly does not have the mail after an unclear answer, and its class is not resent.",
        "given_up",
    ),
    Reason.NO_OUTCOME: Meaning(
        _D,
        False,
        Actor.OPERATOR,
        "Nothing proved what became of the call until the mail expired.",
        "no_outcome",
    ),
    Reason.ACCEPTED: Meaning(_T, True, Actor.NOBODY, "The mail was accepted and queued.", "accepted"),
    Reason.CALLED: Meaning(_T, True, Actor.NOBODY, "SES was called for the mail.", "call_answered"),
    Reason.RELEASED: Meaning(
        _T, True, Actor.NOBODY, "A hold that kept the mail was lifted, by whom and why.", "released"
    ),
    Reason.OPEN_AGAIN: Meaning(_T, True, Actor.NOBODY, "A stop that kept the mail ended.", "stop_ended"),
    Reason.PROVED_SENT: Meaning(
        _T,
        False,
        Actor.NOBODY,
        "The Send event of a call without a clear answer arrived: SES has the mail.",
        "send_event_arrived",
    ),
    Reason.RESEND: Meaning(
        _T,
        True,
        Actor.MAILCORDON,
        "SES certainly does not have the mail after an unclear answer; it is sent again.",
        "proved_absent",
    ),
    Reason.ACCOUNT_PAUSED: Meaning(
        _S, True, Actor.AWS, "Sending is switched off for the account.", "account_paused"
    ),
    Reason.ACCOUNT_SUSPENDED: Meaning(
        _S, True, Actor.AWS, "SES has suspended the account.", "account_suspended"
    ),
    Reason.CREDENTIALS: Meaning(
        _S,
        True,
        Actor.OPERATOR,
        "SES refuses the credentials or the clock of this host.",
        "credentials_refused",
    ),
    Reason.DAILY_QUOTA: Meaning(
        _S, True, Actor.AWS, "The account's 24-hour quota is used up.", "quota_used_up"
    ),
    Reason.RATE_UNKNOWN: Meaning(
        _S, True, Actor.MAILCORDON, "GetAccount has not answered yet, so no rate is known.", "rate_unknown"
    ),
    Reason.SES_UNREACHABLE: Meaning(
        _S, True, Actor.OPERATOR, "This host cannot connect to SES.", "ses_unreachable"
    ),
    Reason.OUTAGE: Meaning(_S, True, Actor.AWS, "Too many calls have no clear answer.", "no_clear_answers"),
    Reason.SET_PAUSED: Meaning(
        _S, True, Actor.OPERATOR, "Sending is switched off for a configuration set.", "set_paused"
    ),
    Reason.SET_MISSING: Meaning(
        _S, True, Actor.MAILCORDON, "SES does not have the configuration set.", "set_missing"
    ),
    Reason.IDENTITY: Meaning(
        _S, True, Actor.TENANT, "SES does not find the From domain verified.", "identity_not_verified"
    ),
    Reason.MAIL_FROM: Meaning(
        _S,
        True,
        Actor.TENANT,
        "SES does not find the custom MAIL FROM domain verified.",
        "mail_from_not_verified",
    ),
    Reason.TENANT_PAUSED: Meaning(_S, True, Actor.AWS, "SES has paused the tenant.", "tenant_paused"),
    Reason.TENANT_MISSING: Meaning(
        _S, True, Actor.MAILCORDON, "SES does not have the tenant.", "tenant_missing"
    ),
    Reason.ACCESS_DENIED: Meaning(
        _S,
        True,
        Actor.OPERATOR,
        "SES denies access: IAM, or an association that stays away.",
        "access_denied",
    ),
    Reason.SETUP: Meaning(
        _S, True, Actor.OPERATOR, "SES refuses something of the lane's configuration.", "setup_refused"
    ),
    Reason.RESTORED: Meaning(
        _S,
        True,
        Actor.OPERATOR,
        "The database was restored from a backup. `mailcordon restored` says which mail may have left since, and settles it.",
        "restored",
    ),
}


def page() -> str:
    """docs/reference/reasons.md."""
    lines = [
        "# Reasons",
        "",
        "Each delivery, lane and stop carries a reason: a code for programs and a sentence for people. The API, the CLI, the",
        "log and the pages show the same. This page is generated by `./dev messages` from `core/reason.py`.",
    ]
    for about, title in ((_D, "Of a delivery"), (_T, "In the timeline of a delivery"), (_S, "Of a stop")):
        lines += [
            "",
            f"## {title}",
            "",
            "| code | meaning | can it still leave? | who can act |",
            "| --- | --- | --- | --- |",
        ]
        lines += [
            f'| <a id="{reason}"></a>`{reason}` | {found.meaning} | {"yes" if found.retryable else "no"} | {found.actor.value} |'
            for reason, found in MEANINGS.items()
            if found.about == about
        ]
    return "\n".join([*lines, ""])
