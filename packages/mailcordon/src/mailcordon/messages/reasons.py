"""Why a delivery, a lane or an address is in the state it is in. The API, the CLI and the log show the same text."""

import re

from mailcordon.messages import example, phrases

# Holds and suppressions --------------------------------------------------------------------------------------------------

_OWNERS = {"ses": "SES", "breaker": "the breaker", "policy": "policy", "rollout": "the rollout"}
_CAUSES = {
    "hard-bounce": "hard bounce",
    "complaint": "complaint",
    "unsubscribe": "unsubscribe",
    "ses-global-list": "on SES's global suppression list",
    "ses-tenant-list": "on SES's suppression list of the tenant",
    "ses-tenant-complaint": "on SES's suppression list of the tenant because of a complaint",
    "ses-account-list": "on SES's suppression list of the account",
    "ses-account-complaint": "on SES's suppression list of the account because of a complaint",
    "soft-bounces": "repeated soft bounces",
}
#: Causes that a person gives: the sentence names who added it, not SES.
_OF_PEOPLE = {"manual": "added", "imported": "imported", "forgotten": "forgotten on request"}


@example(owner="person", by="Ana (CLI)", since="15:23 UTC", because="complaints rising", hold="5")
@example(
    owner="breaker",
    by="breaker",
    since="28 Nov 2026 15:23 UTC",
    because="complaints above the limit",
    hold="6",
)
@example(
    owner="person",
    by="Ana (CLI)",
    since="15:23 UTC",
    because="new list",
    hold="7: marketing mail of acme",
    until="16:00 UTC",
    stops=False,
)
def held(
    *, owner: str, by: str, since: str, because: str, hold: str, until: str = "", stops: bool = True
) -> str:
    """A hold on the delivery's lane, or on the campaign, list or mailbox provider of the delivery.

    A person is named by `by`, a part of the system by the owner. The command line adds what the hold covers to its number.
    """
    ends = f" until {until}" if until else ""
    return f"{'Held' if stops else 'Slowed'} by {_OWNERS.get(owner, by)} since {since}{ends}: {because} [hold {hold}]"


_PLACED_BY = re.compile(r"^(Held|Slowed) by (.+?) since (?=[0-9]+ [A-Z][a-z]{2} [0-9]{4} )", re.DOTALL)


@example(
    "Held by kim@example.com (key dashboard, abc) since 28 Nov 2026 15:23 UTC: complaints rising [hold 5]"
)
def for_the_tenant(held: str) -> str:
    """What `held` says, as a tenant is told it in a report: the platform's people are not named."""
    return _PLACED_BY.sub(
        lambda found: found[0] if found[2] in _OWNERS.values() else f"{found[1]} by the platform since ", held
    )


@example("28 Nov 2026 15:23 UTC")
@example(None)
def no_dispatcher(since: str | None) -> str:
    """No dispatcher reports, so queued mail does not leave. Without a time none has ever reported."""
    return f"No dispatcher has reported{f' since {since}' if since else ''}, so no mail leaves"


@example()
def held_lane() -> str:
    """The lane is marked as held, but its hold cannot be shown: it was just lifted, or is not written yet."""
    return "The lane is held"


@example(tenant="acme", address="kim@example.com", mail="", cause="hard-bounce", on="28 Nov", by="ses")
@example(tenant="acme", address="kim@example.com", mail="marketing", cause="complaint", on="28 Nov", by="ses")
@example(
    tenant="acme",
    address="kim@example.com",
    mail="newsletter",
    cause="unsubscribe",
    on="28 Nov",
    by="recipient",
)
@example(
    tenant="acme",
    address="kim@example.com",
    mail="newsletter",
    cause="manual",
    on="28 Nov 2026",
    by="Ana (key g53zkwn5)",
    until="5 Dec",
    removing=True,
)
@example(
    tenant=None,
    address="kim@example.com",
    mail="",
    cause="legal request",
    on="28 Nov 2026",
    by="Ana (key g53zkwn5)",
)
def suppressed(
    *,
    tenant: str | None,
    address: str,
    mail: str,
    cause: str,
    on: str,
    by: str,
    until: str = "",
    removing: bool = False,
) -> str:
    """A suppression: the reason of a refused delivery, and in `why`. `mail` is the class or message type, if it is only that.

    Without a tenant it is the platform's list, which stops mail of all tenants.
    """
    may = f"{tenant} may not" if tenant else "No tenant may"
    what = f"send {mail} mail to" if mail else "mail"
    ends = f" until {until}" if until else ""
    source = {"ses": "reported by SES", "recipient": "by the recipient"}.get(by, f"added by {by}")
    added = _OF_PEOPLE.get(cause)
    why = f"{added} by {by} on {on}" if added else f"{_CAUSES.get(cause, cause)} on {on}, {source}"
    return f"{may} {what} {address}{ends}: {why}{' (being removed)' if removing else ''}"


