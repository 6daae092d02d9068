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


@example("mck_4k2p9x7m_…", "acme", "send and read")
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
    return f"No access key of the SES door was made. {problem} It can be tried again from the list of keys."


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


@example()
def new_webhook() -> str:
    """The form of a new webhook."""
    return "It gets what happens from now on, signed. The signing secret is shown once, on the page that follows."


@example("acme-app", 0)
@example("acme-app", 412)
def changes_webhook(name: str, waiting: int) -> str:
    """The form that changes a webhook."""
    waits = f" What waits for it ({waiting:,} events) goes there too." if waiting else ""
    return (
        f"Requests to {name} that are under way still reach its former URL, for up to a minute; everything after goes to the new"
        f" one.{waits} Beside another signing secret, the former one signs for a day too."
    )


@example()
def no_event() -> str:
    """A webhook is to be changed so that it gets nothing."""
    return "Choose at least one; to send nothing for a while, pause it."


@example("acme-app")
def webhook_made(name: str) -> str:
    """The page that shows a new webhook's signing secret."""
    return f"The webhook {name} gets events from now on. Its receiver checks each message with this secret (Standard Webhooks)."


@example("acme-app")
def rotates_webhook(name: str) -> str:
    """The form that gives a webhook another signing secret."""
    return (
        f"{name} gets another signing secret, which is shown once. Both sign for the time below: give the receiver the new one"
        " before that is over."
    )


@example("acme-app", 24)
def webhook_rotated(name: str, hours: float) -> str:
    """The page that shows a webhook's other signing secret."""
    return f"The webhook {name} is signed with both secrets for {hours:g} hours, and then with this one only."


@example("acme-app")
def replays(name: str) -> str:
    """The form that sends events to a webhook again."""
    return (
        f"{name} gets events again, with the ids that they had: those of one mail, or those of a time within the last 7 days."
        " What arrived already is left out, unless you ask for it. Other webhooks get nothing."
    )


@example()
def mail_or_time() -> str:
    """The form that sends events to a webhook again, beside the hours."""
    return "Give either the id of a mail, or a number of hours."


@example(200_000)
def replay_goes_on(messages: int) -> str:
    """The form that sends events to a webhook again: there are more than one page sends."""
    return (
        f"{messages:,} messages are sent again, and there are more: ask for fewer hours at a time, or let `mailcordon webhook"
        " replay` go on until the end."
    )


@example("night", "hooks.example.com")
def changes_channel(name: str, target: str) -> str:
    """The form that changes an alert channel."""
    return (
        f"{name} leads to {target}. If you name another receiver, that one is told of every open incident, and the former one"
        " hears nothing more, not even that they are closed."
    )


@example("slack")
@example("pagerduty")
@example("email")
@example("webhook")
def new_channel(form: str) -> str:
    """The form of a new alert channel."""
    how = {
        "slack": "Alerts are posted to an incoming webhook of Slack. Its URL is stored encrypted.",
        "pagerduty": "Alerts become events of PagerDuty. The integration key is stored encrypted.",
        "email": "Alerts are mail over a lane of ours, so they stop with it: have another channel beside it.",
    }.get(
        form, "Alerts are posted as JSON, signed. The signing secret is shown once, on the page that follows."
    )
    return f"{how} It is told of every open incident that is for it, and of each new one."


@example("night")
def channel_made(name: str) -> str:
    """The page that shows a new alert channel's signing secret."""
    return f"The channel {name} gets alerts from now on. Its receiver checks each of them with this secret (Standard Webhooks)."


@example("acme", "email")
@example("acme", "webhook")
def new_contact(tenant: str, form: str) -> str:
    """The form that sets whom a tenant's holds are told."""
    how = (
        "The mail leaves over the lane of an alert channel."
        if form == "email"
        else "The signing secret is shown once, on the page that follows."
    )
    return (
        f"It is told within a minute what is held of {tenant}'s mail, why, and how it is sent again; and once that is over."
        f" {how} It takes the place of the {'address' if form == 'email' else 'URL'} that {tenant} has now, if there is one."
    )


@example("acme")
def contact_made(tenant: str) -> str:
    """The page that shows the signing secret of a tenant's contact."""
    return f"Holds on mail of {tenant} are posted there from now on. The receiver checks each message with this secret."


@example("acme", "email")
def removes_contact(tenant: str, form: str) -> str:
    """The preview of removing a tenant's contact."""
    return f"{tenant} is not told by {form} of what is held any more. Its other contacts stay."


