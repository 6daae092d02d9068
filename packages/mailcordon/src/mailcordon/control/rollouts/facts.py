"""The checklist of a rollout, from what is known of its lanes. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailcordon.control.proofs import Last, fresh
from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.policy.effective import LanePolicy
from mailcordon.guard.rollouts.checklist import ENFORCED_FROM
from mailcordon.guard.rollouts.nouns import Check, Item
from mailcordon.messages import rollouts as words

#: A check of a domain says nothing of it any more. They are due once a day.
CHECK_MS = 2 * 86_400_000
#: The budget of a warm-up may be exceeded by so much: what is over it waits for a while and leaves.
WARM_UP_ROOM = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where mail of one path goes through."""

    domain: str
    ses_tenant: str
    configuration_set: str
    ip_pool: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFacts:
    """What is known of one lane's new path. Times are ms since 1970."""

    lane: int
    type: str
    class_: Class
    tenant: str  #: slug
    new: Way
    old: Way | None
    share: int
    identity_status: str | None
    lapsed_at: int | None
    checked_at: int | None
    check_complete: bool
    check: (
        Mapping[str, Any] | None
    )  #: the stored result of the domain's last check (control/identity_checks.py)
    ses_status: str | None = (
        None  #: of the domain, as SES said it last; the check may be hours old. None: as the check saw it
    )
    mail_from_status: str | None = None
    outcome_enabled: bool | None  #: the set's destinations, as SES has them; None: missing, or not read yet
    engagement_enabled: bool | None
    destination_problem: str | None
    proof: Last | None
    parts: Mapping[str, Any] | None  #: of the new route, which a proof is about (control/proofs.py)
    policy: LanePolicy
    tenant_scope: str | None  #: the suppression scope of its SES tenant, as SES has it
    split_problem: str | None  #: what of the shared list is not taken apart yet; None: nothing
    alerted: bool  #: a channel that works is told of the tenant's incidents
    stopped: str | None = None  #: why SES takes no mail over the new path, while it does over the old one
    outside: str | None = None  #: what others say of the new domain, if it is bad (docs/signals.md)
    daily: Mapping[int, float]  #: mails a day, by provider
    warm_up: Mapping[
        int, tuple[int, str]
    ]  #: by provider: mails that may leave today, and the mode of that limit


def items(lanes: Sequence[LaneFacts], target: int, now: int, before: Mapping[str, int]) -> tuple[Item, ...]:
    """The checklist for growing to `target` percent. `before`: since when lines do not hold, by key, as they were seen last."""
    found: dict[str, Item] = {}
    for lane in lanes:
        for item in (*_of_domain(lane, now), *_of_lane(lane, target, now), *_of_tenant(lane)):
            found.setdefault(item.key, item)
    return tuple(_since(item, now, before) for item in found.values())


def _since(item: Item, now: int, before: Mapping[str, int]) -> Item:
    if item.holds is not False or item.since is not None:
        return item
    return Item(
        check=item.check,
        of=item.of,
        holds=item.holds,
        said=item.said,
        since=before.get(item.key, now),
        command=item.command,
        from_share=item.from_share,
    )


def _of_domain(lane: LaneFacts, now: int) -> Iterable[Item]:
    domain, check = lane.new.domain, lane.check
    command = f"mailcordon identity check {domain}"
    if lane.identity_status != "verified":
        yield Item(
            check=Check.IDENTITY,
            of=domain,
            holds=False,
            said=words.not_verified(domain, lane.identity_status),
            command=f"mailcordon identity show {domain}",
        )
        return
    if check is None or lane.checked_at is None or now - lane.checked_at > CHECK_MS:
        for name in (Check.IDENTITY, Check.ALIGNED, Check.MAIL_FROM):
            yield Item(check=name, of=domain, holds=None, said=words.not_checked(domain), command=command)
        return
    ses = check["ses"]
    status = lane.ses_status or ses["status"]
    mail_from_status = lane.mail_from_status or ses["mail_from_status"]
    yield _item(
        Check.IDENTITY,
        domain,
        _error(check, "dkim") or (None if status == "SUCCESS" else words.ses_status(domain, status)),
        words.signs(domain),
        since=lane.lapsed_at,
        command=command,
    )
    yield _item(
        Check.MAIL_FROM,
        domain,
        _error(check, "mail-from")
        or (None if mail_from_status == "SUCCESS" else words.mail_from_falls_back(domain, mail_from_status)),
        words.mail_from_works(domain, ses["mail_from"]),
        command=command,
    )
    answer = next((each for each in check["lanes"] if each["type"] == lane.type), None)
    result = None if answer is None else answer["result"]
    yield Item(
        check=Check.ALIGNED,
        of=domain,
        holds=None if result in (None, "unknown") else result in ("passes-both", "passes-dkim-only"),
        said=words.not_checked(domain) if answer is None else str(answer["says"]),
        command=command,
    )


