"""What is said while the account's suppression list is taken apart: where it stands, whose an entry is, and what is missing."""

import shlex

from mailcordon.messages import times
from mailcordon.messages.catalogue import example


@example("acme")
def never_split(tenant: str) -> str:
    """A tenant moves, and the account's list was never taken apart."""
    return (
        f"The account's suppression list was never taken apart, so what SES lists because of {tenant}'s mail does not protect it "
        "on a path of its own: `mailcordon suppression split start --owner NAME --because TEXT`"
    )


@example("acme", 12)
@example("acme", 0)
def not_split_yet(tenant: str, open: int) -> str:
    """A tenant moves, and the split is not done with it."""
    if not open:
        return (
            "The account's suppression list is being taken apart, and not compared with SES's lists yet: "
            "`mailcordon suppression split status`"
        )
    entries = "1 entry" if open == 1 else f"{open:,} entries"
    return (
        f"{entries} of the account's suppression list may be about mail of {tenant} and are not assigned yet: "
        "`mailcordon suppression split status`"
    )


@example("acme", 0)
@example("acme", 3)
def split_for(tenant: str, kept: int) -> str:
    """A tenant moves, and the split is done with it."""
    said = f"No entry of the account's suppression list waits to be assigned to {tenant}"
    if kept:
        return f"{said}; {kept:,} of its own stay on the account's list as well"
    return said


@example("acme")
def account_scope(tenant: str) -> str:
    """Feels migrated: SES still checks the account's list for a tenant with domains of its own."""
    return (
        f"{tenant} sends from its own domains, but SES still checks the account's suppression list for it, so other tenants' "
        f"bounces block its mail. `mailcordon drift list --tenant {tenant}` shows the difference and its repair"
    )


@example("acme", "12 entries are not assigned yet")
def feels_migrated(tenant: str, missing: str) -> str:
    """Feels migrated: the identities moved, the suppressions did not."""
    return f"{tenant} feels migrated and is not: it sends from its own domains, but its suppressions are still shared. {missing}"


@example("acme", everybody=True)
@example("acme", everybody=False)
def alerts_shared(tenant: str, *, everybody: bool) -> str:
    """Feels migrated: nobody is told of this tenant's incidents in particular."""
    now = "only channels of everybody are told" if everybody else "nobody is told"
    return (
        f"{tenant} sends from its own domains, but {now} of its incidents: no alert channel names it "
        f"(`mailcordon alert channel add --help`)"
    )


@example()
def feels_migrated_next() -> str:
    """`status`, beside a tenant that feels migrated."""
    return "Until then it is not isolated; `mailcordon suppression split status` shows how far the split is"


@example("listing", 42000)
@example("reading", 97000)
@example("comparing", 0)
@example("watching", 0)
def phase(phase: str, open: int) -> str:
    """`suppression split status`: what is being done."""
    return {
        "listing": f"The account's list is being listed; {open:,} entries so far",
        "reading": f"Entries are read one by one and given to their tenants; {open:,} remain",
        "comparing": "The account's and the tenants' lists are listed again and compared with what was recorded",
        "watching": "All entries are taken apart, and SES's lists agree; what SES adds is taken apart as it comes",
    }[phase]


@example(280000, 300100, 280000.0, 6002000.0, complete=True)
@example(2000, 3000, None, None, complete=False)
@example(0, 0, 0.0, 0.0, complete=True)
def forecast(
    calls: int, most: int, seconds: float | None, most_seconds: float | None, *, complete: bool
) -> str:
    """`suppression split status`: how long it still takes."""
    if calls == 0:
        return "No call to SES remains"
    said = f"About {calls:,} calls to SES remain"
    if most > calls:
        said += f", {most:,} at most"
    if seconds is not None:
        said += f": {times.span(seconds)} at this pace"
    if most_seconds is not None:
        said += f", {times.span(most_seconds)} if all other work with SES waits all the time"
    return said + ("" if complete else ". The list is not listed to its end, so there may be more")


@example(1200, "kim")
def undecided(number: int, owner: str) -> str:
    """`suppression split status`: entries that are nobody's."""
    entries = "1 entry is" if number == 1 else f"{number:,} entries are"
    return (
        f"{entries} nobody's: on the platform's list, which covers every tenant, until {owner} decides. "
        "`mailcordon suppression split show --state unowned` lists them; importing an event archive "
        "(`mailcordon events replay`) and then `mailcordon suppression split start` may name more owners"
    )


@example(310)
def kept(number: int) -> str:
    """`suppression split status`: entries that stay on the account's list as well."""
    return (
        f"{number:,} assigned entries stay on the account's list too, and block tenants whose mail SES checks against it: their "
        "tenants have mail that does not pass through Mailcordon, or the split was started so that entries stay there"
    )


@example(
    "AccessDeniedException: not authorized to perform ses:ListSuppressedDestinations", "28 Nov 2026 15:23 UTC"
)
def stuck(problem: str, again: str) -> str:
    """`suppression split status`: the last step failed."""
    return f"The last step failed, and is tried again on {again}: {problem}"


@example("28 Nov 2026 15:23 UTC", "kim")
def ended(at: str, by: str) -> str:
    """`suppression split status`: it was ended by a person."""
    return f"It ended on {at}, by {by}"


@example(1, "29 Nov 2026 11:02 UTC", "28 Nov 2026 15:23 UTC")
@example(310, "29 Nov 2026 11:02 UTC", "28 Nov 2026 15:23 UTC")
def refilled(number: int, newest: str, ended: str) -> str:
    """`status` and `suppression split status`: the account's list has new entries after the split was finished."""
    entries = "1 entry" if number == 1 else f"{number:,} entries"
    return (
        f"{entries} came onto the account's suppression list since it was taken apart on {ended}, the last on {newest}: SES "
        "lists there who bounces or complains about mail that it checks against that list, or somebody writes to it. An entry "
        "keeps such mail of every tenant from the address"
    )