@example("mail.example.com", "example.com", "RFC 6761", for_tests=True)
@example("printer.local", "local", "RFC 6762", for_tests=False)
def domain_reserved(domain: str, name: str, by: str, *, for_tests: bool) -> str:
    """A delivery is refused at the door: its address is in a domain that no mail can be delivered to."""
    only = "; only the local SES accepts it" if for_tests else ""
    return f"No mail can be delivered to {domain}: {name} is reserved by {by}{only}"


@example("mail.xn--a.com", "xn--a")
def domain_label_invalid(domain: str, label: str) -> str:
    """A delivery is refused at the door: a part of its domain claims to be international and is not."""
    return f"No mail can be delivered to {domain}: {label} is not a valid encoding of an international name"


@example("mail.acme.example")
def domain_not_verified(domain: str) -> str:
    """A lane's domain is not verified at SES. Seen as the reason of a hold of the owner policy."""
    return f"SES has not verified {domain}: publish the DNS records that `mailcordon identity show {domain}` lists"


@example("mail.acme.example", "its claim was not proved in 14 days")
def domain_not_the_tenants(domain: str, because: str) -> str:
    """A lane's domain does not belong to the tenant any more. Seen as the reason of a hold of the owner policy."""
    return f"{domain} is not the tenant's any more: {because}"


@example("mail.acme.example")
def domain_is_the_tenants(domain: str) -> str:
    """A domain belongs to the tenant again, so that a hold is lifted. Another follows until SES has verified it."""
    return f"{domain} is the tenant's again"


@example("mail.acme.example")
def domain_verified(domain: str) -> str:
    """A lane's domain was verified, so that the hold is lifted."""
    return f"SES has verified {domain}"


@example("mail.acme.example")
def lane_moved(domain: str) -> str:
    """A lane was moved off a domain that was not verified, so that the hold is lifted."""
    return f"the lane no longer sends from {domain}"


@example()
def hold_ended() -> str:
    """A hold with an end was lifted at that time."""
    return "The hold reached its end time"


# Stops -------------------------------------------------------------------------------------------------------------------


@example(
    because="The configuration set mc-urgent is paused at SES, for all lanes that use it",
    since="28 Nov 2026 15:23 UTC",
    said="Sending paused for configuration set mc-urgent.",
    ends="SES accepts a test mail over a route that it covers",
    next_probe="15:23:07 UTC",
    last_probe="",
    stop="12",
)
@example(
    because="The account's 24-hour quota is used up",
    since="28 Nov 2026 15:23 UTC",
    said="",
    ends="GetAccount reports quota again and SES accepts a test mail",
    next_probe="16:02:00 UTC",
    last_probe="SES refuses still",
    stop="13",
)
def stopped(
    *, because: str, since: str, said: str, ends: str, next_probe: str | None, last_probe: str, stop: str
) -> str:
    """A stop: what SES refuses, for whom, and what ends it. The same sentence is shown for the deliveries and lanes it covers."""
    words = f' SES said: "{said}".' if said else ""
    last = f", the last one: {last_probe}" if last_probe else ""
    test = f"; next test at {next_probe}{last}" if next_probe else ""
    return f"Stopped since {since}: {because}.{words} It ends when {ends}{test} [stop {stop}]"


@example(
    because="SES does not have the configuration set mc-urgent",
    since="28 Nov 2026 15:23 UTC",
    said="",
    stop="13",
)
def stopped_then(*, because: str, since: str, said: str, stop: str) -> str:
    """A stop in the timeline of a delivery, and in the reason of one that expired under it."""
    words = f' SES said: "{said}".' if said else ""
    return f"Stopped since {since}: {because}.{words} [stop {stop}]"


@example("set-paused", "Sending paused for configuration set mc-urgent.")
@example("account-paused", "")
def refused_for(cause: str, said: str) -> str:
    """In the log: SES refused a call for a cause that stops more than this mail. The mail goes back to its lane."""
    return f"SES refused the call ({cause})" + (f": {said}" if said else "")


@example()
def account_paused() -> str:
    """The cause of a stop: sending is switched off for the account, by SES or by its owner."""
    return "Sending is paused for this AWS account, for every lane"


@example()
def account_suspended() -> str:
    """The cause of a stop: SES has suspended the account."""
    return "SES has suspended this AWS account, for every lane"


