"""What is said about a bounce: what the receiving host's answer means, who can act, and what follows for the address."""

from mailcordon.messages.catalogue import example

_WHAT = {
    "user_unknown": "The receiving host knows no such mailbox",
    "mailbox_disabled": "The mailbox exists, but is disabled, suspended or closed",
    "mailbox_full": "The mailbox is full",
    "domain_invalid": "The recipient's domain does not exist or takes no mail",
    "blocked_reputation": "The receiving host blocks the address or domain that sent it",
    "auth_failure": "The receiving host found the mail not authenticated (SPF, DKIM, DMARC or reverse DNS)",
    "sender_rejected": "The receiving host refuses the sender's address or domain",
    "rate_limited": "The receiving host takes no more mail from the sender at this rate",
    "greylisted": "The receiving host asked to come back later, as it does with senders that it does not know yet",
    "content": "The receiving host refuses what is in the mail, as spam, malware or a forbidden attachment",
    "too_large": "The mail is larger than the receiving host takes",
    "policy": "A rule of the recipient's side refuses the mail",
    "relay_denied": "The receiving host is not set up for the recipient's domain",
    "network": "The receiving host could not be reached in time",
    "remote_error": "The receiving host had a fault or was busy",
    "protocol_error": "The receiving host could not follow the form of the mail or of the conversation",
    "undetermined": "The receiving host's answer does not say why",
    "autoreply": "An automatic reply came back as a bounce",
}
_WHO = {
    "list owner": "whoever keeps the list can correct or remove the address",
    "recipient": "the recipient, or who runs their mail system, can change that",
    "sender's DNS": "whoever runs the DNS of the sending domain can act",
    "content": "whoever writes the mail can change it",
    "our reputation": "whoever runs this platform can act, with what it sends and from where",
    "SES": "SES can act",
    "nobody": "nobody needs to act",
}
_FOLLOWS = {
    "suppress": "the address is suppressed",
    "weaken": "the address is off for 14 days, since SES calls the bounce permanent",
    "nothing": "the address stays open",
    "retry later": "the address stays open, and a later mail may arrive",
}


@example("user_unknown", "list owner", "suppress")
@example("undetermined", "nobody", "weaken")
@example("content", "content", "nothing")
@example("mailbox_full", "recipient", "retry later")
def bounced(reason: str, actor: str, follow: str) -> str:
    """Why a mail bounced, in `why`, at a message, and with a suppression. The words of each part are those of docs/bounces.md."""
    return f"{_WHAT[reason]}: {_FOLLOWS[follow]}; {_WHO[actor]}."


@example("blocked_reputation")
def meaning(reason: str) -> str:
    """What a reason means, where reasons are listed."""
    return _WHAT[reason]


@example("content", "550 5.7.1 message identified as spam")
@example("undetermined", "")
def of_event(reason: str, text: str) -> str:
    """A bounce in the timeline of a delivery: the reason, then what the host said."""
    return f"{reason}: {text}" if text else reason
