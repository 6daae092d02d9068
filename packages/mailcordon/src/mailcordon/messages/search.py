"""Searching messages, and why a message, an address, a lane, a domain or an incident is as it is."""

from collections.abc import Sequence

from mailcordon.messages import example

# Searching ---------------------------------------------------------------------------------------------------------------


@example("acme", "kim@exmaple.com", "31 Aug 2026")
@example(None, "kim@exmaple.com", "31 Aug 2026")
def never_mailed(tenant: str | None, address: str, since: str) -> str:
    """A search for an address found nothing, in any state. Records are kept for so long. Without a tenant: of all tenants."""
    who = f"{tenant} has" if tenant else "No tenant has"
    return f"{who} {'never' if tenant else 'ever'} mailed {address} in the records, which begin on {since}"


@example("acme", ["kim@example.com"])
@example(None, ["kim@example.com", "kin@example.com"])
def mailed_instead(tenant: str | None, addresses: Sequence[str]) -> str:
    """Addresses with a similar spelling that were mailed, after `never_mailed`."""
    return f"Addresses with a similar spelling that {tenant or 'a tenant'} mailed: {', '.join(addresses)}"


@example(20_000, "28 Nov 2026 15:23 UTC")
def stopped_early(looked_at: int, back_to: str) -> str:
    """A page of a search is not full, because its filters fit little of what it had to look at."""
    return f"The search stopped after {looked_at:,} deliveries, back to {back_to}; ask for the next page to go on"


@example()
def not_a_message_id_header() -> str:
    """The parameter message_id of a search is no Message-ID of SES (422)."""
    return (
        "must be the Message-ID header that SES sets: SES's id at email.amazonses.com or REGION.amazonses.com"
    )


@example()
def not_a_ses_id() -> str:
    """The parameter ses_id of a search, or the part of a Message-ID before the @, cannot be SES's id (422)."""
    return "must be an id that SES gave: letters, digits, full stops and hyphens"


@example()
def not_a_time() -> str:
    """The parameter since or until of a search is not a time (422)."""
    return "must be a time in UTC such as 2026-11-28T15:23:00Z"


@example("queued, sending, delivered")
def not_a_state(states: str) -> str:
    """The parameter state of a search is unknown (422)."""
    return f"must be one of {states}"


@example("bounce")
def not_a_reason(text: str) -> str:
    """The parameter reason of a search cannot be a reason (422)."""
    return f"{text} is no reason: give a code such as suppressed, mailbox_full or Permanent/General"


@example(["to", "message_id"])
def one_key(fields: Sequence[str]) -> str:
    """A search names more than one of the things that each stand for one message (422)."""
    return f"give only one of {', '.join(fields)}"


@example("--since", "yesterday")
def not_a_time_option(option: str, text: str) -> str:
    """The command line cannot read the time of an option."""
    return f"{option}: {text} is neither a duration such as 7d nor a time such as 2026-11-28T15:23:00Z"


# Why ---------------------------------------------------------------------------------------------------------------------


@example("kim@example.com", "bounced", "28 Nov 2026 15:23 UTC", "550 5.1.1 no such user")
@example("kim@example.com", "delivered", "28 Nov 2026 15:23 UTC", "")
def delivery_is(to: str, state: str, since: str, detail: str) -> str:
    """The first sentence of `why` about one delivery."""
    return f"The mail to {to} has been in state {state} since {since}{f': {detail}' if detail else ''}"


@example("msg_0r4tq2v6k7m8n", {"delivered": 2, "bounced": 1})
def message_is(message: str, states: dict[str, int]) -> str:
    """The first sentence of `why` about a message with several deliveries."""
    counts = ", ".join(f"{count} {state.replace('-', ' ')}" for state, count in states.items())
    return f"{message} has {sum(states.values())} deliveries: {counts}"


@example("acme", "kim@example.com", "delivered", "28 Nov 2026 15:23 UTC")
def address_gets_mail(tenant: str, address: str, state: str, since: str) -> str:
    """The first sentence of `why` about an address that nothing keeps from getting mail."""
    last = f"the last mail has been in state {state} since {since}"
    return f"Nothing keeps {tenant} from mailing {address}: {last}"


@example("acme/newsletter", "held", "Held by Ana (CLI) since 15:23 UTC: complaints rising [hold 5]")
@example("acme/newsletter", "open", "")
def lane_is(lane: str, state: str, because: str) -> str:
    """The first sentence of `why` about a lane."""
    return f"{lane} is {state}: {because or 'nothing keeps its mail from leaving'}"


@example("Held by Ana (CLI) since 15:23 UTC: complaints rising [hold 5]", "marketing mail of acme", None)
@example(
    "Held by Ana (CLI) since 15:23 UTC: complaints rising [hold 5]", "all mail of acme", "Ana (CLI): fixed"
)
def hold_is(sentence: str, mail: str, lifted: str | None) -> str:
    """The first sentence of `why` about a hold: what it stops, and whether it was lifted by whom and why."""
    return f"{sentence}; it covers {mail}{f'; lifted by {lifted}' if lifted else ', and is open'}"


@example("mail.acme.example", "acme", "verified", ["newsletter", "receipt"], None)
@example("mail.acme.example", "acme", "pending", [], "28 Nov 2026 15:23 UTC")
def domain_is(domain: str, tenant: str, status: str, types: Sequence[str], lapsed: str | None) -> str:
    """The first sentence of `why` about a domain of a tenant."""
    uses = f"{', '.join(types)} mail leaves from it" if types else "no lane sends from it"
    lapse = f"; it lacks records that it had since {lapsed}" if lapsed else ""
    return f"{domain} of {tenant} is {status}, and {uses}{lapse}"


@example("Ana (CLI)", "complaints rising", "marketing mail of acme")
def hold_placed(by: str, because: str, mail: str) -> str:
    """An entry of a timeline: a hold was placed."""
    return f"{mail} held by {by}: {because}"


@example()
def domain_added() -> str:
    """An entry of a domain's timeline."""
    return "the domain was added"


@example()
def domain_retiring() -> str:
    """An entry of a domain's timeline."""
    return "its retirement began"


@example()
def domain_lapsed() -> str:
    """An entry of a domain's timeline."""
    return "records that it had were missing from here on"


@example("pending")
def domain_checked(status: str) -> str:
    """An entry of a domain's timeline: the newest look at it."""
    return f"SES was asked last: {status}"


@example("lane acme")
def not_a_subject(text: str) -> str:
    """The parameter `of` of /v1/why, or the arguments of `mailcordon why`, name nothing that can be explained."""
    return (
        f"{text} is none of: a message or delivery id, an address, lane TENANT/TYPE, hold N, stop N, incident N, loss N, "
        "domain NAME"
    )


@example("hold 17")
def no_such_record(subject: str) -> str:
    """There is no such hold, stop or loss, or the key may not see it (404)."""
    return f"There is no {subject}"