@example()
def quota_used_up() -> str:
    """The cause of a stop: the account's 24-hour quota is used up."""
    return "The account's 24-hour quota is used up, for every lane"


@example()
def rate_unknown() -> str:
    """The cause of a stop: the account's send rate is not known, because SES could not be asked since the start."""
    return "The account's send rate is not known yet (GetAccount)"


_CREDENTIAL_PROBLEMS = {
    "NoCredentials": "there are no AWS credentials where botocore looks for them",
    "ExpiredTokenException": "the AWS credentials have expired",
    "ExpiredToken": "the AWS credentials have expired",
    "InvalidClientTokenId": "SES does not know these AWS credentials",
    "UnrecognizedClientException": "SES does not know these AWS credentials",
    "SignatureDoesNotMatch": "SES rejects the request signature; check the secret key",
    "InvalidSignatureException": "SES rejects the request signature; check the secret key and the clock",
    "RequestExpired": "this host's clock differs from SES's by more than five minutes",
}


@example("NoCredentials")
@example("ExpiredTokenException")
@example("InvalidClientTokenId")
@example("SignatureDoesNotMatch")
@example("InvalidSignatureException")
@example("RequestExpired")
@example("OptInRequired")
def credentials_refused(code: str) -> str:
    """The cause of a stop of one dispatcher: its credentials or its clock."""
    return f"A dispatcher cannot call SES: {_CREDENTIAL_PROBLEMS.get(code, f'SES refuses its credentials ({code})')}"


@example("no connection to email.eu-central-1.amazonaws.com: connection refused")
def ses_unreachable(text: str) -> str:
    """The cause of a stop of one dispatcher: no connection to SES can be made."""
    return f"A dispatcher cannot reach SES: {text}"


@example()
def platform_cannot_call() -> str:
    """The cause of a stop of dispatchers, as a tenant's key sees it: without the words of hosts and credentials."""
    return "The platform cannot call SES at the moment"


@example("mc-urgent")
def set_paused(name: str) -> str:
    """The cause of a stop: sending is switched off for a configuration set."""
    return f"The configuration set {name} is paused at SES, for all lanes that use it"


@example("mc-urgent")
def set_missing(name: str) -> str:
    """The cause of a stop: SES does not have a configuration set."""
    return f"SES does not have the configuration set {name}, which is created again"


@example("mail.acme.example")
def identity_not_verified(domain: str) -> str:
    """The cause of a stop: SES does not find the From domain verified."""
    return f"SES does not find {domain} verified: check the DNS records that `mailcordon identity show {domain}` lists"


@example("mail.acme.example")
def mail_from_not_verified(domain: str) -> str:
    """The cause of a stop: SES does not find the custom MAIL FROM domain verified, and must not send without it."""
    return f"SES does not find the custom MAIL FROM domain of {domain} verified: check its MX and SPF records"


@example()
def tenant_paused() -> str:
    """The cause of a stop: SES has paused the tenant."""
    return "SES has paused this tenant"


@example()
def tenant_missing() -> str:
    """The cause of a stop: SES does not have the tenant."""
    return "SES does not have this tenant, which is created again"


@example()
def access_denied() -> str:
    """The cause of a stop: IAM denies the call, or SES still does not see an association after several attempts."""
    return "SES denies access: an IAM policy, or an association of the tenant that is missing"


@example("NotFoundException")
def setup_refused(code: str) -> str:
    """The cause of a stop: SES does not have something that the lane's call names."""
    return f"SES refuses something of the lane's configuration ({code})"


@example()
def ends_with_canary() -> str:
    """The condition that ends most stops."""
    return "SES accepts a test mail over a route that it covers"


@example()
def ends_with_account() -> str:
    """The condition that ends a pause of the account."""
    return "GetAccount does not say otherwise and SES accepts a test mail"


@example()
def ends_with_quota() -> str:
    """The condition that ends the stop of a used-up quota."""
    return "GetAccount reports quota again and SES accepts a test mail"


@example()
def ends_with_rate() -> str:
    """The condition that ends the stop of an unknown send rate."""
    return "GetAccount answers"


@example()
def ends_with_tenant() -> str:
    """The condition that ends the pause of a tenant."""
    return "SES lets the tenant send again and accepts a test mail"


@example()
def ends_with_settling() -> str:
    """The condition that ends the stop of a restored database."""
    return "somebody has said what becomes of the mail that may have left since: `mailcordon restored`"


@example()
def restored() -> str:
    """The cell is stopped since its database was restored; the stop itself says of when the backup is."""
    return "The database was restored from a backup: what was sent since is not in it"


