"""A probe of what the breaker holds: that a person asks for one, and how it went (docs/breaker.md)."""

from mailcordon.messages import times
from mailcordon.messages.breaker import Part, named
from mailcordon.messages.catalogue import example


@example()
def probe_failed() -> str:
    """A held lane was tried, and its mail was not healthy."""
    return "It was tried, and the mail of the probe was not healthy: so it is held again, and waits longer until the next one."


@example(of="acme/newsletter", mails=400, waiting=1_200, minutes=10, again=1_440)
@example(of="acme/newsletter to gmail", mails=6_000, waiting=0, minutes=10, again=10_080)
def would_probe(*, of: str, mails: int, waiting: int, minutes: int, again: int) -> str:
    """What a probe would do that a person asks for, before it begins. `again`: minutes until the next one if it fails."""
    waited = f"; {waiting:,} waited when it was held" if waiting else ""
    return (
        f"At most {mails:,} mails of {of} leave, within about {minutes} minutes from the next full one{waited}. The breaker"
        " judges their feedback as it comes, which takes hours. If it is healthy, the hold ends by itself, and a week follows in"
        " which the lane is watched ten times more strictly. If it is not, the lane is held again, and tried again after"
        f" {times.span(60 * again)}. No feedback ends nothing."
    )


@example()
def probe_touches() -> str:
    """Whom a probe leaves alone."""
    return (
        "Other lanes and tenants are not touched. Lists and campaigns that are held by themselves stay held."
    )


@example(id=12)
def holds_nothing(*, id: int) -> str:
    """Only what is held can be tried."""
    return f"Decision {id} holds no mail, so there is nothing to try."


@example(id=12, part=[("list", "import-7")])
def not_tried(*, id: int, part: Part) -> str:
    """A held campaign or list is not tried."""
    return (
        f"Decision {id} holds {named(part, 'this mail')}, which is known to be bad, so nothing of it is tried. Lift its hold, or"
        " accept the decision as normal, if you know better."
    )


@example(id=12)
def is_tried(*, id: int) -> str:
    """A probe is under way."""
    return f"A probe of decision {id} is under way already."


@example(decision=12)
def trying(*, decision: int) -> str:
    """`breaker probe` is done."""
    return (
        f"The breaker tries what decision {decision} holds from the next minute on: `mailcordon breaker show {decision}`"
        " says how it goes."
    )


@example()
def needs_reason() -> str:
    """`breaker probe` without a reason."""
    return "Say why with --because, or only ask what it would do with --dry-run."


@example("A probe of decision 12 is under way already.")
def cannot_be_tried(because: str) -> str:
    """What a decision of the breaker holds cannot be tried: it is nothing, over, being tried, or a list or campaign."""
    return because
