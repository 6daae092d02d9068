"""What the dashboard says of SES: the account, plans, differences, quarantine, mail past Mailcordon, feedback, lapses."""

from collections.abc import Mapping, Sequence

from mailcordon.messages.catalogue import example
from mailcordon.messages.phrases import at_least


@example(["1 difference"], ["HEALTHY"])
@example([], ["HEALTHY"])
@example([], ["PROBATION"])
@example([], [])
def ses_account_is(open_things: Sequence[str], enforcement: Sequence[str]) -> str:
    """The sentence on top of the page of the SES account."""
    if not enforcement:
        return "SES was not asked for the account's limits yet."
    if bad := sorted({one for one in enforcement if one != "HEALTHY"}):
        return f"AWS reviews the account: its state is {', '.join(bad).lower()}. Mail can be stopped; answer AWS's case first."
    if open_things:
        return f"SES lets mail through. Open: {', '.join(open_things)}."
    return "SES lets mail through, and has what is desired."


@example()
def feedback_comes() -> str:
    """No feedback is lost or late."""
    return "Events of all mail come back."


@example()
def lapses_do() -> str:
    """What the policies of lapses are about."""
    return (
        "An identity lapses when its records in DNS or its status at SES stop proving it. Mail may then still pass DMARC, only "
        "weaker, or fail it. Each class has its own rule."
    )


@example("weaker")
@example("fails")
def lapse_effect(effect: str) -> str:
    """The effect of a lapse on mail."""
    return {"weaker": "mail still passes DMARC", "fails": "mail fails DMARC"}.get(effect, effect)


@example("urgent", "fails")
def lapse_title(class_: str, effect: str) -> str:
    """The heading of the page that sets what a lapse does."""
    return f"When an identity of {class_} mail lapses and {lapse_effect(effect)}"


@example("urgent", "fails", "hold", "report")
def will_set_lapse(class_: str, effect: str, action: str, now: str) -> str:
    """The preview of setting what a lapse does."""
    words = {"report": "is only reported", "slow": "slows its lanes", "hold": "holds its lanes"}
    return (
        f"A lapse after which {lapse_effect(effect)} {words.get(action, action)}, for {class_} lanes of all tenants. Now it "
        f"{words.get(now, now)}. Lapses that last follow at once."
    )


@example(2)
def plan_waits(calls: int) -> str:
    """A plan has calls that a person has to approve."""
    return f"{calls} {'call waits' if calls == 1 else 'calls wait'} for a person's approval: see why beside each."


@example({"create tenant": 3, "update event-destination": 1}, 3)
@example({}, 0)
def plan_does(actions: Mapping[str, int], tenants: int) -> str:
    """The preview of a plan: its calls by kind, and whom it touches."""
    if not actions:
        return "It makes no call to SES."
    calls = ", ".join(f"{count:,} x {what}" for what, count in actions.items())
    return f"It calls SES: {calls}. It touches {tenants:,} {'tenant' if tenants == 1 else 'tenants'}; the others are left alone."


@example()
def plan_not_applied() -> str:
    """The preview of rejecting a plan."""
    return "Nothing of this plan will be done. A difference that it repairs stays open. This is what it would have done:"


@example(0)
@example(2)
@example(100, more=True)
def differences(count: int, *, more: bool = False) -> str:
    """How many differences are open. `more`: others were not counted."""
    if not count:
        return "SES has what is desired."
    return (
        f"SES differs from what is desired in {at_least(count, more)} {'place' if count == 1 else 'places'}."
    )


@example("apply")
@example("propose")
def repair_is(act: str) -> str:
    """What happens with the repair of a difference."""
    return "It is applied at once." if act == "apply" else "It waits for a person."


@example()
def will_accept_difference() -> str:
    """The preview of accepting a difference."""
    return "What SES has becomes what is desired, so it is not reported and not repaired any more, until it changes again."


@example("destination-disabled")
def drift_policy_title(kind: str) -> str:
    """The heading of the page that sets what happens to a kind of difference."""
    return f"When a difference of the kind {kind} is found"


@example("destination-disabled", "apply", holds=True)
def will_set_drift_policy(kind: str, act: str, *, holds: bool) -> str:
    """The preview of setting what happens to a kind of difference."""
    repair = "is repaired at once" if act == "apply" else "waits for a person, with a plan"
    mail = "the tenant's mail is held while it lasts" if holds else "the tenant's mail goes on meanwhile"
    return f"From now on {kind} {repair}, and {mail}."


@example()
def breaks_isolation() -> str:
    """A kind of difference that can break the isolation between tenants would wait for a person."""
    return "This kind of difference can let one tenant's mail harm another's. Until somebody decides, it stays so."


@example()
def quarantine_needs() -> str:
    """A viewer opens the quarantine."""
    return "Events in quarantine may be about any tenant and name its recipients, so only operators and admins read them."


@example(0)
@example(3)
def quarantine_has(count: int) -> str:
    """How many entries of the newest ones wait."""
    if not count:
        return "No event waits in quarantine."
    return f"{count} of the newest {'entry waits' if count == 1 else 'entries wait'} for somebody to look."


@example()
def will_replay() -> str:
    """The preview of replaying an entry of the quarantine."""
    return "The document is processed as if it had just been received. What was counted before is not counted twice."


@example(0, excess=False)
@example(2, excess=False)
@example(0, excess=True)
@example(50, excess=False, more=True)
def ungoverned_are(senders: int, *, excess: bool, more: bool = False) -> str:
    """How many send past Mailcordon unexpectedly, and whether SES counts more than is known. `more`: others were not counted."""
    parts: list[str] = []
    if senders:
        verb = "sends" if senders == 1 else "send"
        parts.append(f"{at_least(senders, more)} {verb} past Mailcordon, and nobody expects it")
    if excess:
        parts.append("SES counts more mail than anything names")
    said = ", and ".join(parts) or "All mail of the account passes Mailcordon, or is expected"
    return f"{said}."


@example()
def count_compares() -> str:
    """What the comparison with SES's count is for."""
    return "Mail without a configuration set raises no event. SES's own count of 24 hours shows it."


@example("role deploy")
def iam_policy_for(who: str) -> str:
    """Above an IAM policy."""
    return f"Attach this to {who}: it may then send only through Mailcordon."


@example()
def no_iam_policy() -> str:
    """There is no IAM policy that stops a sender alone."""
    return "No policy stops this alone: it would stop Mailcordon's own mail too, or nothing names who sends."


@example("acme.example", "role deploy", 14)
@example("*", "", 14)
def will_expect(identity: str, caller: str, days: int) -> str:
    """The preview of declaring mail past Mailcordon as expected."""
    what = "mail whose sender nothing names" if identity == "*" else f"mail of {identity}"
    return (
        f"For {days} days {what} sent by {caller or 'any caller'} raises no incident. It still counts against the account's "
        "quota."
    )


@example()
def will_end_expectation() -> str:
    """The preview of ending an expectation."""
    return "Its next mail past Mailcordon is an incident again."