@example()
def probe_accepted() -> str:
    """Why a stop ended: the test mail was accepted."""
    return "SES accepted a test mail"


@example("SES refused the call (set-paused): Sending paused for configuration set mc-urgent.")
def probe_refused(detail: str) -> str:
    """What the last test of a stop found. The stop goes on."""
    return detail


@example("outcome-unknown")
@example("set-paused")
def probe_failed_otherwise(reason: str) -> str:
    """What the last test of a stop found: something else. The stop goes on, since SES did not accept the test mail."""
    return f"failed for another reason ({reason})"


@example()
def probe_has_no_route() -> str:
    """Why a stop is not tested: the test would use a lane that a hold closes."""
    return "not made, since every lane that it covers is held, stopped for another reason or gone"


@example()
def account_agrees() -> str:
    """Why a stop of the account ended, without a test mail because no lane can carry one."""
    return "GetAccount reports that the account may send"


@example()
def account_disagrees() -> str:
    """What the last test of a stop found: GetAccount still reports what stops the account."""
    return "GetAccount still reports it"


@example()
def tenant_resumed() -> str:
    """Why the stop of a paused tenant ended."""
    return "SES lets this tenant send again"


@example("HIGH bounce finding")
@example(None)
def tenant_paused_for(cause: str | None) -> str:
    """SES's words for the pause of a tenant, as GetReputationEntity reports it."""
    return cause or "no cause given"


@example()
def no_lane_uses_it() -> str:
    """Why a stop ended: no lane sends over what it names any more."""
    return "No lane uses it any more"


@example()
def worker_gone() -> str:
    """Why the stop of a dispatcher ended: the dispatcher did."""
    return "The dispatcher ended"


@example()
def calls_succeed() -> str:
    """Why the stop of a dispatcher ended."""
    return "SES answers again"


@example()
def another_dispatcher() -> str:
    """In the timeline: a dispatcher was still stopped, but another one could call SES again."""
    return "another dispatcher can call SES"


@example()
def dispatcher_runs() -> str:
    """In the timeline: after a time without any dispatcher, one began to run."""
    return "a dispatcher runs"


# How a delivery left the queue -------------------------------------------------------------------------------------------


@example()
def expired_in_queue() -> str:
    """A delivery expired while it was queued, and was dropped when its turn came."""
    return "Expired before its turn came"


@example("Held by Ana (CLI) since 28 Nov 2026 15:23 UTC: complaints rising [hold 5]")
@example("Stopped since 28 Nov 2026 15:23 UTC: SES has disabled sending for this account")
def expired_while(cause: str) -> str:
    """A delivery expired while a hold or a stop kept it in the queue. `cause` is the sentence of the hold or stop."""
    return f"Expired in the queue. {cause}"


@example("Held by Ana (CLI) since 28 Nov 2026 15:23 UTC: complaints rising [hold 5]")
def expired_after(cause: str) -> str:
    """A delivery expired soon after the end of what had kept it in the queue for most of its time."""
    return f"Expired in the queue, after it was kept for most of its time. {cause}"


@example("Ana (CLI)", "complaints are down")
def released(by: str, because: str) -> str:
    """In the timeline: a hold was lifted while the delivery was in the queue."""
    return f"By {by}: {because}"


@example("the probe succeeded")
def stop_ended(because: str) -> str:
    """In the timeline: a stop ended while the delivery was in the queue."""
    return f"The stop ended: {because}"


@example("28 Nov 2026 16:15 UTC")
def expires(at: str) -> str:
    """When mail that waits is dropped at the latest; follows why it waits."""
    return f"It expires at {at}"


@example("SES gave no clear answer (503): Service Unavailable")
def expired_while_waiting(reason: str) -> str:
    """A delivery expired while it waited; `reason` is why it waited."""
    return f"Expired while waiting: {reason}"


@example()
def accepted_by_ses() -> str:
    """SES accepted the call for a delivery."""
    return "SES accepted the mail"


@example()
def worker_died() -> str:
    """The outcome of a call is unknown because the dispatcher died during it."""
    return "The dispatcher that called SES died before it recorded the answer"


@example()
def send_event_arrived() -> str:
    """In the history of a delivery whose outcome was unknown: its Send event arrived."""
    return "The Send event of this attempt arrived"


@example()
def proved_sent() -> str:
    """A delivery whose outcome was unknown is sent, because its Send event arrived."""
    return "SES accepted the mail: its Send event arrived, although the call got no clear answer"


