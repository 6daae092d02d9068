"""What policies say: what is wrong with a document, what a plan of a policy changes, and why a tier or a limit is suggested."""

from collections.abc import Sequence
from datetime import UTC, datetime

from mailcordon.messages import example, phrases

# A document -------------------------------------------------------------------------------------------------------------


@example(1, 10_000_000)
def bad_whole(least: int, most: int) -> str:
    """A value of a policy is no whole number in its range (422)."""
    return f"must be a whole number from {least:,} to {most:,}"


@example(0.01, 100.0)
def bad_number(least: float, most: float) -> str:
    """A value of a policy is no number in its range (422)."""
    return f"must be a number from {least:g} to {most:g}"


@example()
def bad_share() -> str:
    """A value of a policy is no share (422)."""
    return "must be a share from 0 to 1, such as 0.05 for 5 %"


@example(60)
def bad_curve(most: int) -> str:
    """The steps of a warm-up are no steps (422)."""
    return f"must be a list of 1 to {most} whole numbers, each larger than the one before: mails a day"


@example()
def bad_providers() -> str:
    """The mailbox providers that objectives hold for by themselves are not a list."""
    return "is not a list of mailbox providers, such as [gmail, yahoo]"


@example()
def bad_because() -> str:
    """The reason of a part of a policy is no text (422)."""
    return "must say why, as text"


@example("tenant", "types")
@example("campaign", "tenants")
def scope_elsewhere(scope: str, where: str) -> str:
    """A cap stands where it cannot apply (422)."""
    place = (
        "under a tenant's `types`" if scope == "campaign" else "of a tier or a tenant, or of a class in it"
    )
    return f"a cap of a {scope} cannot stand in {where}: write it {place}"


@example()
def runaway_enforces() -> str:
    """A document gives a mode to the cap of one recipient's mail (422)."""
    return "always enforces: it stops loops. Raise its number, or set it to null"


@example("careful", ["standard", "strict", "trusted"])
def no_such_tier(name: str, known: Sequence[str]) -> str:
    """A document names a tier that it does not describe and that is not built in (422)."""
    return f"there is no tier {name}: there are {phrases.listed(known)}"


@example(["careful", "gentle"])
def tiers_in_circle(names: Sequence[str]) -> str:
    """Tiers of a document are like each other (422)."""
    return f"{phrases.listed(names)} are like each other: one of them has to stand alone"


@example("acme")
def unknown_tenant(slug: str) -> str:
    """A document names a tenant that does not exist (422)."""
    return f"there is no tenant {slug}"


@example("newsleter", ["invoice", "newsletter"])
def unknown_type(name: str, known: Sequence[str]) -> str:
    """A document names a message type that does not exist (422)."""
    return f"there is no message type {name}: there are {phrases.listed(known)}"


@example(30, "tiers.careful.warm_up.others", 50)
@example(30, "", 50)
def below_warm_up(mails: int, at: str, step: int) -> str:
    """A cap of a document is below the first step of the warm-up (422)."""
    where = f"`{at}`" if at else "the built-in warm-up"
    return f"{mails:,} mails a day are below the first step of {where}, {step:,} mails: the domain would never warm up"


@example(50, "tiers.careful.caps.lane.day", 30)
def above_cap(step: int, at: str, mails: int) -> str:
    """A step of the warm-up is above a cap of the same document (422)."""
    return f"the first step, {step:,} mails a day, is above `{at}`, {mails:,} mails: the domain would never warm up"


@example(500, "hour", "tenants.acme.caps.lane.day", 200, "day")
def never_reached(mails: int, per: str, at: str, less: int, longer: str) -> str:
    """A cap of a document can never be reached, since one of a longer window is lower (422)."""
    where = f"`{at}`" if at else "what is built in"
    return f"{mails:,} mails a {per} can never be reached: {where} allows {less:,} a {longer}"


@example()
def no_reason() -> str:
    """The reason of a value whose part of the document gives none."""
    return "the policy says so, without a reason"


@example()
def default_tier() -> str:
    """Why a tenant has the tier that it has, if no document gives it one."""
    return "nobody has given it a tier"


# Plans and versions ------------------------------------------------------------------------------------------------------


@example(9)
def no_plan(id: int) -> str:
    """Somebody asks for a plan of a policy that does not exist (404)."""
    return f"There is no plan {id} of a policy. `mailcordon policy list` shows them."


@example(9)
def no_version(version: int) -> str:
    """Somebody asks for a version of the policy that does not exist (404)."""
    return f"There is no version {version} of the policy. `mailcordon policy list` shows them."