def _error(check: Mapping[str, Any], what: str) -> str | None:
    """The first thing that is wrong for sure."""
    return next(
        (
            str(fault["says"])
            for fault in check["faults"]
            if fault["what"] == what and fault["severity"] == "error" and not fault["unsure"]
        ),
        None,
    )


def _item(
    check: Check,
    of: str,
    problem: str | None,
    fine: str,
    *,
    since: int | None = None,
    command: str | None = None,
) -> Item:
    return Item(
        check=check,
        of=of,
        holds=problem is None,
        said=problem or fine,
        since=since if problem is not None else None,
        command=command if problem is not None else None,
    )


def _of_lane(lane: LaneFacts, target: int, now: int) -> Iterable[Item]:
    name, configuration_set = f"{lane.tenant}/{lane.type}", lane.new.configuration_set
    missing = [
        word
        for word, enabled in (("outcome", lane.outcome_enabled), ("engagement", lane.engagement_enabled))
        if enabled is not True
    ]
    yield _item(
        Check.TAKEN,
        name,
        None if lane.stopped is None else words.path_is_stopped(name, lane.stopped),
        words.path_is_taken(name),
        command="mailcordon stops list",
    )
    problem = lane.destination_problem
    yield _item(
        Check.DESTINATIONS,
        configuration_set,
        words.destinations_missing(configuration_set, missing, problem) if missing or problem else None,
        words.destinations_work(configuration_set),
        command="mailcordon drift",
    )
    shown = fresh(lane.proof, lane.parts, now)
    if lane.proof is None:
        unproved = words.never_proved(name)
    else:
        unproved = None if shown.is_fresh else words.not_proved(name, shown.because)
    yield _item(
        Check.PROVED,
        name,
        unproved,
        words.proved(name),
        command=f"mailcordon prove {lane.tenant} --type {lane.type}",
    )
    yield _item(
        Check.SIGNALS,
        lane.new.domain,
        lane.outside,
        words.nothing_said(lane.new.domain),
        command=f"mailcordon signal list --domain {lane.new.domain}",
    )
    yield from _limits(lane, name)
    yield from _warm_up(lane, name, target)


def _limits(lane: LaneFacts, name: str) -> Iterable[Item]:
    policy = lane.policy
    command = f"mailcordon policy show {lane.tenant} {lane.type}"
    watched = policy.breaker.mode is not Mode.OBSERVE and all(
        cap.mode is not Mode.OBSERVE for cap in policy.caps
    )
    yield _item(
        Check.LIMITS, name, None if watched else words.not_watched(name), words.watched(name), command=command
    )
    loose = [f"{cap.scope.value} per {cap.per.value}" for cap in policy.caps if cap.mode is not Mode.ENFORCE]
    if policy.warm_up.mode is not Mode.ENFORCE:
        loose.append("warm-up")
    problem = words.not_enforced(name, loose, ENFORCED_FROM) if loose else None
    yield Item(
        check=Check.LIMITS,
        of=f"{name}:enforced",
        holds=problem is None,
        said=problem or words.enforced(name),
        command=command if problem else None,
        from_share=ENFORCED_FROM,
    )


def _warm_up(lane: LaneFacts, name: str, target: int) -> Iterable[Item]:
    """What the next share sends in a day has to fit into what the warm-up lets leave."""
    for provider, mails in sorted(lane.daily.items()):
        room, mode = lane.warm_up.get(provider, (None, ""))
        expected = mails * target / 100
        if room is None or mode != Mode.ENFORCE or expected <= WARM_UP_ROOM * room:
            continue
        word = Provider(provider).word
        yield Item(
            check=Check.WARM_UP,
            of=f"{lane.new.domain}:{word}",
            holds=False,
            said=words.warm_up_too_small(lane.new.domain, word, room, round(expected), target),
            command=f"mailcordon warmup show {lane.new.domain}",
        )
        return
    yield Item(check=Check.WARM_UP, of=name, holds=True, said=words.warm_up_has_room(name, target))


def _of_tenant(lane: LaneFacts) -> Iterable[Item]:
    if lane.tenant_scope != "TENANT":
        problem = words.suppression_shared(lane.new.ses_tenant, lane.tenant_scope)
    else:
        problem = lane.split_problem
    yield _item(
        Check.SUPPRESSION,
        lane.tenant,
        problem,
        words.suppression_apart(lane.tenant),
        command="mailcordon suppression split status",
    )
    yield _item(
        Check.ALERTS,
        lane.tenant,
        None if lane.alerted else words.nobody_alerted(lane.tenant),
        words.somebody_alerted(lane.tenant),
        command="mailcordon alert channel add",
    )
