"""What is said about suppressions: why one stands, what SES's lists say, and what to do."""

from mailcordon.messages.catalogue import example


@example("KIM@example.com", "mc-s7wbigebcqsw")
def still_listed(spelling: str, list: str) -> str:
    """A suppression is being removed, and SES still lists the address after it was told to delete it."""
    return f"SES still has {spelling} on the list of {list}"


@example("kim@example.com")
def listed_by_account(spelling: str) -> str:
    """A suppression is being removed, and SES's list of the account has the address and is checked for this tenant."""
    return (
        f"SES's list of the account has {spelling} and is checked for this tenant. It is shared with others, so Mailcordon does "
        f"not change it: `aws sesv2 delete-suppressed-destination --email-address {spelling}` does"
    )


@example("mc-s7wbigebcqsw")
def list_too_long(list: str) -> str:
    """A suppression is being removed, and SES's list has more entries than are read."""
    return f"SES's list of {list} has more than a million entries and cannot be read to its end"