@example("90")
def proved_absent(seconds: str) -> str:
    """In the history of a delivery whose outcome was unknown: SES did not take that attempt."""
    return f"SES reported no Send event for this attempt, but one for a call made {seconds} s later"


@example()
def given_up() -> str:
    """A delivery ends as given up: the call got no clear answer, SES sent nothing, and its class is not resent."""
    return "SES gave no clear answer and reported no Send event; mail of this class is not resent, to avoid duplicates"


@example()
def no_outcome_reported() -> str:
    """A delivery whose outcome stayed unknown until it expired."""
    return "SES gave no clear answer, and until it expired nothing proved whether SES sent it"


# Other states of a delivery ---------------------------------------------------------------------------------------------


@example("Ana (key g53zkwn5)", "wrong price")
@example("Ana (key g53zkwn5)", None)
def cancelled(by: str, because: str | None) -> str:
    """Somebody cancelled the delivery."""
    return f"Cancelled by {by}: {because}" if because else f"Cancelled by {by}"


@example()
def content_missing() -> str:
    """The body of an accepted mail is missing when the mail is to be sent: a bug, or a restored database."""
    return "The content of the mail is missing, so it cannot be sent. Please report this as a bug"


@example()
def route_missing() -> str:
    """A lane lost its route after mail was accepted for it."""
    return "The lane has no route; the mail is retried every 5 s"


@example("The call was withdrawn before it was sent")
def retry_later(why: str) -> str:
    """SES certainly did not take the mail; it is retried."""
    return f"{why}; the mail is retried"


@example("BadRequestException", "Something new")
def set_aside(code: str, text: str) -> str:
    """SES refused this mail in words that say nothing of the mail itself. It is retried until it expires."""
    return f"SES refused the mail in words that do not speak of it ({code}): {text}. It is retried until it expires"


@example("28 Nov 2026 16:00 UTC")
def scheduled(at: str) -> str:
    """The mail is for a later time."""
    return f"Leaves at {at}"


@example(
    "500 mails an hour of acme/newsletter",
    "Tier standard of acme.",
    "It can leave from 28 Nov 2026 16:00 UTC on",
)
def over_limit(limit: str, because: str, leaves: str) -> str:
    """So much mail has left in this minute, hour or day that the rest waits. `because`: where the limit comes from."""
    return f"Over the limit of {limit}. {phrases.sentence(because)} {leaves}"


@example(
    "5 mails an hour of acme/password-reset to one address",
    "This is built in, so that a loop that asks for mail to one person stops.",
    "It can leave from 28 Nov 2026 16:00 UTC on",
)
def over_recipient_limit(limit: str, because: str, leaves: str) -> str:
    """So much mail has left to this address that the rest waits."""
    return f"Over the limit of {limit}. {phrases.sentence(because)} {leaves}"


@example("500 mails an hour of acme/newsletter", "Tier strict of acme.")
def refused_over_limit(limit: str, because: str) -> str:
    """The policy refuses what is over this limit."""
    return f"Refused: over the limit of {limit}. {phrases.sentence(because)}"


@example("kim@example.com")
def recipient_not_verified(text: str) -> str:
    """The account is in SES's sandbox and the recipient is not verified: this mail is refused, its lane goes on."""
    return f"SES's sandbox sends to verified recipients only: {text}"


@example("KeyError")
def internal_error_before_call(error: str) -> str:
    """Mailcordon failed before it called SES; the mail is tried again later."""
    return f"An internal error came before the call ({error}); SES does not have the mail, and it will be tried again"


@example("KeyError")
def internal_error(error: str) -> str:
    """Mailcordon failed during the call; the outcome is unknown."""
    return f"An internal error interrupted the call ({error}); whether SES has the mail is unknown"


@example()
def no_outcome() -> str:
    """SES accepted the mail, and its own time limit passed without a final event."""
    return "SES accepted the mail and reported no final outcome within its time limit"


# What SES answers to a call ----------------------------------------------------------------------------------------------


@example("email.eu-central-1.amazonaws.com", "connection refused")
def no_connection(host: str, why: str) -> str:
    """Why SES or SQS was not called."""
    return f"no connection to {host}: {why}"


@example()
def connection_ended_before_call() -> str:
    """Why SES or SQS was not called: the connection was closed at the last moment."""
    return "the connection ended before the request was sent"


@example()
def withdrawn_before_call() -> str:
    """Why SES was not called: a hold or a stop came while the connection was being made. The mail goes back to its lane."""
    return "a hold or a stop came before the request was sent"


@example()
def no_aws_credentials() -> str:
    """Why SES or SQS was not called."""
    return "there are no AWS credentials where botocore looks for them"


