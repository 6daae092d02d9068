"""Unsubscribing: the page behind the link in a mail, and what the tenant and the operator are told."""

from mailcordon.messages.catalogue import example

# The page ----------------------------------------------------------------------------------------------------------------


@example("news.acme.example")
def title(sender: str) -> str:
    """The page of a link to unsubscribe: its title."""
    return f"Mail from {sender}"


@example("newsletter", "A mailing that the recipient subscribed to")
def question(type: str, description: str) -> str:
    """The page: what its first button unsubscribes from."""
    return f"Stop this mail to your address? It is “{type}”: {description}."


@example()
def unsubscribe_button() -> str:
    """The page: the button that unsubscribes."""
    return "Unsubscribe"


@example("newsletter", "news.acme.example")
def unsubscribed(type: str, sender: str) -> str:
    """The page: the address is unsubscribed."""
    return f"You are unsubscribed. {sender} sends no more “{type}” to your address."


@example()
def done() -> str:
    """The answer to the request of a mail program's button."""
    return "You are unsubscribed."


@example()
def preferences() -> str:
    """The page: above the list of the sender's marketing mail."""
    return "All mailings of this sender. Those with a tick go on."


@example()
def save_button() -> str:
    """The page: the button that saves the list."""
    return "Save"


@example()
def saved() -> str:
    """The page: the list was saved."""
    return "Your choice is saved."


@example()
def stopped_otherwise() -> str:
    """The page: a mailing that does not arrive for another reason, such as a bounce or a complaint."""
    return "stopped for another reason; ask the sender"


@example()
def nothing_changed() -> str:
    """The page: a form that is none of its own was posted."""
    return "Nothing was changed. Choose below."


@example()
def link_unknown() -> str:
    """A link to unsubscribe that Mailcordon did not make, or that was cut off on its way (404)."""
    return "This link is not complete. Open it from the mail again, or copy all of it."


@example()
def lane_gone() -> str:
    """The mail that a link to unsubscribe is about does not exist any more (410)."""
    return "The sender of this mail does not send it any more."


@example()
def too_many() -> str:
    """Too many requests for links to unsubscribe came from one client address (429)."""
    return "Too many requests from your network. Try again in a moment."


@example()
def method() -> str:
    """A link to unsubscribe was asked for by another method than GET, HEAD or POST (405)."""
    return "A link to unsubscribe takes GET, HEAD and POST."


@example()
def busy() -> str:
    """The page cannot be shown, or the choice not stored, at present (503)."""
    return "This cannot be done at the moment. Try again in a minute."


# What is recorded ----------------------------------------------------------------------------------------------------------


@example("one-click")
@example("page")
def how(how: str) -> str:
    """The evidence of an unsubscription: how the recipient unsubscribed."""
    return {
        "one-click": "one click in the mail program",
        "page": "on the page of the link",
    }[how]


# The tenant and the operator -----------------------------------------------------------------------------------------------


@example("kim@example.com", "newsletter", "acme")
def not_unsubscribed(address: str, type: str, tenant: str) -> str:
    """`suppression resubscribe` of an address that is not unsubscribed (404)."""
    return f"{address} is not unsubscribed from {type} of {tenant}"


@example("newsletter", "28 Nov 2026 15:23 UTC")
def consent_too_old(type: str, since: str) -> str:
    """`suppression resubscribe` with a consent from before the unsubscription (409)."""
    return (
        f"The recipient unsubscribed from {type} on {since}, after this consent. Only a later one counts: "
        "--consented-at is when they asked for the mail again"
    )


@example()
def consent_in_future() -> str:
    """`suppression resubscribe` with a consent that is still to come (422)."""
    return "is in the future"


@example()
def not_a_time() -> str:
    """`suppression resubscribe` with something else than a time as the moment of the consent (422)."""
    return "must be a time such as 2026-11-28T15:23:00Z"


@example("kim@example.com", "newsletter", "acme")
def resubscribed(address: str, type: str, tenant: str) -> str:
    """`suppression resubscribe` is done."""
    return f"{address} gets {type} of {tenant} again. The evidence is in the audit trail"


@example("links.acme.example")
def host_is_foreign(host: str) -> str:
    """A tenant is to have a host name for its links that is another tenant's (409)."""
    return f"{host} belongs to another tenant"


@example("acme", "links.acme.example")
@example("acme", None)
def host_set(tenant: str, host: str | None) -> str:
    """`tenant unsubscribe-host` is done."""
    if host is None:
        return f"Links to unsubscribe in new mail of {tenant} have the shared host name. Keep the former one for older mail"
    return (
        f"Links to unsubscribe in new mail of {tenant} begin with https://{host}/u/. That address must lead to the API, "
        "now and for as long as anybody has such a mail"
    )


@example()
def no_address_for_links() -> str:
    """The reason of a marketing mail that waits: this dispatcher cannot make the link that it needs."""
    return (
        "This mail needs a link to unsubscribe, and its dispatcher has no address for one: set MAILCORDON_UNSUBSCRIBE_URL, "
        "as the API has it"
    )


@example("acme", "newsletter", 3)
@example("acme", "newsletter", 1)
def links_have_no_address(tenant: str, type: str, lanes: int) -> str:
    """`doctor` on AWS: there are marketing lanes, and no address for links to unsubscribe is set."""
    whose = (
        f"{lanes} marketing lanes, such as {type} of {tenant}, have"
        if lanes > 1
        else f"{type} of {tenant} has"
    )
    return (
        f"MAILCORDON_UNSUBSCRIBE_URL is not set: {whose} no address for links to unsubscribe, so mail without a one-click "
        "link of its own is refused there. Set it for the API and the dispatchers; docs/unsubscribe.md says what it must lead to."
    )


@example(number=3)
def key_rotated(*, number: int) -> str:
    """`mailcordon secrets rotate --unsubscribe --yes` is done."""
    return f"Key {number} makes links to unsubscribe from 20 seconds from now on. The links of older keys stay valid."


@example(keys=2)
def keys_stored(*, keys: int) -> str:
    """`mailcordon secrets rotate --unsubscribe` says what there is before it changes it."""
    return f"Keys of links to unsubscribe: {keys}. The newest makes links, every one is accepted."
