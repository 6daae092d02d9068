"""Mail in our account that did not pass through Mailcordon, and those who send it (docs/ungoverned.md)."""

from collections.abc import Sequence

from mailcordon.messages import phrases, times
from mailcordon.messages.catalogue import example

_SINCE = 1_795_879_380_000
_SHOP = "arn:aws:sts::123456789012:assumed-role/shop/i-0abc"


# Senders --------------------------------------------------------------------------------------------------------------------


@example("shop", _SHOP)
@example("ci", "arn:aws:iam::123456789012:user/ci")
@example("root", "arn:aws:iam::123456789012:root")
@example("shop", None)
@example("", None)
def caller(name: str, arn: str | None) -> str:
    """Who called SES, in a sentence. SES's events name a caller without its kind; CloudTrail gives the ARN."""
    if not name:
        return "a caller that SES does not name"
    kind = (arn or "").rpartition(":")[2].partition("/")[0]
    if kind in ("assumed-role", "role"):
        return f"role {name}"
    if kind == "user":
        return f"user {name}"
    return "the account's root user" if kind == "root" else f"caller {name}"


@example("mail.acme.example", "acme")
@example("old.example", None)
@example("", None)
@example("(more)", None)
def identity(name: str, tenant: str | None) -> str:
    """The identity that ungoverned mail is sent from."""
    if name == "(more)":
        return "identities beyond those that are listed"
    if not name:
        return "an identity that is not named"
    return f"{name} ({tenant})" if tenant else f"{name} (no tenant's)"


@example("role shop", "mail.acme.example (acme)", 412, _SINCE, ["10.0.3.7"], "SES API (SendEmail)")
@example("caller ci", "old.example (no tenant's)", 1, _SINCE, [], None)
@example(
    "role shop",
    "mail.acme.example (acme)",
    90_000,
    _SINCE,
    ["10.0.3.7", "10.0.3.8", "10.0.3.9", "(more)"],
    "SMTP",
)
def sends(
    who: str, identity: str, mails: int, since: int, addresses: Sequence[str], service: str | None
) -> str:
    """An alarm: mail is sent past Mailcordon."""
    source = f", from {_some(addresses)}" if addresses else ""
    by = f", by {service}" if service else ""
    return (
        f"{who[:1].upper()}{who[1:]} sends as {identity} past Mailcordon: {phrases.count(mails, 'mail')} since"
        f" {times.minute(since)}{source}{by}"
    )


def _some(values: Sequence[str]) -> str:
    named = [value for value in values if value != "(more)"]
    more = len(values) - 2
    if more <= 0 and len(named) == len(values):
        return phrases.listed(list(named))
    return f"{', '.join(named[:2])} and others"


@example(7)
def what_next(id: int) -> str:
    """What to do about ungoverned mail. `mailcordon ungoverned show` prints the policy."""
    return (
        f"Mailcordon neither holds, limits nor suppresses this mail. `mailcordon ungoverned show {id}` prints the IAM policy that"
        " stops it; if it must go on for some time, declare it with `mailcordon ungoverned expect`"
    )


@example()
def own_role() -> str:
    """Ungoverned mail of the role with which Mailcordon sends. A policy against it would stop Mailcordon's mail too."""
    return (
        "Something else uses the role with which Mailcordon sends, or its credentials. A policy that denies this role would stop"
        " Mailcordon's mail too: look in CloudTrail for who assumes it, and take that away"
    )


@example(_SINCE, "the old shop until its migration")
def expected(until: int, because: str) -> str:
    """Ungoverned mail that was declared."""
    return f"expected until {times.minute(until)}: {because}"


@example(_SINCE)
def expected_before(until: int) -> str:
    """Follows an alarm: it was declared, and the time is over."""
    return f"; it was expected until {times.minute(until)}"


# SES's count ----------------------------------------------------------------------------------------------------------------


@example("default", 5_210, 320, ["old.example"], 900)
@example("default", 5_210, 320, [], 0)
def counted(cell: str, sent: int, excess: int, identities: Sequence[str], lag_seconds: int) -> str:
    """An alarm: SES counts more mail than Mailcordon sent, and no event or call names its sender."""
    late = f", which may be {times.span(lag_seconds)} late" if lag_seconds else ""
    from_whom = (
        f"Identities of the account that are not Mailcordon's: {_some(identities)}"
        if identities
        else "The account has no other identities, so it was sent from one of ours without a configuration set of ours"
    )
    return (
        f"SES counts {phrases.count(sent, 'recipient')} of the last 24 hours in {cell}{late}, and {excess:,} of them were sent by"
        f" something that Mailcordon does not know. {from_whom}"
    )


@example()
def count_next() -> str:
    """What to do if SES counts mail that no event names."""
    return (
        "Only CloudTrail's data events name who sends without events: switch them on for SES's identities, or look at the"
        " identities named here"
    )


@example(["old.example"])
def candidate(identities: Sequence[str]) -> str:
    """The likely culprit of mail that only SES's count shows."""
    return f"probably {phrases.listed(list(identities))}"


# Declaring ------------------------------------------------------------------------------------------------------------------


@example(7)
def no_sender(id: int) -> str:
    """There is no sender with this number."""
    return f"There is no ungoverned sender {id}. `mailcordon ungoverned list` shows them."


@example(7)
def no_expectation(id: int) -> str:
    """There is no declaration with this number that is still valid."""
    return f"Nothing is declared with the number {id}, or it has ended."


@example()
def bad_identity() -> str:
    """What is declared must name an identity."""
    return "Give a domain or an address of SES, or `*` for mail that only SES's count shows."


@example(90)
def bad_until(days: int) -> str:
    """A declaration needs an end."""
    return f"Give an end between one minute and {days} days from now; it can be declared again."


@example()
def caller_of_all() -> str:
    """`*` stands for mail whose sender nothing names."""
    return "`*` has no caller: it stands for mail whose sender nothing names."


# The command line -----------------------------------------------------------------------------------------------------------


@example()
def none_seen() -> str:
    """`ungoverned list` without any."""
    return "No mail was seen that did not pass through Mailcordon."


@example("mail.acme.example", "shop", "28 Nov 2026 15:23 UTC")
@example("mail.acme.example", None, "28 Nov 2026 15:23 UTC")
def declared(identity: str, caller: str | None, until: str) -> str:
    """`ungoverned expect` has been done."""
    whose = f" by {caller}" if caller else ""
    return f"Mail of {identity}{whose} is expected until {until}. It is counted and shown, and is an alarm again after that."


@example(3)
def undeclared(id: int) -> str:
    """`ungoverned unexpect` has been done."""
    return f"{id} has ended. Mail that it covered is an alarm from now on."


@example()
def policy_heading() -> str:
    """`ungoverned show`, above the policy."""
    return "The policy that stops it, for the caller or as a service control policy:"


@example()
def role_heading() -> str:
    """`ungoverned show`, above the policy, of a caller that nothing names."""
    return "SES does not name the caller. As a service control policy this leaves sending to Mailcordon's role alone:"


@example("default", "5,210", "5,200", "0", "15 min")
@example("default", "5,210", "4,890", "320", "0 s")
def count_line(cell: str, sent: str, known: str, excess: str, lag: str) -> str:
    """`ungoverned list`, below the table: SES's count."""
    return (
        f"{cell}: SES counts {sent} recipients of the last 24 hours (up to {lag} late), of which {known} are known and"
        f" {excess} are not"
    )


@example("default")
def count_learning(cell: str) -> str:
    """`ungoverned list`: SES's count has just begun to be compared."""
    return f"{cell}: SES's count cannot be compared yet; that begins with the second reading after its lag"