@example("30 s")
def no_response_within(seconds: str) -> str:
    """Why a call of SES or SQS has no clear answer."""
    return f"no response within {seconds}"


@example("Connection reset by peer")
@example("")
def connection_ended_in_call(why: str) -> str:
    """Why a call of SES or SQS has no clear answer."""
    return "the connection ended before the response was complete" + (f": {why}" if why else "")


@example("Expected HTTP/")
def response_not_http(error: str) -> str:
    """Why a call of SES or SQS has no clear answer."""
    return f"the response is not valid HTTP ({error})"


@example(33_554_432)
def response_too_long(most: int) -> str:
    """Why a call of SES or SQS has no clear answer."""
    return f"the response is longer than {most:,} bytes"


@example("503", "Service Unavailable")
@example("", "no response within 30 s")
def no_clear_answer(code: str, text: str) -> str:
    """SES failed or did not respond, so the mail may have been accepted. Without a code: there was no response."""
    return f"SES gave no clear answer{f' ({code})' if code else ''}: {text}"


@example(6, 10, "SES gave no clear answer (503): Service Unavailable")
def no_clear_answers(unclear: int, calls: int, last: str) -> str:
    """At least half of the last calls had no clear answer, so this dispatcher stops calling SES and tests it once a second."""
    which = "The last call" if calls == 1 else f"{unclear} of the last {calls} calls"
    return f"{which} had no clear answer. {'It' if calls == 1 else 'The last'}: {last}"


@example()
def throttled() -> str:
    """SES throttles the account; the mail goes back to its queue."""
    return "SES throttled the call"


@example()
def quota_reserved() -> str:
    """What is left of the account's quota is kept for urgent mail; other mail waits."""
    return "What is left of the account's 24-hour quota is kept for urgent mail"


@example("Tenant not associated with resources")
def association_not_visible(text: str) -> str:
    """SES does not see a new association of tenant and resource yet; the delivery is retried."""
    return f"SES does not see the tenant's resource association yet: {text}"


@example("BadRequestException", "Missing final '@domain'")
def rejected(code: str, text: str) -> str:
    """SES rejects the mail itself."""
    return f"SES rejected the mail ({code}): {text}"


# The timeline of a delivery ----------------------------------------------------------------------------------------------


@example("newsletter", "acme")
def accepted(type: str, tenant: str) -> str:
    """The first entry of each timeline."""
    return f"{type} for {tenant}"


@example(2)
def call_answered(attempt: int) -> str:
    """SES was called."""
    return f"attempt {attempt}"


@example(2)
def call_open(attempt: int) -> str:
    """SES was called and has not answered yet."""
    return f"attempt {attempt}, no answer yet"


# Events in quarantine ----------------------------------------------------------------------------------------------------


@example("mail.acme.example", None, None)
@example("app@acme.example", "AIDAEXAMPLE", "ungoverned")
def ungoverned(source: str, caller: str | None, configuration_set: str | None) -> str:
    """Mail of the account that Mailcordon did not send."""
    by = f" by {caller}" if caller else ""
    through = f", configuration set {configuration_set}" if configuration_set else ""
    return f"Mail of {source} was sent{by} without our tags{through}: it did not pass through Mailcordon."


@example()
def unnamed_sender() -> str:
    """The `source` in `ungoverned`, of an event that does not name it."""
    return "an unnamed sender"


@example("the attempt tag must have three parts")
def bad_signature(problem: str) -> str:
    """An event's tags name this installation, and their signature is wrong."""
    return f"It has our tags, but no valid signature: {problem}."


@example("mc-s7wbigebcqsw", "newsletter")
def unknown_lane(tenant: str, type: str) -> str:
    """An event of ours names a lane that does not exist."""
    return f"The signature is valid, but there is no lane {type} of {tenant}. Was the database restored from a backup?"


@example("dlv_0r4tq2v6k7m8n", 2)
def unknown_delivery(delivery: str, attempt: int) -> str:
    """An event of ours names a delivery that does not exist, and is too young to be past retention."""
    return f"The signature is valid, but there is no {delivery}, attempt {attempt}. Was the database restored from a backup?"


@example("dlv_0r4tq2v6k7m8n", 3, 2)
def newer_attempt(delivery: str, attempt: int, newest: int) -> str:
    """An event of ours names a later attempt of a delivery than is recorded."""
    return (
        f"{delivery}, attempt {attempt} is newer than any recorded attempt ({newest}). "
        "Was the database restored from a backup?"
    )


