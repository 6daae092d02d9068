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
