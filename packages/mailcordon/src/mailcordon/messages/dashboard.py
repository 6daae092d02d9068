"""What the dashboard's own pages say. What the API answers has its sentences elsewhere."""

from mailcordon.messages.catalogue import example

_DONE = {
    "held": "The mail is held.",
    "lifted": "The hold is lifted.",
    "throttled": "The rate is set.",
    "noted": "The note is written.",
    "acknowledged": "The incident is acknowledged.",
    "closed": "The incident is closed.",
    "accepted": "It is accepted as normal.",
    "tried": "The breaker tries it from the next minute on.",
    "opened": "The release goes on.",
    "cancelled": "The mail is cancelled.",
    "applied": "The plan is applied.",
    "rejected": "The plan is rejected.",
    "started": "It has started.",
    "checked": "It was checked.",
    "saved": "The change is saved.",
    "made": "It is made.",
    "planned": "The plan is made. Nothing changes before it is applied.",
    "replayed": "The events are sent again.",
    "removed": "It is removed.",
    "tested": "The test arrived.",
    "asked": "SES is asked. Reload the page in a few seconds.",
    "signed-out": "You are signed out.",
}


_LINKS_UNUSABLE = ("view-link-unusable", "link-unusable")


@example()
def live_stands_still() -> str:
    """The live page cannot read what it shows."""
    return "The figures below stand still: they cannot be read at present. They go on by themselves."


@example(200)
def too_many_viewers(most: int) -> str:
    """One more person opens the live page than a process serves."""
    return f"{most} people watch this page live already. It can be read as it is; reload it for new figures."


@example()
def no_such_page() -> str:
    """A URL that names no page, or names something that does not exist for this person."""
    return "There is no such page, or nothing of that name that you may see."


@example()
def unexpected() -> str:
    """A fault of ours. The dashboard's log has it."""
    return "Something went wrong here. The log of the role dashboard says what; trying again may help."


@example()
def sign_in_first() -> str:
    """The session has ended, or there was none."""
    return "Nobody is signed in here. Sign in and try again."


@example()
def other_site() -> str:
    """Another site made the browser send a form to us."""
    return "This form was sent by another site, so nothing was done. Open the page here and try again."


@example()
def stale_form() -> str:
    """The form's token is not this session's."""
    return "This form belongs to another session, so nothing was done. Reload the page and try again."


@example(404)
@example(503)
@example(401, "view-link-unusable")
def problem_title(status: int, code: str = "") -> str:
    """The heading of a page that says what was refused."""
    if code in _LINKS_UNUSABLE:
        return "This link does not work"
    return {
        401: "Sign in first",
        403: "Not allowed",
        404: "Not found",
        409: "That contradicts what is there",
        422: "That cannot be done",
        429: "Too many requests",
        500: "Something went wrong",
        503: "Not available now",
    }.get(status, "That was refused")


@example("operator")
def role_needed(role: str) -> str:
    """The page of an action that this person's role does not include."""
    return f"This needs the role {role}. Ask an admin of this installation, or somebody who has that role."


@example("invoice", "acme")
def cancel_title(type: str, tenant: str) -> str:
    """The heading of the page that cancels one message."""
    return f"Cancel {type} of {tenant}"


@example("kim@example.com")
def suppress_title(address: str) -> str:
    """The heading of the page that suppresses an address."""
    return f"Suppress {address}" if address else "Suppress an address"


@example("acme", "kim@example.com", "marketing mail")
def will_suppress(tenant: str, address: str, covered: str) -> str:
    """The preview of suppressing an address."""
    return f"{tenant} will not send {covered} to {address}. Other tenants are left alone."


@example("kim@example.com")
def allow_title(address: str) -> str:
    """The heading of the page that ends a suppression."""
    return f"Allow mail to {address} again"


@example("acme", "kim@example.com", "all mail")
def will_allow(tenant: str, address: str, covered: str) -> str:
    """The preview of ending a suppression."""
    return (
        f"The suppression that keeps {tenant} from sending {covered} to {address} ends, here and on SES's list of the tenant. "
        "Wider suppressions stay."
    )


@example("days")
def not_a_number(field: str) -> str:
    """A field of an action's form is no whole number."""
    return f"{field}: must be a whole number of at most six digits."


@example()
def file_is_no_text() -> str:
    """A file that was chosen in a form cannot be read."""
    return "The file is not UTF-8 text, so nothing was done. Choose a YAML or JSON file."


@example("held")
def done(code: str) -> str:
    """After an action: what was done. Nothing for an unknown code: a URL cannot make a page say other things."""
    return _DONE.get(code, "")


@example("http://127.0.0.1:8020")
def listening(url: str) -> str:
    """The log of the role dashboard names its address."""
    return f"dashboard on {url}"


@example()
def switched_off() -> str:
    """`mailcordon run dashboard` while MAILCORDON_DASHBOARD says off: it does not start."""
    return "MAILCORDON_DASHBOARD is off, so there is nothing for this role to do."


@example("password-reset of acme; every other tenant.")
def not_touched(mail: str) -> str:
    """The page of an action: what it leaves as it is, as the API's preview says it."""
    return f"Not touched: {mail[:1].lower() + mail[1:] if mail.startswith('Every ') else mail}"