@example("dlv_0r4tq2v6k7m8n", 2, "mc-s7wbigebcqsw", "newsletter")
def another_lane(delivery: str, attempt: int, tenant: str, type: str) -> str:
    """An event's tags name another lane than the delivery's row."""
    return f"The tags name the lane {type} of {tenant}, but {delivery}, attempt {attempt} belongs to another lane."


@example("dlv_0r4tq2v6k7m8n", 2)
def no_recipient(delivery: str, attempt: int) -> str:
    """An event names a recipient number that its message does not have."""
    return f"{delivery}, attempt {attempt}: the message has no such recipient."


@example("dlv_0r4tq2v6k7m8n", 2, "0102019a-1", "0102019a-2")
def sent_twice(delivery: str, attempt: int, first: str, second: str) -> str:
    """Two mails of SES have the same attempt: the mail was sent twice."""
    return f"{delivery}, attempt {attempt} has two SES ids, {first} and {second}: the mail was sent twice."


@example(3)
def ambiguous_recipient(named: int) -> str:
    """An event about mail past retention names several recipients, so it cannot be attributed."""
    return f"The rows are past retention, and SES names {named} recipients, not one."


@example("mc-s7wbigebcqsw", "mc-gqn858s6wbaa")
def another_ses_tenant(tenant: str, ses_tenant: str) -> str:
    """An event's tags and SES's own tenant disagree."""
    return f"The tags name {tenant}, but SES's tenant is {ses_tenant}."


@example("old-set")
def unknown_configuration_set(name: str) -> str:
    """An event of ours came through a configuration set that does not exist here."""
    return f"It was sent with the configuration set {name}, which is not ours."


@example("mc-marketing", "password-reset")
def wrong_configuration_set(name: str, type: str) -> str:
    """An event of ours came through a configuration set of another tenant or class."""
    return f"It was sent with the configuration set {name}, which carries no {type} mail."


@example("its mail has no messageId")
def malformed(problem: str) -> str:
    """A message of the event queue cannot be decoded."""
    return f"It cannot be decoded: {problem}"


@example('invalid byte sequence for encoding "UTF8": 0x00')
def not_stored(error: str) -> str:
    """An event was decoded, but the database refused it."""
    return f"storing it failed: {error}"


@example("unexpected end of data")
def no_json(error: str) -> str:
    """Not JSON."""
    return f"not an SES event in JSON: {error}"


@example()
def no_mail() -> str:
    """JSON, but not an event."""
    return "valid JSON, but not an SES event: it has no member `mail`"


@example()
def no_member_mail() -> str:
    """What is wrong with a document that is not an event."""
    return "it has no member `mail`"


@example()
def inbound_mail() -> str:
    """A notice on the event queue about mail that SES received, which is not counted."""
    return "inbound mail: not about mail that we sent"


@example("Email Bounced", "it has no member `mail`")
def no_event_in_envelope(detail_type: str, problem: str) -> str:
    """An EventBridge envelope whose content is not an event."""
    return f"the EventBridge event `{detail_type}` holds no SES event: {problem}"


@example()
def no_event_type() -> str:
    """An event without its type."""
    return "it has neither an eventType nor a notificationType"


@example()
def no_ses_id() -> str:
    """An event without the mail's id."""
    return "its mail has no messageId"


# What proves an event -----------------------------------------------------------------------------------------------------


@example("SNS did not sign it")
def unverified(problem: str) -> str:
    """A message of the event queue does not come from SES, as far as can be seen."""
    return f"Nothing proves that it comes from SES: {problem}"


@example("arn:aws:sns:us-east-1:123456789012:other")
@example("")
def foreign_topic(topic: str) -> str:
    """A message of SNS whose topic is in none of the settings. Follows `unverified`."""
    named = f"its topic {topic} is" if topic else "it names no topic, which is"
    return (
        f"{named} not in MAILCORDON_OUTCOME_TOPIC_ARN, _ENGAGEMENT_TOPIC_ARN, MAILCORDON_IDENTITY_TOPIC_ARNS"
        " or MAILCORDON_EVENT_TOPIC_ARNS"
    )


@example()
def not_signed() -> str:
    """A message without SNS's envelope, or without its signature. Follows `unverified`."""
    return "SNS did not sign it. Raw delivery and EventBridge never sign: for them set MAILCORDON_EVENT_PROOF=queue-policy"


@example()
def wrong_sns_signature() -> str:
    """SNS's signature does not match the message. Follows `unverified`."""
    return "its signature is not SNS's"


@example("sha1 is not supported by this backend")
def signature_not_checked(error: str) -> str:
    """This system cannot check the kind of signature. Follows `unverified`."""
    return f"this system cannot check its signature ({error}); set the topic's SignatureVersion to 2"


