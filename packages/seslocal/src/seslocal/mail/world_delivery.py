"""Delivery into the world behind SES, one attempt at a time. Each attempt is decided when it is made, by what the receiving host
thinks of the sender at that moment; its answer becomes SES's outcome. A deferred mail is tried again until MaxDeliverySeconds, or
fourteen hours, have passed. What the recipient then does with an accepted mail comes back as opens, clicks and complaints."""

from __future__ import annotations

import ipaddress
import re
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import msgspec

from seslocal.mail import delivery, suppression, tracking, world_envelope, world_outcomes
from seslocal.mail.content import Letter
from seslocal.mail.world_content import html_of
from seslocal.state.accepted_mail import Mail
from seslocal.state.account import Account
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.identities import Identity
from seslocal.state.journeys import Journey
from seslocal.state.outbox import HttpDelivery
from seslocal.state.outcomes import BY_WORLD, DELIVERY, DELIVERY_SECONDS, Outcome, Plan
from seslocal.state.tracking import Tracked
from seslocal.state.world_state import WorldState
from seslocal.wire.params import Params
from seslocal.world.play import next_attempt
from seslocal.world.reaction import Reaction

_MOST_LINKS: Final = 3  #: of a mail that readers click
_URL: Final = re.compile(r"<\s*(https?://[^>\s]+)\s*>", re.IGNORECASE)
_PAUSES: Final = (60.0, 600.0)  # seconds before an unsubscribe request is repeated
#: seconds since the acceptance, `returned`, `did` or `reported`, and the reaction
_Timeline = list[tuple[float, str, Reaction | None]]


def start(
    account: Account,
    mail: Mail,
    letter: Letter,
    content: Params,
    identity: Identity,
    configuration_set: ConfigurationSet | None,
    force: suppression.InForce,
    plans: list[tuple[str, Plan]],
) -> None:
    """Schedules the first attempt for each recipient about whom the world decides, after the Send. `plans` are those of all
    recipients: of those that SES holds back itself only the ground truth is told."""
    state = account.mailboxes.world
    if state is None:
        return
    at = account.clock.now() + account.settings.event_delay
    held = {one: plan[0].subtype for one, plan in plans if plan[0].not_tried}
    told = [recipient for recipient, plan in plans if plan is BY_WORLD or recipient in held]
    if len(told) > 1:
        told = _once(told)
    if not told:
        return
    keys = world_envelope.keys_of(state, letter, mail.tenant, told)
    keyed = list(zip(told, keys, strict=True))
    made = world_envelope.envelopes(account, mail, letter, content, identity, configuration_set, keyed)
    opens, links = _tracked(account, mail, content)
    mail = msgspec.structs.replace(mail, written=None)  # it would be packed too
    _attach(account)
    give_up = mail.max_delivery_seconds or DELIVERY_SECONDS
    for recipient, seen in zip(told, made, strict=True):
        if recipient in held:
            state.truth.submitted(mail.message_id, seen, at, give_up)
            state.truth.suppressed(mail.message_id, seen, at, held[recipient])
            continue
        envelope = world_envelope.leaving(account, state, seen, configuration_set)
        state.truth.submitted(mail.message_id, envelope, at, give_up)
        journey = Journey(
            msgspec.structs.replace(mail, outgoing_ip=envelope.ip),
            configuration_set.name if configuration_set else None,
            force.scope,
            force.reasons,
            envelope,
            opens,
            links,
            _unsubscribe_url(letter) if envelope.one_click else "",
            at + give_up,
        )
        account.mail.journeys.schedule(at, journey)


def _once(recipients: list[str]) -> list[str]:
    """An address that is given twice, in whatever case, gets one mail."""
    found: dict[str, str] = {}
    for one in recipients:
        found.setdefault(one.lower(), one)
    return list(found.values())


def resume(account: Account) -> None:
    """Continues the journeys of an earlier run, each when it is due, or at once if that has passed."""
    _attach(account)
    journeys = account.mail.journeys
    restored, journeys.restored = journeys.restored, []
    for due, journey in sorted(restored, key=lambda one: one[0]):
        _tell_again(account, journey)
        journeys.schedule(due, journey)


