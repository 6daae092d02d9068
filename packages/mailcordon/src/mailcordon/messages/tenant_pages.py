"""What the dashboard says before a tenant is onboarded or changed, beside the API's own previews."""

from mailcordon.messages.catalogue import example


@example()
def erases_for_good() -> str:
    """The page that erases the personal data of a tenant."""
    return "This cannot be undone."


@example()
def onboards() -> str:
    """The form that onboards a tenant or adds lanes to one."""
    return "SES is set up for it in the background. Its mail is held until SES has verified the domain that it is sent from."


@example("receipt")
def no_lane(line: str) -> str:
    """Beside the lanes of a tenant: a line that is none."""
    return (
        f"“{line}” is no lane. A line has a message type and a domain, such as `receipt mail.acme.example`."
    )


@example("receipt")
def lane_twice(type: str) -> str:
    """Beside the lanes of a tenant."""
    return f"{type} is there twice. A lane has one domain."


@example("acme")
def tenant_made(slug: str) -> str:
    """The page after a tenant is onboarded."""
    return f"{slug} is onboarded. SES is being set up for it, which its page shows."


@example("acme")
def first_key(slug: str) -> str:
    """The page after a tenant is onboarded, with its first key."""
    return f"With this key programs send mail of {slug} and read what becomes of it. They send it as `Authorization: Bearer KEY`."


@example("acme")
def publish_records(slug: str) -> str:
    """The page after a tenant is onboarded."""
    return f"Next, the records of its domains have to be published: the pages of {slug}'s domains have them."


@example("acme", "standard")
def has_tier(slug: str, tier: str) -> str:
    """The form of a tenant's tier."""
    return f"{slug} has the tier {tier}."


@example("trusted", "it has sent for 90 days without an incident")
def suggests_tier(tier: str, because: str) -> str:
    """The form of a tenant's tier."""
    return f"What is known of it suggests {tier}: {because}."


@example()
def plans_tier() -> str:
    """The form of a tenant's tier."""
    return "What another tier would change is shown next, as a plan of the policy: nothing is applied yet."


@example()
def tells_facts() -> str:
    """The form of what is known of a tenant."""
    return "Facts suggest a tier and change none. What is left empty is not known."


@example()
def sets_unsubscribe_host() -> str:
    """The form of the host name of a tenant's links to unsubscribe."""
    return (
        "New mail has links with this name, so its HTTPS has to lead to the API before. Links in mail that was sent keep working"
        " as long as their name does."
    )


@example()
def host_or_shared() -> str:
    """Beside the host name of a tenant's links to unsubscribe."""
    return "Leave it empty for the installation's name, or choose a name of its own."


@example()
def host_missing() -> str:
    """Beside the host name of a tenant's links to unsubscribe."""
    return "Give the host name, or choose the installation's."


@example("acme")
def claims_domain(slug: str) -> str:
    """The form that claims a domain."""
    return (
        f"If no tenant has it, {slug} has it at once. If another one has it and has not proved it, a TXT record decides, which"
        " the list of claims then shows. Claimed again, the record is looked for at once."
    )


@example("acme")
def transfers_domain(slug: str) -> str:
    """The form that moves a domain to another tenant, before one is named."""
    return f"It is the other tenant's then, and not {slug}'s any more. Its DNS records stay as they are."


@example()
def changes_dkim() -> str:
    """The form that changes the key that signs a domain's mail."""
    return (
        "SES gets a new key once the domain's name servers show its record. Until then the present one signs."
    )


@example()
def claims_are() -> str:
    """Above the claims of a tenant to domains that are not settled."""
    return "SES proves a claim once the domain's records are published. Where two tenants contend, the TXT record below decides."


@example()
def dkim_keys_are() -> str:
    """Above the DKIM keys of a domain that are not SES's own."""
    return "Keys of ours that sign its mail, or will once their record is published."
