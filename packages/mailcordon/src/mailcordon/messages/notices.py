"""What tenants are told of their own mail that is held, and the contacts that are told (docs/alerts.md)."""

from mailcordon.messages import times
from mailcordon.messages.catalogue import example

_SINCE = 1_795_879_380_000


@example("acme", ended=False)
@example("acme", ended=True)
def notice_title(slug: str, *, ended: bool) -> str:
    """The subject of what a tenant is told of its own mail."""
    return f"Mail of {slug} {'is released' if ended else 'is held'}"


@example("newsletter mail of acme", "bounces", _SINCE, None, "Ask for hold 12 to be lifted")
@example("invoice mail of acme", "bounces", _SINCE, _SINCE + 3_600_000, "It ends by itself")
def notice_held(mail: str, why: str, since: int, until: int | None, resume: str) -> str:
    """A tenant is told that mail of its own is held, why, and how it is sent again."""
    ends = "" if until is None else f" until {times.minute(until)}"
    return (
        f"Held: {mail}, since {times.minute(since)}{ends}. It is kept, and sent when the hold is over.\n"
        f"Why: {why}\nTo resume: {resume}"
    )


@example("newsletter mail of acme", "bounces")
def notice_ended(mail: str, why: str) -> str:
    """A tenant is told that what held its mail is over."""
    return f"Released: {mail}. It was held for: {why}"


@example("acme", ended=False)
@example("acme", ended=True)
def webhook_title(slug: str, *, ended: bool) -> str:
    """The subject of what a tenant is told of its own webhooks."""
    return f"A webhook of {slug} {'is resumed' if ended else 'is paused'}"


@example("acme-app", "hooks.acme.example")
def webhook_events(name: str, target: str) -> str:
    """Names a webhook of a tenant in a notice."""
    return f"webhook {name} ({target})"


@example("webhook acme-app (hooks.acme.example)", "nothing arrived for a day", _SINCE, "repair it")
def webhook_paused(webhook: str, why: str, since: int, resume: str) -> str:
    """A tenant is told that nothing is sent to its webhook any more, why, and how it goes on."""
    return (
        f"Paused: {webhook}, since {times.minute(since)}. What happens meanwhile is kept for 7 days.\n"
        f"Why: {why}\nTo resume: {resume}"
    )


@example("webhook acme-app (hooks.acme.example)")
def webhook_resumed(webhook: str) -> str:
    """A tenant is told that its webhook gets events again."""
    return f"Resumed: {webhook}. What waited for it is sent"


@example("acme-app")
def resume_webhook(name: str) -> str:
    """How a tenant's webhook goes on that was paused."""
    return f"repair its receiver, and ask the people who run this platform to resume {name}"


@example("mail.acme.example")
def resume_domain(domain: str) -> str:
    """How a tenant resumes mail that is held for its domain."""
    return (
        f"publish the DNS records of {domain} (GET /v1/identities/{domain}/records); the mail is sent by itself once they"
        " are found"
    )


@example(12)
def resume_person(hold: int) -> str:
    """How a tenant resumes mail that a person held."""
    return f"clear up the reason with the people who run this platform, and ask them to lift hold {hold}"


@example(12)
def resume_policy(hold: int) -> str:
    """How a tenant resumes mail that a rule held."""
    return f"remove the reason; the hold is lifted by itself then. Questions: name hold {hold}"


@example()
def resume_until() -> str:
    """How a tenant resumes mail whose hold has an end."""
    return "nothing is needed: it ends by itself at that time"


@example("SES accepts a test mail")
def resume_stop(ends: str) -> str:
    """How a tenant resumes mail that Amazon SES refuses."""
    return f"it ends by itself when {ends}"


@example("acme", "mail.acme.example")
def mail_from_domain(slug: str, domain: str) -> str:
    """Names the mail that a stop of a domain covers, for the tenant."""
    return f"all mail of {slug} from {domain}"


@example()
def another_tenant() -> str:
    """Stands for the name of another tenant in a reason that a tenant is told."""
    return "another tenant"


@example()
def left_out() -> str:
    """Stands for a secret in a reason that a tenant is told."""
    return "(left out)"


@example()
def mail_waits() -> str:
    """Why a notice by e-mail did not arrive, for the tenant's own key."""
    return "the mail could not be sent; it is tried again, or another contact is needed: ask the people who run this platform"


@example("acme", "email")
def no_contact(slug: str, form: str) -> str:
    """A tenant's contact is named that does not exist."""
    return f"{slug} has no {form} contact"


@example("acme", "email", "ops@acme.example", ["holds"], None)
@example("acme", "webhook", "hooks.acme.example", ["holds"], "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
def contact_set(slug: str, form: str, target: str, tell: list[str], secret: str | None) -> str:
    """After a tenant's contact was set."""
    said = f"{slug} is told by {form} ({target}): {', '.join(tell) if tell else 'nothing'}"
    return said if secret is None else f"{said}. The signing secret, shown once:\n\n  {secret}"


@example()
def address_needed() -> str:
    """`tenant contact` with what a contact is told, and without the contact."""
    return "--tell and --channel are set together with --email or --webhook"


@example("acme", "email")
def contact_removed(slug: str, form: str) -> str:
    """After a tenant's contact was removed."""
    return f"{slug} has no {form} contact any more"


@example("acme")
def contacts_none(slug: str) -> str:
    """A tenant has no contact."""
    return f"{slug} has no contact: it is told nothing. Set one with `mailcordon tenant contact {slug} --email ADDRESS`."


@example("hold", "12", ended=False)
@example("hold", "12", ended=True)
def notice_item(kind: str, number: str, ended: bool) -> str:
    """`tenant notices`: what a notice was about."""
    return f"{kind} {number} {'over' if ended else 'began'}"