@example("https://example.com/x.pem", "sns.us-east-1.amazonaws.com")
def certificate_elsewhere(url: str, host: str) -> str:
    """A message names a certificate that is not at SNS. Follows `unverified`."""
    return f"its certificate is at {url}, and not one of {host}"


@example()
def certificate_not_valid_now() -> str:
    """The certificate of a message expired longer ago than a queue keeps messages. Follows `unverified`."""
    return "its certificate is not valid now"


@example("2026-11-28T15:23:00.000Z")
def certificate_not_valid_then(at: str) -> str:
    """The certificate of a message was not valid when it was signed. Follows `unverified`."""
    return f"its certificate was not valid at {at}"


@example("Unable to load PEM file")
def certificate_unreadable(error: str) -> str:
    """The certificate of a message cannot be parsed. Follows `unverified`."""
    return f"its certificate cannot be read: {error}"


@example()
def certificate_without_rsa() -> str:
    """The certificate of a message has another kind of key than SNS's have. Follows `unverified`."""
    return "its certificate has no RSA key of 2,048 bits or more"


@example("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem", 404)
def certificate_missing(url: str, status: int) -> str:
    """SNS has no such certificate. Follows `unverified`, or says why messages wait in the queue until that is certain."""
    return f"its certificate {url} does not exist (HTTP {status})"


@example("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem", "HTTP 503")
def certificate_unreachable(url: str, why: str) -> str:
    """A certificate cannot be fetched at present. Receiving stops, and the messages wait in the queue."""
    return f"the certificate {url}, with which events are signed, cannot be fetched: {why}"


@example()
def certificates_not_here() -> str:
    """Certificates were not asked for yet, as the database went away or too many were named. The messages wait in the queue."""
    return "certificates with which events are signed are not here yet"


@example("sns.us-east-1.amazonaws.com", "candidates exhausted")
def certificate_not_trusted(host: str, error: str) -> str:
    """A certificate's chain does not end in a root that this system trusts. Receiving stops."""
    return f"the certificate of {host}, with which events are signed, is not trusted: {error}"


@example(4)
def chain_too_long(most: int) -> str:
    """In `certificate_not_trusted`."""
    return f"no root after {most} issuers"


@example(65_536)
def certificate_too_large(most: int) -> str:
    """In `certificate_unreachable`."""
    return f"the file has more than {most:,} bytes"


@example(503)
def http_status(status: int) -> str:
    """In `certificate_unreachable`."""
    return f"HTTP {status}"


# What a replay of quarantine came to -------------------------------------------------------------------------------------


@example("hard-bounce", "mc-s7wbigebcqsw", "newsletter", "dlv_0r4tq2v6k7m8n", 1)
def counted(kind: str, tenant: str, type: str, delivery: str, attempt: int) -> str:
    """The event is counted now."""
    return f"counted: {kind} of {delivery}, attempt {attempt} ({type} of {tenant})"


@example()
def counted_before() -> str:
    """Another copy of the event was counted before."""
    return "nothing to do: the same event was counted before"


@example()
def of_another_installation() -> str:
    """The event belongs to another Mailcordon of the same account."""
    return "it belongs to another installation and is counted there"


@example()
def nothing_to_count() -> str:
    """The document is a notice, or an event of a canary."""
    return "a notice or an event of a canary: nothing to count"


@example(
    "ungoverned: Mail of app@acme.example was sent without our tags: it did not pass through Mailcordon."
)
def still_in_quarantine(why: str) -> str:
    """The replay ended in quarantine again."""
    return f"still {why}"


@example()
def removed_at_ses_too() -> str:
    """In the audit trail, when a suppression that a person removed is deleted."""
    return "removed from SES's list for the tenant as well"


# Provisioning ------------------------------------------------------------------------------------------------------------


@example(["update policy mc-k3m8p2q7r4s9: policy"])
def not_as_set(changes: list[str]) -> str:
    """Why a resource of a tenant is failing: SES accepted the call, but a read returns other values."""
    return f"SES accepted the call but returns other values; still needed: {'; '.join(changes)}"


@example("delete account 1")
def no_call_for(change: str) -> str:
    """Why a change of a plan failed: SES has no call for it."""
    return f"SES has no call for this: {change}"


@example("mc-k3m8p2q7r4s9")
def ses_tenant_missing(name: str) -> str:
    """Why a resource of a tenant is failing: the SES tenant that it needs does not exist yet."""
    return f"the SES tenant {name} does not exist yet"