@example("acme", "email")
def tests_contact(tenant: str, form: str) -> str:
    """The preview of testing a tenant's contact."""
    return f"The contact of {tenant} by {form} gets one message that says that it is a test. No mail is held."


@example("acme")
def new_view_link(tenant: str) -> str:
    """The form of a new view link."""
    return (
        f"Whoever has the link sees what concerns {tenant}, and nothing else, until it ends; they can change nothing. It is shown"
        " once, on the page that follows."
    )


@example("Kim Lee, Acme", "acme", "7 Dec 2026 16:00:00 UTC")
def view_link_made(name: str, tenant: str, ends: str) -> str:
    """The page that shows a new view link."""
    return f"With this link {name} sees the mail of {tenant} until {ends}. Send it to nobody else."


@example("Kim Lee, Acme", "acme")
def revokes_view_link(name: str, tenant: str) -> str:
    """The preview of revoking a view link."""
    return f"The link of {name} shows nothing of {tenant} any more, at once and for good. Other links stay."


@example()
def new_sign_in_link() -> str:
    """The form of a new link to sign in."""
    return (
        "The link signs one person in, once, within 10 minutes. It is shown once, on the page that follows."
    )


@example("kim@example.com", "operator")
def sign_in_link_made(person: str, role: str) -> str:
    """The page that shows a new link to sign in."""
    return f"Whoever opens this link is signed in as {person}, {role}. Send it to nobody else."


@example("kim@example.com")
def revokes_sign_in_link(person: str) -> str:
    """The preview of revoking a link to sign in."""
    return f"The link for {person} signs nobody in any more. Who is signed in stays so."


@example()
def plans_policy() -> str:
    """The form that plans a policy."""
    return "The document is the whole policy. What it would change is shown next, as a plan: nothing is applied yet."


@example()
def policy_stays() -> str:
    """The form that plans a policy, with a document that changes nothing."""
    return "This document changes nothing: it says what is in force already. No plan was made."


@example(14, "tenants.acme.tier", "there is no tier gold")
def in_document(line: int, member: str, problem: str) -> str:
    """Beside the document of a policy."""
    return f"Line {line}, {member}: {problem}"


@example()
def new_type() -> str:
    """The form of a new message type."""
    return "A tenant can send it after it is onboarded for it. The class never changes, and the type is never removed."


@example("invoice")
def changes_type(name: str) -> str:
    """The form that changes a message type."""
    return f"What {name} says applies to every lane of it within seconds. Its class stays: for another one, add another type."


@example()
def starts_split() -> str:
    """The form that takes the account's suppression list apart."""
    return (
        "The account's suppression list is listed, and each entry is given to the tenant that it is about. It goes on by itself,"
        " at the pace of calls to SES. Started again, it compares all of it once more."
    )


@example()
def assigns_split() -> str:
    """The form that decides on entries of the account's suppression list."""
    return "You decide on entries that nothing says the owner of. All of them are decided, or none."


@example()
def which_owner() -> str:
    """The form that decides on entries of the account's suppression list, beside the tenant."""
    return "Name the tenant, or choose the platform or nobody and leave this empty."


@example()
def nobody_loses_protection() -> str:
    """The form that decides on entries of the account's suppression list, of what cannot be undone."""
    return "If it is nobody's, it leaves the account's list and covers no mail any more: the next mail to it is sent."


@example()
def finishes_split() -> str:
    """The form that ends the split of the account's suppression list."""
    return "It ends, once every entry is taken apart and SES's lists agree. What comes on the account's list later stays there."


@example("4k2p9x7m")
def new_access_key(prefix: str) -> str:
    """The form that makes an access key of the SES door."""
    return f"It may do what the API key {prefix} may. Its secret is shown once, on the page that follows, and stored encrypted."


@example()
def names_set() -> str:
    """The form that lets the name of a configuration set stand for a message type."""
    return "It applies within seconds to mail that names it. If the name stands for another type already, that changes."


@example()
def new_pool() -> str:
    """The form of a new IP pool."""
    return "It is made here and at SES. No mail leaves from it before a tenant is added. AWS bills addresses by the month."


@example("bulk")
def changes_pool(name: str) -> str:
    """The form that changes who owns an IP pool."""
    return f"No mail moves. Whoever owns {name} is named where something is wrong with it."


@example("there are 20,000 lanes, and one answer looks at 5,000 at most")
def no_suggestions(why: str) -> str:
    """The form of a policy, where the API suggests no caps for all tenants at once."""
    return (
        f"This is the document in force: caps were not suggested for all tenants at once ({why}). "
        "`mailcordon policy suggest TENANT` suggests those of one."
    )
