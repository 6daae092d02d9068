"""What is said of mail that did not pass through Mailcordon, and of an installation that only observes."""

from mailcordon.messages import example


@example()
def not_mapped() -> str:
    """The result of an event that no rule maps to a tenant, while the installation observes only."""
    return "No rule says whose mail this is: it is counted as unmapped."


@example(recipients=2)
def no_delivery(*, recipients: int) -> str:
    """Why an event of a tenant's observed mail is in quarantine: it is about no recipient of its mail, or its mail is of the
    future."""
    return f"The event is about none of its mail's {recipients} recipients, or names a time that is still to come."
