"""What a lane shares, dimension by dimension: with whom, what often goes wrong there, and what would end it."""

from collections.abc import Sequence

from mailcordon.messages import phrases
from mailcordon.messages.catalogue import example


@example("domain")
@example("account")
def dimension(name: str) -> str:
    """The parts of a lane's way that can be shared, as `mailcordon isolation` names them."""
    return {
        "domain": "From domain",
        "organisation": "organisational domain",
        "ses-tenant": "SES tenant",
        "set": "configuration set",
        "topic": "topic and queue of its events",
        "pool": "IP addresses",
        "account": "AWS account",
        "keys": "API keys",
        "links": "links to unsubscribe",
    }[name]


@example([], 0, [])
@example(["invoice"], 0, [])
@example([], 3, ["umbra", "zen"])
@example(["invoice"], 1, [])
def shared_with(types: Sequence[str], tenants: int, named: Sequence[str]) -> str:
    """With whom a part is shared. Other tenants are named to the platform only; a tenant's key gets their number."""
    said: list[str] = []
    if types:
        said.append(phrases.listed(list(types)))
    if tenants:
        more = tenants - len(named)
        others = [
            *named,
            *([phrases.count(more, "more tenant" if named else "other tenant")] if more else []),
        ]
        said.append(phrases.listed(others))
    return ", and ".join(said) or "nobody"


@example("platform.example")
def shared_parent(parent: str) -> str:
    """The domain is, or is below, one that the platform shares among tenants."""
    return f"{parent}: shared, not isolated. Every tenant below it has its reputation and its DMARC policy in common"


@example([], "marketing")
@example(["announcement"], "marketing")
def class_set(types: Sequence[str], class_: str) -> str:
    """The configuration set is that of a class, and no other tenant uses it at present."""
    now = f"{phrases.listed(list(types))}, and no other tenant" if types else "nobody"
    return f"{now} now; it is for the {class_} lanes of every tenant"


@example()
def everybody_in_region() -> str:
    """SES's shared IP addresses."""
    return "every sender of SES in the region"


@example(3, 2)
@example(0, 1)
@example(1, 0)
def keys(platform: int, own: int) -> str:
    """The API keys that can send for a lane and for others too."""
    said = [
        phrases.count(number, noun)
        for number, noun in ((platform, "platform key"), (own, "key of the tenant"))
        if number
    ]
    return (
        f"{' and '.join(said)} can send for it and for other lanes"
        if said
        else "no key that is for other lanes too"
    )


@example(own=True, shared=True)
@example(own=False, shared=True)
@example(own=False, shared=False)
def links(*, own: bool, shared: bool) -> str:
    """The host name of the links to unsubscribe in a marketing lane's mail."""
    if own:
        return "nobody"
    return (
        "every tenant without a host name of its own"
        if shared
        else "not set: marketing mail must bring its own"
    )


# What often goes wrong, and what ends it -----------------------------------------------------------------------------------


@example("domain")
@example("organisation")
@example("ses-tenant")
@example("set")
@example("topic")
@example("pool")
@example("account")
@example("keys")
@example("links")
def mistake(name: str) -> str:
    """The common mistake in a dimension, shown where it is shared."""
    return {
        "domain": "An identity shared for convenience: complaints about a newsletter then cost receipts and password resets"
        " their place in the inbox, since mailbox providers judge the domain.",
        "organisation": "A sub-domain taken for a separate reputation: some mailbox providers judge all names below one"
        " registered domain together, and DMARC reports and policy come from there.",
        "ses-tenant": "One SES tenant for everything: when SES pauses it for its marketing, password resets stop as well.",
        "set": "One set with settings for nobody in particular: its suppression, its retry time and a switched-off sending"
        " apply to every lane that uses it.",
        "topic": "One global stream that is filtered afterwards: whatever a filter misses counts for the wrong tenant. Here"
        " signed tags attribute each event, and `mailcordon prove` shows that they do.",
        "pool": "Dedicated addresses taken for better ones: below about 1,000 mails a day to each mailbox provider they have"
        " no reputation, and shared addresses deliver better.",
        "account": "One account taken for a limit of each tenant: AWS pauses an account, and its rate and daily quota are"
        " those of all tenants together.",
        "keys": "One key for every application: it cannot be revoked or limited for one of them alone.",
        "links": "One host name in everybody's mail: filters judge links as well as senders, and one tenant's bad mail can get"
        " it listed.",
    }[name]


@example("topic")
@example("account")
def ends(name: str) -> str:
    """What ends the sharing, if no command of Mailcordon does it. Empty for what a command ends."""
    return {
        "organisation": "only another registered domain",
        "topic": "only an installation of its own: Mailcordon reads one topic and queue",
        "account": "only an AWS account of its own (a cell)",
    }.get(name, "")


@example("acme", "newsletter")
def heading(tenant: str, type: str) -> str:
    """`isolation`: above the dimensions of one lane."""
    return f"{tenant} / {type}"


@example()
def attribution() -> str:
    """`isolation`: the line that says whether attribution is proved."""
    return "attribution"


@example()
def none_yet() -> str:
    """`isolation` of a tenant without lanes."""
    return "No lanes."


@example("identity", "mailcordon lane move acme newsletter --to NEW.DOMAIN --because TEXT", None)
@example(None, None, "only an AWS account of its own (a cell)")
@example("configuration set", "mailcordon tenant topology acme --dedicated --because TEXT", None)
def way_out(decision: str | None, command: str | None, ends: str | None) -> str:
    """`isolation`: which decision ends a sharing, and the command for it."""
    what = f"Decision: {decision}. " if decision else ""
    if command:
        return f"{what}To end it: {command}"
    return f"{what}Ends it: {ends}" if ends else what.rstrip()