@example(9, "applied", "Kim Lee")
def plan_decided(id: int, state: str, by: str) -> str:
    """A plan of a policy is applied or rejected twice (409)."""
    return f"Plan {id} of the policy was {state} by {by or 'nobody'} already."


@example("Kim Lee", 4, datetime(2026, 11, 29, 16, 40, tzinfo=UTC))
def plan_outdated(by: str, version: int, at: datetime) -> str:
    """A plan of a policy is applied after another one was (409)."""
    since = f"{by} has applied version {version} of the policy since, at {at:%H:%M} UTC."
    return f"{since} Make the plan again, with `mailcordon policy set`."


@example()
def nothing_changes() -> str:
    """A plan of a policy that is what is in force."""
    return "Nothing would change: this is the policy that is in force."


@example(4, 3)
@example(4, 0)
def plan_title(id: int, base: int) -> str:
    """The head of a plan of a policy."""
    return f"Plan {id} of the policy, on {f'version {base}' if base else 'what is built in'}"


@example(
    "caps.lane.day",
    "none",
    "20,000 (shadow)",
    "tenant acme",
    "derived from four weeks",
    ["acme/newsletter"],
    1,
)
@example(
    "breaker.sensitivity",
    "1",
    "0.1",
    "tier strict",
    "harm costs more",
    ["acme/invoice", "acme/newsletter"],
    14,
)
def changes(
    path: str, was: str, now: str, origin: str, because: str, lanes: Sequence[str], number: int
) -> str:
    """A change of a plan of a policy: one value of some lanes."""
    more = number - len(lanes)
    whose = phrases.listed([*lanes, *([phrases.count(more, "other lane")] if more else [])])
    return f"{path}: {was} -> {now} for {whose} ({origin}: {because})"


@example()
def shadow_only() -> str:
    """Under changes of a policy of which some are caps that hold nothing yet."""
    return (
        "Caps in shadow mode say what they would have held, and hold nothing. With `mode: enforce` they hold."
    )


@example(12)
def changes_hidden(number: int) -> str:
    """A plan of a policy has more changes than are shown."""
    return f"{phrases.count(number, 'more change')}: `--json` has the first 1,000"


@example(4)
def rejected(id: int) -> str:
    """A plan of a policy was rejected."""
    return f"Plan {id} of the policy is rejected. Nothing was changed."


@example(0, None, "-")
@example(3, "Kim Lee", "2026-11-29 16:40")
def in_force(version: int, by: str | None, at: str) -> str:
    """Above the document of the policy that is in force."""
    if not version:
        return "Nobody has written a policy: what is built in applies."
    return f"Version {version} of the policy, applied by {by or 'nobody'} at {at}:"


@example("acme/newsletter", "strict", 3)
@example("acme/newsletter", "standard", 0)
def lane_title(lane: str, tier: str, version: int) -> str:
    """Above the values of one lane's policy."""
    return f"{lane}: tier {tier}, {f'version {version} of the policy' if version else 'built in'}"


@example("acme", "newsletter")
def no_such_lane(tenant: str, type: str) -> str:
    """Somebody asks for the policy of a lane that does not exist. Exit code 2."""
    return f"{tenant} has no lane {type}."


@example(4)
def how_to_apply(id: int) -> str:
    """What to do with a plan of a policy that was made and not applied."""
    return f"Nothing was changed. To apply it: mailcordon policy apply {id}"


@example(5, 14, 0)
@example(5, 18_000, 8_900)
def applied(version: int, lanes: int, tenants_left: int) -> str:
    """A plan of a policy was applied. The control role gives it to tenants that do not have it yet."""
    if tenants_left:
        left = f"{phrases.count(tenants_left, 'tenant')} of them get it in the next minutes"
        return (
            f"Version {version} of the policy is in force. It changes {phrases.count(lanes, 'lane')}: {left}."
        )
    return f"Version {version} of the policy is in force. It changed {phrases.count(lanes, 'lane')}."


@example(9)
def apply_question(id: int) -> str:
    """The question before a plan of a policy is applied."""
    return f"Apply plan {id} of the policy?"


# Limits ------------------------------------------------------------------------------------------------------------------


@example("tier strict", "who sends is not known yet")
def limit_because(origin: str, because: str) -> str:
    """Where a limit comes from, shown beside what it holds."""
    return f"{origin}: {because}"


