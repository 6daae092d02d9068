"""What placing, lifting or cancelling would do, and why a request to do so is refused."""

from mailcordon.messages import example, phrases, times


def _with_lanes(mail: str, lanes: list[str]) -> str:
    # `newsletter mail of acme (newsletter)` would say the same twice.
    return (
        mail if len(lanes) == 1 and mail.startswith(f"{lanes[0]} ") else f"{mail} ({phrases.listed(lanes)})"
    )


def _not_recalled(sending: int) -> str:
    if not sending:
        return ""
    are = "is" if sending == 1 else "are"
    return f" {phrases.deliveries(sending)} {are} being sent already and cannot be recalled."


@example()
def class_beside_type() -> str:
    """A hold or cancel names both a message type and a class."""
    return "cannot be combined with type: a type has one class already"


@example(100)
def bad_hold_ids(most: int) -> str:
    """Holds are to be lifted by number, and there are no numbers, too many, or impossible ones."""
    return f"must be 1 to {most} hold numbers"


@example()
def hold_ids_and_target() -> str:
    """Holds are to be lifted both by number and by what they hold."""
    return "cannot be combined with type, class, provider, campaign or list"


@example(0.001, 1_000_000)
def bad_rate(least: float, most: int) -> str:
    """The rate of a lane, or of a hold that slows it, is out of range."""
    return f"must be {least:g} to {most:,} deliveries per second; to stop a lane, cordon it"


@example()
def rate_of_a_part() -> str:
    """A hold is to slow only the mail to a mailbox provider, or of a campaign or list."""
    return (
        "can be set for whole lanes only; mail to a provider, of a campaign or of a list can only be stopped"
    )


@example("acme", type="newsletter")
@example("acme", class_="marketing", provider="gmail")
@example("acme", campaign="spring-sale", list="imported")
def mail_of(
    slug: str,
    *,
    type: str | None = None,
    class_: str | None = None,
    provider: str | None = None,
    campaign: str | None = None,
    list: str | None = None,
) -> str:
    """Names the mail that a hold, its lifting or a cancel covers, inside other sentences and in the audit trail."""
    kind = type or class_
    words = f"{kind} mail of {slug}" if kind else f"all mail of {slug}"
    if provider is not None:
        words += f" to {provider}"
    if campaign is not None:
        words += f", campaign {campaign}"
    if list is not None:
        words += f", list {list}"
    return words


@example(owner="person", stops=True, is_list=False, until=None)
@example(owner="person", stops=True, is_list=False, until=1_796_022_180_000)
@example(owner="breaker", stops=True, is_list=True, until=None)
@example(owner="breaker", stops=True, is_list=False, until=None)
@example(owner="breaker", stops=False, is_list=False, until=None)
@example(owner="policy", stops=True, is_list=False, until=None)
@example(owner="rollout", stops=True, is_list=False, until=None)
def ends(*, owner: str, stops: bool, is_list: bool, until: int | None) -> str:
    """How an open hold ends: follows "it ends". `is_list`: it covers one list or campaign. docs/breaker.md, The way back."""
    if until is not None:
        return f"at {times.minute(until)}, or when it is lifted before"
    if owner == "breaker" and not stops:
        return "by itself, once this mail is normal again"
    if owner == "breaker" and is_list:
        return "when it is lifted, or after 14 days"
    if owner == "breaker":
        return (
            "by itself, once a probe of this mail was healthy, or after 14 days with too little mail to try"
        )
    if owner == "policy":
        return "by itself, once its cause is gone"
    if owner == "rollout":
        return "when the rollout that placed it goes on or goes back"
    return "when it is lifted"


@example("acme")
def covers_no_lane(slug: str) -> str:
    """A preview: the tenant has no lane that the action would change."""
    return f"{slug} has no such lane. Nothing would change."


