"""What the dashboard's pages about tenants and lanes say beside what the API answers."""

from mailcordon.messages import times
from mailcordon.messages.catalogue import example


@example("acme/newsletter")
def not_a_rate(lane: str) -> str:
    """The form that sets a lane's rate got 0, or nothing that is a number."""
    return f"Give {lane} a number of mails a second above 0. To stop a lane, hold it."


def _per_second(rate: float | None) -> str:
    return "no limit" if rate is None else f"{rate:g} a second"


@example(lane="acme/newsletter", state="throttled", rate=0.25, own=None)
def has_rate(*, lane: str, state: str, rate: float | None, own: float | None) -> str:
    """The page that sets a lane's rate: how it is now."""
    return f"{lane} is {state}. In force: {_per_second(rate)}; set by people: {_per_second(own)}."


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


@example(lane="acme/newsletter", rate=5, waiting=1_200)
@example(lane="acme/newsletter", rate=5, waiting=0)
@example(lane="acme/newsletter", rate=None, waiting=0)
def sets_rate(*, lane: str, rate: float | None, waiting: int) -> str:
    """The page that sets a lane's rate, before it is set."""
    if rate is None:
        return f"{lane} will have no rate of its own. What holds and limits slow stays slow."
    said = f"{lane} will send at most {_per_second(rate)}, from all processes together. Holds and the policy may slow it further."
    if not waiting:
        return f"{said} No mail of it waits now."
    needs = times.span(waiting / rate)
    return (
        f"{said} {waiting:,} mails wait now, and need {needs} at this rate; what expires before is dropped."
    )


@example()
def no_other_lane() -> str:
    """The page that sets a lane's rate: whom it leaves alone."""
    return "No other lane is touched."


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


@example("acme", "kim@example.com")
def reads_ses_lists(tenant: str, address: str) -> str:
    """The page that reads again what SES's lists have of an address."""
    return (
        f"SES is asked what its lists of {tenant} and of the account have of {address}. Nothing else changes."
    )
