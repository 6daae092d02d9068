"""Mailbox providers: what is known of a recipient's domain, and where that comes from."""

from mailcordon.messages import example


@example("acme.example", "gmail")
def hold_may_cover(domain: str, provider: str) -> str:
    """A mail waits a few seconds since a hold on a mailbox provider may be about it: its domain is being looked up."""
    return f"A hold on {provider} may be about this mail: the mailbox provider of {domain} is being looked up"


@example("gmail.com", "gmail")
def offered(domain: str, provider: str) -> str:
    """A domain that a mailbox provider offers to the public."""
    return f"{domain} is one of the domains that {provider} offers to the public"


@example("acme.example", "gmail", ["aspmx.l.google.com"])
@example("acme.example", "proofpoint", ["mx1-eu1.ppe-hosted.com"], behind="microsoft", gateway=True)
@example("acme.example", "other", ["mail.acme.example"])
@example("acme.example", "other", ["mail.acme.example"], behind="microsoft")
def received_by(
    domain: str, provider: str, hosts: list[str], *, behind: str | None = None, gateway: bool = False
) -> str:
    """Whose servers receive a domain's mail, by its MX records."""
    where = hosts[0] if hosts else domain
    if provider == "other":
        said = f"Mail to {domain} is received by {where}, which belongs to no provider that is told apart"
    elif gateway:
        said = f"Mail to {domain} is received by the gateway of {provider} ({where})"
    else:
        said = f"Mail to {domain} is received by {provider} ({where})"
    return said if behind is None else f"{said}; its mailboxes are at {behind}"


@example("acme.example")
def received_by_address(domain: str) -> str:
    """A domain without MX records whose address receives its mail."""
    return f"{domain} has no MX record; the server at its address receives its mail"


@example("acme.example")
def takes_no_mail(domain: str) -> str:
    """A domain with a null MX."""
    return f"{domain} takes no mail: it publishes a null MX record (RFC 7505)"


@example("acme.example")
def no_such_domain(domain: str) -> str:
    """The DNS has no such name."""
    return f"The domain {domain} does not exist"


@example("acme.example")
def nothing_published(domain: str) -> str:
    """A domain with neither MX records nor an address."""
    return f"{domain} publishes neither an MX record nor an address, so no mail can reach it"


@example("acme.example")
def is_being_looked_up(domain: str) -> str:
    """A domain that waits for its first look-up."""
    return f"The mailbox provider of {domain} is unknown; it is being looked up"


@example("acme.example", "SERVFAIL")
def look_up_failed(domain: str, detail: str) -> str:
    """No look-up of a domain was answered yet."""
    return f"The mailbox provider of {domain} is unknown: looking it up failed ({detail})"


@example("no answer in 5 s", 3)
def failing_since(detail: str, failures: int) -> str:
    """Looking a known domain up again fails; what was known before is kept."""
    times = "once" if failures == 1 else f"{failures} times"
    return f"Looking it up again failed {times} ({detail}); the last answer is kept"


@example()
def domain_invalid() -> str:
    """A domain that is no domain is asked for."""
    return "must be a domain, such as acme.example"


@example(1, "10:12Z on 24 Nov 2026")
@example(1234, "10:12Z on 24 Nov 2026")
def not_looked_up(waiting: int, since: str) -> str:
    """`status`: recipients' domains wait for their look-up for long."""
    what = "1 domain of recipients waits" if waiting == 1 else f"{waiting:,} domains of recipients wait"
    return f"{what} to be looked up, since {since}"


@example()
def not_looked_up_next() -> str:
    """`status`: what to do about recipients' domains that wait."""
    return (
        "See that a control process runs, and its log. Mail leaves all the same; its mailbox provider is unknown, so that"
        " counts by provider miss it"
    )


@example(40, 45, "no answer in 5 s")
def look_ups_fail(failed: int, of: int, detail: str) -> str:
    """`status`: most look-ups of recipients' domains fail."""
    return f"{failed:,} of the last {of:,} look-ups of recipients' domains failed ({detail})"


@example()
def look_ups_fail_next() -> str:
    """`status`: what to do when look-ups of recipients' domains fail."""
    return (
        "See that the hosts of the role control reach a resolver on port 53, or set MAILCORDON_DNS_SERVERS. Mail leaves all"
        " the same; what was known of domains is kept"
    )