@example()
def refilled_next() -> str:
    """What follows from new entries after the split was finished."""
    return (
        "Give them to their tenants: `mailcordon suppression split start --owner NAME --because TEXT`. "
        "Do not finish it while mail still leaves on a shared path"
    )


@example()
def none_yet() -> str:
    """`suppression split status` and others: there was no split."""
    return (
        "The account's suppression list was never taken apart: "
        "`mailcordon suppression split start --owner NAME --because TEXT`"
    )


@example("reading")
def already_runs(phase: str) -> str:
    """`suppression split start`, while one is at work."""
    return f"A split is at work ({phase}). `mailcordon suppression split status` shows where it stands"


@example(2)
def mail_past_us(senders: int) -> str:
    """`suppression split start`: mail that does not pass through would lose the protection of the entries."""
    who = "1 sender" if senders == 1 else f"{senders} senders"
    return (
        f"In the last 7 days {who} sent past Mailcordon (`mailcordon ungoverned list`). Their mail is protected by the account's "
        "list alone, and would be sent to addresses that leave it. Say whether entries stay there or leave it"
    )


@example()
def observes_only() -> str:
    """`suppression split start` in an installation that changes nothing at SES."""
    return "This installation observes only and changes nothing at SES: it governs with MAILCORDON_OBSERVE_ONLY=no"


@example(30)
@example(1)
def entries_open(number: int) -> str:
    """`suppression split finish`, too early."""
    entries = "1 entry is" if number == 1 else f"{number:,} entries are"
    return f"{entries} not taken apart yet: `mailcordon suppression split status` says how long it takes"


@example()
def not_compared() -> str:
    """`suppression split finish`, before both directions were compared."""
    return "Ours and SES's lists were not compared yet: `mailcordon suppression split status` says how long it takes"


@example(1200, "kim")
def nobody_decided(number: int, owner: str) -> str:
    """`suppression split finish`, while entries are nobody's."""
    entries = "1 entry is" if number == 1 else f"{number:,} entries are"
    return (
        f"{entries} nobody's and cover every tenant: `mailcordon suppression split show --state unowned`. Assign them, or "
        f"leave them so: they stay on the platform's list, and {owner} stays responsible"
    )


@example(1)
@example(12)
def nobody_question(number: int) -> str:
    """`suppression split assign --nobody`, before it acts."""
    entries = "1 entry" if number == 1 else f"{number:,} entries"
    return f"Take {entries} off the account's list? Mail of every tenant may go there again."


@example("kim@example.com")
def no_entry(spelling: str) -> str:
    """`suppression split assign` of an address that the account's list did not have."""
    return (
        f"The account's list had no entry {spelling} when it was listed. SES keeps the letter case: "
        "`mailcordon suppression split show`"
    )


@example("kim@example.com", "assigned")
def not_undecided(spelling: str, state: str) -> str:
    """`suppression split assign` of an entry that is not nobody's."""
    return f"{spelling} is {state}: only entries that are unowned, on the platform's list or odd can be assigned by hand"


@example()
def one_of_three() -> str:
    """`suppression split assign` without saying to whom, or to several."""
    return (
        "say one of: a tenant, the platform (it covers every tenant), or nobody (it covers no mail any more)"
    )


@example()
def no_address() -> str:
    """`suppression split assign` of an entry that is no address."""
    return "it is no address that mail can be sent to, so it can cover no tenant's mail; nobody or the platform only"


@example()
def run_is_over() -> str:
    """`suppression split assign`, after the split was finished."""
    return (
        "The split is finished, so nothing carries the decision out at SES: `mailcordon suppression split start` first. "
        "Without one, all that can be decided is that entries are the platform's"
    )


@example(200)
def bad_owner(most: int) -> str:
    """`suppression split start`: the owner's name."""
    return f"a name of a person or a team, of at most {most} characters"


@example(3)
def too_many(most: int) -> str:
    """`suppression split assign` of too many addresses at once."""
    return f"at most {most:,} addresses at once"


@example(2, "acme")
@example(1, "platform")
@example(1, "nobody")
def assigned(number: int, to: str) -> str:
    """`suppression split assign`: what happens now."""
    entries = "1 entry" if number == 1 else f"{number:,} entries"
    match to:
        case "platform":
            return f"{entries} stay on the platform's list and cover every tenant"
        case "nobody":
            return f"{entries} cover no mail any more, and leave the account's list at SES next"
        case _:
            return f"{entries} suppress for {to}; at SES they move to {to}'s list next, and then block nobody else"


@example(100)
def started(pages: int) -> str:
    """`suppression split start`."""
    return (
        "The account's list is listed first, 1,000 entries a call, then each entry is read with one call. "
        "`mailcordon suppression split status` says how long it takes"
        + (f"; round {pages}" if pages > 1 else "")
    )


@example()
def gone_from_account() -> str:
    """An entry that is nobody's, and that SES's list does not have any more."""
    return (
        "SES's list does not have it any more: somebody removed it, or the recipient said that it is no spam"
    )


@example(shown=("kim@example.com", "acme"))
def assign_command(*, shown: tuple[str, str]) -> str:
    """What decides on an entry."""
    spelling, tenant = shown
    return f"`mailcordon suppression split assign {shlex.quote(spelling)} --tenant {tenant} --because TEXT`"