@example(500, None, 500)
@example(1_125, 750, 500)
def new_sender(cap: int, busiest: int | None, first: int) -> str:
    """Why a lane that is new may send so much today."""
    if busiest is None or cap == first:
        return f"a new lane sends {first:,} mails on its first day, and half as much again each day"
    return f"a new lane: its busiest day had {busiest:,} mails, and may grow to {cap:,}"


# Suggestions -------------------------------------------------------------------------------------------------------------


@example("lane/day", 2_000, 1_000, 28)
def suggests_cap(cap: str, mails: int, busy: int, days: int) -> str:
    """Why a cap is suggested: from the throughput of the last weeks."""
    return f"{mails:,} mails: a busy {cap.rpartition('/')[2]} of the last {days} days had {busy:,}"


@example(0, 0, "day")
@example(1_200, 2, "hour")
def would_have_held(mails: int, windows: int, per: str) -> str:
    """What a suggested cap would have held in the weeks that it comes from."""
    if not windows:
        return "would have held nothing"
    return f"would have held {mails:,} mails in {phrases.count(windows, per)}"


@example(52_000, 2_000)
def too_many_lanes(lanes: int, most: int) -> str:
    """Caps are asked for without a tenant on a large installation (422)."""
    return f"name a tenant: there are {lanes:,} lanes, and one answer looks at {most:,} at most"


@example()
def too_little_history() -> str:
    """No cap is suggested for a lane that has not sent on enough days."""
    return "has sent on too few days to say what is usual; until then the cap of new senders protects it"


# Tiers -------------------------------------------------------------------------------------------------------------------


@example()
def bought_list() -> str:
    """Why a tenant's tier should be strict."""
    return "its lists are bought"


@example()
def unknown_everything() -> str:
    """Why a tenant's tier should be strict."""
    return "it is new, and neither how it signed up nor where its lists come from is known"


@example(3)
def young_without_payment(days: int) -> str:
    """Why a tenant's tier should be strict."""
    return f"it signed up {phrases.count(days, 'day')} ago and has not paid"


@example()
def imported_lists() -> str:
    """Why a tenant's tier should not be trusted."""
    return "its lists are imported, so nobody here saw the sign-ups"


@example(20_000)
def plans_much(planned: int) -> str:
    """Why a young tenant's tier should be strict."""
    return f"it plans {planned:,} mails a day and has no history"


@example(200)
def known_customer(days: int) -> str:
    """Why a tenant's tier should be trusted."""
    return f"it has been here for {days:,} days, pays by invoice, and its lists are its own sign-ups or customers"


@example()
def nothing_special() -> str:
    """Why a tenant's tier should be standard."""
    return "nothing that is known of it asks for more or less"


@example(["password-reset", "login-code"])
def critical_types(types: Sequence[str]) -> str:
    """Why a tenant's tier is not as strict as its facts alone would suggest."""
    return f"{phrases.listed(types)} must not be lost, and it sends nothing to lists"


@example("acme", "standard", "strict", "its lists are bought")
@example("acme", "strict", "strict", "its lists are bought")
def tier_suggested(tenant: str, tier: str, suggested: str, because: str) -> str:
    """Under what is known of a tenant: its tier, and the one that this suggests."""
    if tier == suggested:
        return f"{tenant} has the tier {tier}, as its facts suggest: {because}."
    command = f'mailcordon tier set {tenant} {suggested} --because "..."'
    return f"{tenant} has the tier {tier}. Its facts suggest {suggested}: {because}. To change it: {command}"


@example("colour", ["payment", "list-source"])
def no_fact(name: str, known: Sequence[str]) -> str:
    """Somebody wants to forget a fact that there is not. Exit code 2."""
    return f"There is no fact {name}. There are {phrases.listed(known)}."


@example()
def no_facts_given() -> str:
    """Somebody tells no fact. Exit code 2."""
    return "Say at least one fact, such as --payment invoice."


@example()
def before_1970() -> str:
    """A tenant's sign-up is said to be too long ago (422)."""
    return "must be after 1970"


# The account's quota -----------------------------------------------------------------------------------------------------


@example(datetime(2026, 11, 29, 16, 40, tzinfo=UTC), 12_000)
def quota_ends(at: datetime, pace: int) -> str:
    """When the account's quota of 24 hours is used up, if mail goes on leaving as it does now."""
    return f"At this pace ({pace:,} mails an hour) the quota ends at {at:%H:%M} UTC."


@example(12_000)
def quota_lasts(pace: int) -> str:
    """The account's quota of 24 hours lasts, if mail goes on leaving as it does now."""
    return f"At this pace ({pace:,} mails an hour) the quota lasts: as much of it comes back as is used."
