"""What the dashboard's pages about tenants and lanes say beside what the API answers."""

from mailcordon.messages.catalogue import example


@example("acme/newsletter")
def not_a_rate(lane: str) -> str:
    """The form that sets a lane's rate got 0, or nothing that is a number."""
    return f"Give {lane} a number of mails a second above 0. To stop a lane, hold it."


@example("acme/newsletter", 50.0)
@example("acme/newsletter", None)
def has_rate(lane: str, rate: float | None) -> str:
    """The page that sets a lane's rate: what it is now."""
    return (
        f"{lane} has no rate of its own now."
        if rate is None
        else f"{lane} sends at most {rate:g} mails a second now."
    )


@example("kim")
def nothing_is_called(text: str) -> str:
    """The search of the bar found nothing."""
    return f"Nothing is called {text}."


@example()
def what_can_be_found() -> str:
    """The search of the bar found nothing: what it looks for."""
    return (
        "It finds tenants by the beginning of their name, mail by its recipient's address, its id (msg_, dlv_), its Message-ID "
        "or SES's id, domains, and incidents by their number."
    )


@example("acme/newsletter", 500.0)
@example("acme/newsletter", None)
def sets_rate(lane: str, rate: float | None) -> str:
    """The page that sets a lane's rate, before it is set."""
    if rate is None:
        return f"{lane} will have no rate of its own. What holds and limits slow stays slow."
    return f"{lane} will send at most {rate:g} mails a second, from all processes together. The rest waits; nothing is lost."


@example("acme/newsletter", 360, 120)
def opens_release(lane: str, accepted: int, out: int) -> str:
    """The page that lets all of a release leave, before it is done."""
    return (
        f"{accepted:,} mails of {lane} were accepted for it and {out:,} have left. The rest leaves without steps, as limits and "
        "holds let it."
    )


@example("acme/newsletter", True)
@example("acme/newsletter", False)
def sets_breaker(lane: str, armed: bool) -> str:
    """The page that arms or disarms the breaker, before it is done."""
    if armed:
        return f"The breaker may hold {lane} by itself, also for what is unusual for the lane, as far as its checks allow it."
    return f"The breaker holds {lane} for nothing that is unusual for the lane; it only says what it would have held."


@example("acme")
def asks_proof(of: str) -> str:
    """The page that starts a proof, before it starts."""
    return (
        f"Mails to SES's mailbox simulator leave over each chosen route of {of}: one is delivered, one bounces, one is "
        "complained about. The events that come back show whose mail it was. They count in the day's quota, not in the "
        "tenant's rates."
    )


@example("news.acme.example")
def checks_domain(domain: str) -> str:
    """The page that checks a domain, before it is checked."""
    return (
        f"SES is asked about {domain}, and its DNS is read from the zone's own name servers. No mail is sent."
    )


@example("acme/newsletter", 3)
def already_runs(of: str, proof: int) -> str:
    """The page that starts a proof: one runs."""
    return f"A proof of {of} runs already (proof {proof}); no second one starts."