@example("marketing mail of acme", ["announcement", "newsletter"], 1204, 2)
@example("newsletter mail of acme", ["newsletter"], 0, 0)
def cordon_effect(mail: str, lanes: list[str], queued: int, sending: int) -> str:
    """A preview of a cordon: what it will stop."""
    waiting = (
        f"{phrases.deliveries(queued)} in the queue and all new ones wait"
        if queued
        else "new deliveries wait"
    )
    return (
        f"Holds {_with_lanes(mail, lanes)}: {waiting} until the hold is lifted or they expire."
        + _not_recalled(sending)
    )


@example("newsletter mail of acme, campaign spring-sale", ["newsletter"], 1204, 1)
def cancel_effect(mail: str, lanes: list[str], queued: int, sending: int) -> str:
    """A preview of a cancel: what it will drop."""
    return (
        f"Drops {phrases.deliveries(queued)} of {_with_lanes(mail, lanes)} for good. New mail is not affected."
        + _not_recalled(sending)
    )


@example(['hold 7 "wrong list" by ann'], 1204, ["newsletter"], [])
@example(['hold 7 "wrong list" by ann'], 0, [], ['hold 8 "bounces" by breaker'])
def uncordon_effect(holds: list[str], queued: int, freed: list[str], others: list[str]) -> str:
    """A preview of an uncordon: the holds that it will lift, what can leave then, and the holds that stay."""
    said = f"Lifts {phrases.listed(holds)}"
    if freed:
        said += f": {phrases.deliveries(queued)} of {phrases.listed(freed)} can leave."
    else:
        said += ", but the mail stays held."
    return said + (f" Not lifted: {phrases.listed(others)}." if others else "")


@example("newsletter mail of acme", [])
@example("newsletter mail of acme", ['hold 8 "bounces" by breaker'])
def nothing_to_lift(mail: str, others: list[str]) -> str:
    """A preview of an uncordon for which there is no hold."""
    if not others:
        return f"Nothing holds {mail}. Nothing would change."
    return f"Nobody has cordoned exactly {mail}. Nothing would change. Lift another hold by its number: {phrases.listed(others)}."


@example(12, "The configuration set mc-urgent is paused at SES, for all lanes that use it")
def numbered_stop(id: int, because: str) -> str:
    """Names a stop in a preview."""
    return f'stop {id} "{because}"'


@example(['stop 12 "SES has paused this tenant"'], 1204, ["newsletter"], 0)
@example(['stop 12 "The configuration set mc-urgent is paused at SES"'], 0, ["password-reset"], 38)
@example(['stop 12 "SES has paused this tenant"'], 0, [], 0)
def end_effect(stops: list[str], queued: int, freed: list[str], others: int) -> str:
    """A preview of an uncordon of what SES stops: the stops that end, what can leave then, and whom else that concerns."""
    said = f"Ends {phrases.listed(stops)}"
    said += (
        f": {phrases.deliveries(queued)} of {phrases.listed(freed)} can leave"
        if freed
        else ", but holds keep the mail"
    )
    if others:
        said += f", and so can the mail of {others} other lane{'' if others == 1 else 's'} that use the same"
    return said + ". If SES still refuses, the next call stops it again."


@example("newsletter mail of acme")
def nothing_stopped(mail: str) -> str:
    """A preview of an uncordon of what SES stops, if it stops nothing."""
    return f"No stop covers {mail}. Nothing would change."


@example()
def stops_cover_lanes() -> str:
    """An uncordon of what SES stops, for a part of a lane."""
    return "must be left out beside a provider, campaign or list: a stop covers whole lanes"


@example(7, "ann (key k7pq2m9d)", "wrong list")
def numbered_hold(id: int, who: str, because: str) -> str:
    """Names a hold in a preview."""
    return f'hold {id} "{because}" by {who}'


@example("acme", ["invoice", "password-reset"], [])
@example("acme", [], ["newsletter"])
@example("acme", [], [])
def left_alone(slug: str, lanes: list[str], partly: list[str]) -> str:
    """A preview: what the action does not touch. `partly` are lanes of which only a part is meant."""
    words = [f"{phrases.listed(lanes)} of {slug}"] if lanes else []
    if partly:
        words.append(f"all other mail of {phrases.listed(partly)}")
    return f"{'; '.join(words)}; every other tenant." if words else "Every other tenant."