def _tell_again(account: Account, journey: Journey) -> None:
    """Tells the ground truth of a journey what it does not know: it is written once a second, a journey at each step."""
    state, name, envelope = account.mailboxes.world, journey.mail.message_id, journey.envelope
    if state is None or not state.truth.most or journey.mail.accepted_at < state.made:
        return  # a mail of an earlier world is none of this one's
    truth, verdict = state.truth, journey.verdict
    known = [mail for mail in truth.find(name) if mail.envelope.recipient == envelope.recipient]
    if not known:
        if truth.forgotten:
            return  # it may have been known
        give_up = journey.mail.max_delivery_seconds or DELIVERY_SECONDS
        first = journey.until - give_up if journey.until else journey.at
        truth.submitted(name, envelope, first, give_up)
    made = journey.number - (journey.stage == "attempt")
    if verdict is not None and made > (len(known[0].attempts) if known else 0):
        person = state.world.people.find(envelope.recipient)
        truth.attempted(name, envelope, made, journey.at, verdict, person)


def _attach(account: Account) -> None:
    if not account.mail.journeys.attached:
        account.mail.journeys.attach(partial(_continue, account))


def _continue(account: Account, journey: Journey) -> bool:
    """Does what is due. Returns whether something follows, which is scheduled then."""
    match journey.stage:
        case "attempt":
            return _attempt(account, journey)
        case "answer":
            return _answer(account, journey)
        case "later":
            return _follow(account, journey)


def _attempt(account: Account, journey: Journey) -> bool:
    state, envelope, now = account.mailboxes.world, journey.envelope, account.clock.now()
    if state is None:  # it was removed: the mail is delivered, as without a world
        _happen(account, journey, DELIVERY)
        return False
    verdict = state.world.attempt(envelope, journey.number, now)
    person = state.world.people.find(envelope.recipient)
    state.truth.attempted(journey.mail.message_id, envelope, journey.number, now, verdict, person)
    journey.stage, journey.at, journey.verdict = "answer", now, verdict
    account.mail.journeys.schedule(now + verdict.seconds, journey)
    return True


def _answer(account: Account, journey: Journey) -> bool:
    verdict, mail = journey.verdict, journey.mail
    assert verdict is not None  # since the attempt
    header = world_envelope.message_id_of(mail.message_id, account.region)
    reporter = world_outcomes.reporter(mail.outgoing_ip, account.region)
    if verdict.accepted:
        _happen(account, journey, world_outcomes.delivery(verdict, reporter, header))
        # what nobody needs any more does not wait
        journey.verdict = msgspec.structs.replace(verdict, text="", address="", why="")
        journey.stage, journey.until = "later", 0.0
        state = account.mailboxes.world
        return state is not None and _schedule(account, journey, _timeline(state, journey))
    if verdict.kind == "refuse":
        _happen(account, journey, world_outcomes.bounce(verdict, reporter, header))
        return False
    _happen(account, journey, world_outcomes.delay(verdict, reporter, header))
    journey.verdict = msgspec.structs.replace(verdict, host="", address="", seconds=0.0, why="")
    return _try_again(account, journey)


def _try_again(account: Account, journey: Journey) -> bool:
    state, envelope = account.mailboxes.world, journey.envelope
    if state is None:
        return _attempt(account, journey)
    again = next_attempt(state.world, envelope, journey.number, journey.at)
    if again > journey.until:
        journey.stage = "later"
        account.mail.journeys.schedule(journey.until, journey)
        return True
    journey.stage, journey.number = "attempt", journey.number + 1
    account.mail.journeys.schedule(again, journey)
    return True


# after an acceptance


def _accepted_at(journey: Journey) -> float:
    assert journey.verdict is not None  # since the attempt
    return journey.at + journey.verdict.seconds


def _timeline(state: WorldState, journey: Journey) -> _Timeline:
    """Returns what follows an acceptance, in the order of time. The same journey always has the same."""
    assert journey.verdict is not None  # since the attempt
    found: _Timeline = []
    if journey.verdict.returned is not None:
        found.append((journey.verdict.returned, "returned", None))
    for reaction in state.world.react(journey.envelope, journey.verdict, _accepted_at(journey)):
        found.append((reaction.after, "did", reaction))
        if reaction.reported is not None:
            found.append((max(reaction.after, reaction.reported), "reported", reaction))
    return sorted(found, key=lambda one: one[0])


def _schedule(account: Account, journey: Journey, timeline: _Timeline) -> bool:
    """Schedules the next of what follows an acceptance. Returns whether anything does."""
    if journey.step >= len(timeline):
        return False
    due = _accepted_at(journey) + timeline[journey.step][0]
    account.mail.journeys.schedule(max(due, account.clock.now()), journey)
    return True


