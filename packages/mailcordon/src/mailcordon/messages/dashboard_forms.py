"""What the dashboard's forms say: before something is made or changed, beside a field, and with what is shown once."""

from mailcordon.messages.catalogue import example


@example()
def not_a_number() -> str:
    """Beside a field."""
    return "Must be a number, such as 20 or 0.5."


@example()
def not_whole() -> str:
    """Beside a field."""
    return "Must be a whole number of at most six digits."


@example()
def nothing_changed() -> str:
    """Above a form that was sent as it was."""
    return "Nothing was changed, as every field says what is so already."


@example()
def whose_key() -> str:
    """The form of a new key, beside its tenant: neither a tenant nor the platform, or both."""
    return "Name the tenant that the key is for, or choose the platform and leave this empty."


@example()
def new_key() -> str:
    """The form of a new key."""
    return (
        "The key works within seconds. It is shown once, on the page that follows: only its hash is stored."
    )


@example()
def platform_key() -> str:
    """The form of a new key for the platform."""
    return "A key of the platform works for every tenant. Give a program that sends for one tenant a key of that tenant."


@example("mck_4k2p9x7m_…", "acme", "send, read")
def key_made(key: str, tenant: str | None, scopes: str) -> str:
    """The page that shows a new key."""
    return f"The key {key} of {tenant or 'the platform'} may {scopes}. Programs send it as `Authorization: Bearer KEY`."


@example()
def access_key_is() -> str:
    """The page that shows an access key of the SES door."""
    return "The access key may do what the API key may, and ends with it. AWS's SDKs take it with the URL of the SES door."


@example("There is a limit of 2.")
def no_access_key(problem: str) -> str:
    """The page that shows a new key, of which no access key could be made."""
    return f"No access key of the SES door was made. {problem} `mailcordon ses-door key` tries again."


@example("4k2p9x7m")
def how_to_end_key(prefix: str) -> str:
    """The page that shows a new key."""
    return f"Whoever loses it gets another one. In the list of keys, or with `mailcordon key revoke {prefix}`, it ends at once."


@example("4k2p9x7m")
def changes_key(prefix: str) -> str:
    """The form that changes a key."""
    return f"What {prefix} may do changes at once, in every process. The key itself stays."


@example("4k2p9x7m")
def rotates_key(prefix: str) -> str:
    """The form that replaces a key."""
    return (
        f"A successor of {prefix} is made, with the same name, holder, scopes, types and limits. It is shown once. "
        "Both work until the time below is over; then the old one ends."
    )


@example("mck_9m3k7q2d_…", "4k2p9x7m", "2 Dec 2026 16:00:00 UTC")
def key_rotated(new: str, old: str, ends: str) -> str:
    """The page that shows the successor of a key."""
    return f"The key {new} replaces {old}, which works until {ends}."
