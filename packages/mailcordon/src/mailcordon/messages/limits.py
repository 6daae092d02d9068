"""Limits: how much mail may leave in a minute, an hour or a day."""

from mailcordon.messages import example

_PER = {"minute": "a minute", "hour": "an hour", "day": "a day", "ever": "in all"}


@example(500, "hour", "of acme/newsletter")
@example(1, "ever", "of acme/newsletter's campaign may-sale")
def mails(cap: int, per: str, what: str) -> str:
    """What a limit allows, as a part of a sentence."""
    return f"{cap:,} mail{'' if cap == 1 else 's'} {_PER[per]} {what}"


@example("acme")
def of_tenant(slug: str) -> str:
    """Whose mail a limit counts: all mail of a tenant."""
    return f"of {slug}"


@example("acme", "marketing")
def of_class(slug: str, class_: str) -> str:
    """Whose mail a limit counts: a tenant's mail of a class."""
    return f"of {slug}'s {class_} mail"


@example("acme", "newsletter")
def of_lane(slug: str, type: str) -> str:
    """Whose mail a limit counts: a lane's."""
    return f"of {slug}/{type}"


@example("acme", "shop-backend")
def of_key(slug: str, key: str) -> str:
    """Whose mail a limit counts: what was handed in with one API key."""
    return f"of {slug}'s API key {key}"


@example("acme", "newsletter", "may-sale")
def of_campaign(slug: str, type: str, campaign: str) -> str:
    """Whose mail a limit counts: a campaign's."""
    return f"of {slug}/{type}'s campaign {campaign}"


@example("acme", "newsletter", "customers-2026")
def of_list(slug: str, type: str, list: str) -> str:
    """Whose mail a limit counts: a list's."""
    return f"of {slug}/{type}'s list {list}"


@example("acme", "newsletter", "gmail")
def to_provider(slug: str, type: str, provider: str) -> str:
    """Whose mail a limit counts: a lane's mail to one mailbox provider."""
    return f"of {slug}/{type} to {provider}"


@example("news.acme.example", "gmail")
@example("news.acme.example", None)
def from_domain(domain: str, provider: str | None) -> str:
    """Whose mail a limit counts: all lanes' mail from one domain, perhaps to one mailbox provider."""
    return f"from {domain}{f' to {provider}' if provider else ''}"


@example("acme", "password-reset")
def to_one_address(slug: str, type: str) -> str:
    """Whose mail a limit counts: a lane's mail to each address, counted apart."""
    return f"of {slug}/{type} to one address"


@example()
def built_in_recipient() -> str:
    """Why there is a limit for one address that nobody has set."""
    return "This is built in, so that a loop that asks for mail to one person stops."


@example("16:00 UTC")
@example(None)
def leaves(at: str | None) -> str:
    """When mail that is over a limit can leave. Without a time, when the limit's cap grows."""
    return "It can leave when the limit grows" if at is None else f"It can leave from {at} on"
