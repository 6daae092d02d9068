"""Limits: how much mail may leave in a minute, an hour or a day."""

from mailcordon.messages import example, times

_MOST = 100_000  #: counting of what waits stops there
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


@example("acme", "newsletter")
def of_each_campaign(slug: str, type: str) -> str:
    """Whose mail a limit counts: each campaign of a lane, counted apart."""
    return f"of each campaign of {slug}/{type}"


@example("acme", "newsletter")
def to_each_provider(slug: str, type: str) -> str:
    """Whose mail a limit counts: a lane's mail to each mailbox provider, counted apart."""
    return f"of {slug}/{type} to each mailbox provider"


@example("5,000 mails an hour of each campaign of acme/newsletter", 0)
def made_when_met(allows: str, waiting: int) -> str:
    """A limit of each campaign or mailbox provider: each has a limit of its own from its first mail on."""
    rest = f". {_wait(waiting)} of campaigns beyond these" if waiting else ""
    return f"{allows}. Each has a limit of its own from its first mail on, with the owner `each`{rest}"


@example("acme", "receipt")
def alike_to_one_address(slug: str, type: str) -> str:
    """Whose mail a limit counts: a lane's mail with one template, or one shape of the subject, to each address, counted apart."""
    return f"of {slug}/{type} with one template or subject to one address"


@example()
def built_in_recipient() -> str:
    """Why there is a limit for one address that nobody has set."""
    return "This is built in, so that a loop that asks for mail to one person stops."


@example("16:00 UTC")
@example(None)
def leaves(at: str | None) -> str:
    """When mail that is over a limit can leave. Without a time, when the limit's cap grows."""
    return "It can leave when the limit grows" if at is None else f"It can leave from {at} on"


@example("28 Nov 2026 18:00 UTC", 12)
@example("2 Dec 2026 04:00 UTC", 10_000)
def leaves_behind(at: str, mails: int) -> str:
    """When mail over a limit of one address can leave, if more of the same waits before it than the next window lets leave."""
    more = " or more" if mails >= 10_000 else ""
    return f"{mails:,} mails{more} of the same wait before it, so it can leave from {at} on"


@example("500 mails an hour of acme/newsletter", 320, 180, "28 Nov 2026 16:00 UTC")
@example("1,500 mails in all of acme/newsletter's campaign may-sale", 320, 1180, None)
def left(allows: str, used: int, rest: int, next_at: str | None) -> str:
    """A limit that is not used up."""
    window = f"; its next window begins at {next_at}" if next_at else ""
    return f"{allows}: {used:,} used, {rest:,} left{window}"


@example("500 mails an hour of acme/newsletter", 1200, "28 Nov 2026 16:00 UTC", refuses=False)
@example("1,500 mails in all of acme/newsletter's campaign may-sale", 8500, None, refuses=False)
@example("500 mails an hour of acme/newsletter", 0, "28 Nov 2026 16:00 UTC", refuses=True)
def used_up(allows: str, waiting: int, next_at: str | None, *, refuses: bool) -> str:
    """A limit that is used up."""
    if refuses:
        return f"{allows}: used up{f' until {next_at}' if next_at else ''}. What is over it is refused"
    begins = f"from {next_at} on" if next_at else "when the limit grows"
    return f"{allows}: used up. {_wait(waiting)}, and can leave {begins}"


@example("5 mails an hour of acme/password-reset to one address", 9995, "28 Nov 2026 16:00 UTC")
def of_each_address(allows: str, waiting: int, next_at: str | None) -> str:
    """A limit that counts each address apart."""
    begins = f"; the next window begins at {next_at}" if next_at else ""
    return f"{allows}. {_wait(waiting)}{begins}"


@example("500 mails an hour of acme/newsletter", 720, 220)
@example("500 mails an hour of acme/newsletter", 720, None)
def not_enforced(allows: str, used: int, would: int | None) -> str:
    """A limit that holds nothing: in mode `observe` it only counts, in `shadow` it says what it would have held."""
    so_far = f"{allows}: {used:,} used in this window"
    if would is None:
        return f"{so_far}. It only counts (mode observe)"
    return f"{so_far}. It holds nothing (mode shadow); so far it would have held {would:,} mail{'' if would == 1 else 's'}"


@example(17)
def no_limit(id: int) -> str:
    """There is no such limit, or it is another tenant's."""
    return f"There is no limit {id}"


@example()
def type_needs_tenant() -> str:
    """Limits of a lane are asked for without its tenant."""
    return "A type names a lane only together with its tenant"


@example()
def none_set() -> str:
    """The list of limits is empty."""
    return "No limit is set"


@example()
def none_used_up() -> str:
    """The list of limits that are used up is empty."""
    return "No limit is used up"


@example("acme", "password-reset", "a new lane sends 500 mails on its first day", 900_000)
def status_urgent(tenant: str, type: str, because: str, expiry_ms: int) -> str:
    """Urgent mail is over a limit: people wait for it, and it expires."""
    return (
        f"{tenant}/{type}: urgent mail waits for a limit ({because}), and expires {times.span(expiry_ms / 1000)} after it was "
        "accepted"
    )


@example("acme", "password-reset")
def status_urgent_next(tenant: str, type: str) -> str:
    """What to do about urgent mail that is over a limit."""
    return (
        f"See `mailcordon limit list --tenant {tenant} --type {type}`. If so much mail is right, raise the limit in the policy: "
        "`new_sender.first` of a new lane, else the cap; then `mailcordon policy set`"
    )


def _wait(n: int) -> str:
    if n == 0:
        return "Nothing waits"
    if n == 1:
        return "1 mail waits"
    return f"{n:,} mails wait" if n < _MOST else f"{n:,} mails or more wait"