def _follow(account: Account, journey: Journey) -> bool:
    state, verdict, now = account.mailboxes.world, journey.verdict, account.clock.now()
    assert verdict is not None  # since the attempt
    name, envelope = journey.mail.message_id, journey.envelope
    header = world_envelope.message_id_of(name, account.region)
    if not verdict.accepted:
        reporter = world_outcomes.reporter(journey.mail.outgoing_ip, account.region)
        most = journey.mail.max_delivery_seconds
        _happen(account, journey, world_outcomes.expired(verdict, most, reporter, header))
        if state is not None:
            state.truth.expired(name, envelope, now)
        return False
    if state is None:
        return False
    timeline = _timeline(state, journey)
    if journey.step >= len(timeline):  # another world has replaced the one that accepted it
        return False
    _, what, reaction = timeline[journey.step]
    journey.step += 1
    if reaction is None:
        state.truth.returned(name, envelope, now)
        _happen(account, journey, world_outcomes.late_bounce(verdict, header))
    elif what == "reported":
        state.truth.reported(name, envelope, now)
        _happen(account, journey, world_outcomes.complaint(verdict, _accepted_at(journey)))
    else:
        state.world.happened(envelope, verdict, reaction, now)
        state.truth.happened(name, envelope, reaction, now)
        _show(account, journey, reaction, state)
    return _schedule(account, journey, timeline)


def _show(account: Account, journey: Journey, reaction: Reaction, state: WorldState) -> None:
    """Does what of a reaction the sender can see."""
    match reaction.deed:
        case "open" | "machine_open":
            # without an agent nothing was fetched
            if reaction.agent and journey.opens and (seen := _as_tracked(account, journey)):
                tracking.report_open(account, seen, reaction.address, reaction.agent)
        case "click" | "machine_click":
            if journey.links and (seen := _as_tracked(account, journey)):
                envelope = journey.envelope
                drawn = state.world.draws.four("link", f"{envelope.key} {envelope.recipient} {journey.step}")
                link = journey.links[int(drawn[0] * len(journey.links))]
                tracking.report_click(account, seen, reaction.address, reaction.agent, *link)
        case "unsubscribe":
            _unsubscribe(account, journey.unsubscribe)
        case _:
            pass


def _as_tracked(account: Account, journey: Journey) -> Tracked | None:
    found = account.configuration_sets.get(journey.configuration_set or "")
    return found and Tracked(journey.mail, found, journey.opens, bool(journey.links))


def _tracked(account: Account, mail: Mail, content: Params) -> tuple[bool, tuple[tuple[str, str], ...]]:
    """Whether opens of a mail are tracked, and its tracked links."""
    tracked = account.mail.tracking.get(mail.message_id)
    html = html_of(content) if tracked is not None else None
    if tracked is None or html is None:
        return False, ()
    return tracked.opens, tracking.links_of(html, _MOST_LINKS) if tracked.clicks else ()


# unsubscribing


def _unsubscribe_url(letter: Letter) -> str:
    for header in letter.headers:
        if header["name"].lower() == "list-unsubscribe" and (found := _URL.search(header["value"])):
            return found[1]
    return ""


def _unsubscribe(account: Account, url: str) -> None:
    """Posts to the mail's own URL for one click (RFC 8058, 3.2), if the switches allow it."""
    allowed = account.behaviour.world_unsubscribes
    if not url or not allowed or not (account.behaviour.world_unsubscribes_anywhere or _is_here(url)):
        return
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    account.events.outbox.send(
        HttpDelivery(url, headers, b"List-Unsubscribe=One-Click", _is_unsubscribed, _PAUSES)
    )


def _is_unsubscribed(status: int, body: bytes) -> bool | None:
    """A 4xx is final: the sender's server refuses this request."""
    if 200 <= status < 300:
        return True
    return None if 400 <= status < 500 and status != 429 else False


def _is_here(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _happen(account: Account, journey: Journey, outcome: Outcome) -> None:
    mail = journey.mail
    configuration_set = account.configuration_sets.get(journey.configuration_set or "")
    force = delivery.in_force_of(account, journey.scope, journey.reasons, mail.tenant)
    recipient = next(
        (one for one in mail.destination if one.lower() == journey.envelope.recipient),
        journey.envelope.recipient,
    )
    delivery.happen(account, mail, configuration_set, outcome, [recipient], force)
