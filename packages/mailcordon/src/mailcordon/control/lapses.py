"""When a domain counts as lapsed, and what that does to its lanes. Pure: what checks saw and the time in, states out.

A record is lost if it was right before and is missing or wrong now. One look proves nothing: a zone is edited, a name server lags
behind. A loss counts as a lapse once the zone's own name servers have agreed on it `agreeing` times over `over_ms`, or once SES
says so. A look-up that failed neither counts nor resets, however long the DNS is down. A lapse ends with the first check that
finds the record again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

from mailcordon.control.authentication.faults import Code, Fault
from mailcordon.control.authentication.judgement import Judgement, Result
from mailcordon.core.priority import Class
from mailcordon.messages import identities as messages

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


class Area(StrEnum):
    """What a record is needed for. What is lost in one area says nothing of the others."""

    DKIM = "dkim"
    MAIL_FROM = "mail-from"  #: its MX and its SPF record
    DMARC = "dmarc"
    MAIL = "mail"  #: whether the mail that lanes send passes DMARC, all records together


class Effect(StrEnum):
    """What a lapse means for the mail of a domain."""

    WEAKER = "weaker"  #: it still passes DMARC
    FAILS = "fails"  #: it does not


Action = Literal["report", "slow", "hold"]
FAILS_CODE = "dmarc-fails"
SES_CODE = "lost-at-ses"
DEFAULT_SLOW = 0.1  #: deliveries per second of a lane that is slowed, unless the policy says otherwise

#: The faults that mean a loss, if the area was right before. What SES itself has not finished is none, nor what only readers of
#: the old RFC see.
_AREAS: Mapping[Code, Area] = {
    Code.DKIM_MISSING: Area.DKIM,
    Code.DKIM_WRONG: Area.DKIM,
    Code.MAIL_FROM_MX_MISSING: Area.MAIL_FROM,
    Code.MAIL_FROM_MX_WRONG: Area.MAIL_FROM,
    Code.SPF_MISSING: Area.MAIL_FROM,
    Code.SPF_TWO_RECORDS: Area.MAIL_FROM,
    Code.SPF_SYNTAX: Area.MAIL_FROM,
    Code.SPF_TOO_MANY_LOOKUPS: Area.MAIL_FROM,
    Code.SPF_TOO_MANY_VOIDS: Area.MAIL_FROM,
    Code.SPF_BROKEN: Area.MAIL_FROM,
    Code.SPF_NOT_SES: Area.MAIL_FROM,
    Code.DMARC_MISSING: Area.DMARC,
    Code.DMARC_ALIAS_EMPTY: Area.DMARC,
    Code.DMARC_WRONG_PLACE: Area.DMARC,
    Code.DMARC_TWO_RECORDS: Area.DMARC,
    Code.DMARC_SYNTAX: Area.DMARC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Times in milliseconds."""

    agreeing: int = 3  #: times that the zone's own name servers must agree
    over_ms: int = 24 * _HOUR  #: at least so long from the first to the last

    @property
    def apart_ms(self) -> int:
        """Checks closer together than this count once: three clicks of a person are not three proofs."""
        return self.over_ms // 4

    @property
    def gap_ms(self) -> int:
        """After this long without an answer nobody knows what was published in between: counting begins again."""
        return self.over_ms * 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One thing that a check found missing or wrong."""

    code: str
    area: Area
    record: str  #: the name it is about
    says: str
    publish: Mapping[str, str] | None = None  #: {type, name, value} that would mend it
    by_ses: bool = False  #: SES says so: it counts at once

    @property
    def key(self) -> tuple[str, str]:
        return self.code, self.record


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one check saw, as far as it matters here."""

    at: int  #: milliseconds since 1970
    authoritative: bool  #: only the answers of the zone's own name servers count, for better or worse
    losses: tuple[Loss, ...] = ()
    unsure: frozenset[Area] = frozenset()  #: a look-up failed: neither a success nor a failure
    applies: frozenset[Area] = frozenset(Area)  #: without a custom MAIL FROM there is none to lose
    subjects: Mapping[Area, str] = field(default_factory=dict[Area, str])  #: as in `State`
    ses_good: frozenset[Area] = frozenset()
    ses_lost: frozenset[Area] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A loss, with how often it was confirmed. With `lapsed_at` it is a lapse."""

    loss: Loss
    since: int  #: first seen, milliseconds since 1970
    last: int  #: last counted
    agreed: int
    lapsed_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is remembered of a domain between two checks."""

    good: Mapping[Area, int] = field(default_factory=dict[Area, int])  #: when each area was right last
    suspicions: tuple[Suspicion, ...] = ()
    #: The DKIM keys and the MAIL FROM domain that this is about: of others nothing is remembered.
    subjects: Mapping[Area, str] = field(default_factory=dict[Area, str])

    @property
    def lapses(self) -> tuple[Suspicion, ...]:
        return tuple(each for each in self.suspicions if each.lapsed_at is not None)

    @property
    def lapsed_at(self) -> int | None:
        return min((each.lapsed_at for each in self.suspicions if each.lapsed_at is not None), default=None)

    @property
    def effect(self) -> Effect | None:
        """None: nothing has lapsed."""
        areas = {each.loss.area for each in self.lapses}
        return Effect.FAILS if Area.MAIL in areas else Effect.WEAKER if areas else None

    @property
    def missing(self) -> tuple[Suspicion, ...]:
        """The lapses that name a record; without one, all."""
        records = tuple(each for each in self.lapses if each.loss.area is not Area.MAIL)
        named = tuple(each for each in records if each.loss.publish is not None)
        return named or records or self.lapses


@dataclass(frozen=True, slots=True, kw_only=True)
class Ses:
    """What SES says of a domain: members of GetEmailIdentity (ses.md 5.2)."""

    status: str | None = None  #: VerificationStatus
    dkim_status: str | None = None
    keys: tuple[str, ...] = ()  #: DkimAttributes.Tokens
    mail_from: str | None = None
    mail_from_status: str | None = None

    @property
    def subjects(self) -> Mapping[Area, str]:
        found = {Area.DKIM: " ".join(self.keys), Area.MAIL_FROM: self.mail_from or ""}
        return {area: what for area, what in found.items() if what}

    @property
    def good(self) -> frozenset[Area]:
        areas = (
            {Area.DKIM} if self.status == "SUCCESS" and self.dkim_status in ("SUCCESS", None) else set[Area]()
        )
        if self.mail_from and self.mail_from_status == "SUCCESS":
            areas.add(Area.MAIL_FROM)
        return frozenset(areas)

    @property
    def lost(self) -> frozenset[Area]:
        """SES retries a MAIL FROM for 72 h and sends meanwhile; only FAILED is its last word. A domain that it fails to find even
        temporarily is on the way to being refused."""
        areas = {Area.DKIM} if self.status in ("FAILED", "TEMPORARY_FAILURE") else set[Area]()
        if self.mail_from and self.mail_from_status == "FAILED":
            areas.add(Area.MAIL_FROM)
        return frozenset(areas)


def seen(judgement: Judgement, ses: Ses, at: int) -> Seen:
    """What a judgement and SES's view mean for lapses."""
    lost = [
        Loss(
            code=SES_CODE,
            area=area,
            record=(ses.mail_from or "") if area is Area.MAIL_FROM else judgement.domain,
            says=messages.lost_at_ses(
                judgement.domain,
                ses.mail_from if area is Area.MAIL_FROM else None,
                (ses.mail_from_status if area is Area.MAIL_FROM else ses.status) or "",
            ),
            by_ses=True,
        )
        for area in sorted(ses.lost)
    ]
    unsure = {area for each in judgement.faults if each.unsure and (area := area_of(each)) is not None}
    if not judgement.complete and not unsure:
        unsure = set(Area)
    for fault in judgement.faults:
        area = _AREAS.get(fault.code)
        if area is not None and fault.severity == "error":  # what is less leaves the record in use
            lost.append(
                Loss(
                    code=fault.code.value,
                    area=area,
                    record=fault.record,
                    says=fault.sentence,
                    publish=_record(fault),
                )
            )
    results = {each.result for each in judgement.mails}
    if Result.FAILS in results:
        says = next(each.sentence for each in judgement.mails if each.result is Result.FAILS)
        lost.append(Loss(code=FAILS_CODE, area=Area.MAIL, record=judgement.domain, says=says))
    elif Result.UNKNOWN in results:
        unsure.add(Area.MAIL)
    applies = frozenset(Area) - ({Area.MAIL_FROM} if ses.mail_from is None else set())
    return Seen(
        at=at,
        authoritative=judgement.authoritative,
        losses=tuple(each for each in lost if each.area in applies),
        unsure=frozenset(unsure),
        applies=applies if results else applies - {Area.MAIL},
        subjects=ses.subjects,
        ses_good=ses.good,
        ses_lost=ses.lost,
    )


def fold(state: State, now: Seen, rules: Rules) -> State:
    """The state after a check. Checks are folded in the order of their times."""
    losses = {each.key: each for each in now.losses}
    changed = {area for area, what in now.subjects.items() if state.subjects.get(area, what) != what}
    good = {area: at for area, at in state.good.items() if area in now.applies and area not in changed}
    bad = {each.area for each in now.losses}
    for area in now.applies:
        is_right = now.authoritative and area not in now.unsure and area not in bad
        if is_right or area in now.ses_good:
            good[area] = max(now.at, good.get(area, 0))
    before = {each.loss.key: each for each in state.suspicions if each.loss.area not in changed}
    after: list[Suspicion] = []
    for key, loss in losses.items():
        if (kept := _again(before.get(key), loss, now, rules, was_good=loss.area in good)) is not None:
            after.append(kept)
    for key, was in before.items():
        if key not in losses and _is_kept(was, now):
            after.append(was)
    return State(
        good=good,
        suspicions=tuple(sorted(after, key=lambda each: (each.since, each.loss.key))),
        subjects={**state.subjects, **now.subjects},
    )


def _again(was: Suspicion | None, loss: Loss, now: Seen, rules: Rules, *, was_good: bool) -> Suspicion | None:
    """A loss that this check saw. None: it is not remembered."""
    if loss.by_ses:
        if was is not None:
            return replace(was, loss=loss)
        return (
            Suspicion(loss=loss, since=now.at, last=now.at, agreed=1, lapsed_at=now.at) if was_good else None
        )
    if not now.authoritative or not was_good:
        return was
    if was is None or (was.lapsed_at is None and now.at - was.last > rules.gap_ms):
        was = Suspicion(loss=loss, since=now.at, last=now.at, agreed=1)
    elif now.at - was.last >= rules.apart_ms:
        was = replace(was, loss=loss, last=now.at, agreed=was.agreed + 1)
    else:
        was = replace(was, loss=loss)
    is_proved = was.agreed >= rules.agreeing and was.last - was.since >= rules.over_ms
    if was.lapsed_at is None and (is_proved or _ses_agrees(loss.area, now)):
        was = replace(was, lapsed_at=now.at)
    return was


def _ses_agrees(area: Area, now: Seen) -> bool:
    return area in now.ses_lost or (area is Area.MAIL and Area.DKIM in now.ses_lost)


def _is_kept(was: Suspicion, now: Seen) -> bool:
    """Whether a loss that this check did not see is still suspected: only a real answer clears it."""
    if was.loss.area not in now.applies or was.loss.by_ses:
        return False
    return not now.authoritative or was.loss.area in now.unsure


# Lanes ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a lapse does to the lanes of a class."""

    action: Action
    rate: float | None = None  #: deliveries per second, with `slow`


#: Marketing that fails DMARC is junked or refused, and costs the domain's reputation: it waits. A receipt or a reset that may
#: still arrive is worth more than that risk: it goes on, and people are told.
DEFAULTS: Mapping[tuple[Class, Effect], Policy] = {
    (class_, effect): Policy(
        action="hold" if class_ is Class.MARKETING and effect is Effect.FAILS else "report"
    )
    for class_ in Class
    for effect in Effect
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The hold that a lapse asks for on a lane."""

    stops: bool
    rate: float | None
    because: str
    evidence: Mapping[str, Any]


def wanted(
    domain: str, state: State, class_: Class, policies: Mapping[tuple[Class, Effect], Policy]
) -> Wanted | None:
    """None: the lane goes on as it is."""
    effect = state.effect
    if effect is None:
        return None
    policy = policies.get((class_, effect)) or DEFAULTS[class_, effect]
    if policy.action == "report":
        return None
    stops = policy.action == "hold"
    rate = None if stops else policy.rate or DEFAULT_SLOW
    evidence = {
        "lapse": domain,
        "lapsed_at": state.lapsed_at,
        "effect": effect.value,
        "records": sorted({each.loss.record for each in state.missing}),
        "action": policy.action,
        "rate": rate,
    }
    return Wanted(stops=stops, rate=rate, because=because(domain, state), evidence=evidence)


def because(domain: str, state: State) -> str:
    """The sentence of a lapse: what is missing, what to publish, and what it means. Only for a state with lapses."""
    first, *others = state.missing
    publish = first.loss.publish or {}
    return messages.domain_lapsed(
        domain,
        first.loss.says.rstrip("."),
        " ".join(publish[name] for name in ("type", "name", "value")) if publish else None,
        len(others),
        fails=state.effect is Effect.FAILS,
    )


# Times ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Milliseconds until a domain is checked again."""

    unread: int = _MINUTE  #: what SES has of it was not read yet
    first: int = (
        10 * _MINUTE
    )  #: a domain of less than a day that SES has not verified; later a tenth of its age
    longest: int = 6 * _HOUR  #: of those
    steady: int = _DAY  #: everything is right
    failed: int = _HOUR  #: a look-up failed
    lapsed: int = _HOUR  #: somebody may be mending it


def next_check(
    state: State,
    now: int,
    rules: Rules,
    *,
    read: bool = True,
    verified: bool,
    complete: bool,
    age_ms: int,
    identity: int,
) -> int:
    """When to check again, in milliseconds since 1970. `read`: what SES has of the domain is known. `verified`: all of it is as
    mail needs it."""
    pace = Pace()
    if not read:
        wait = pace.unread
    elif state.lapses:
        wait = pace.lapsed
    elif state.suspicions:
        wait = rules.over_ms // 3
    elif not complete:
        wait = pace.failed
    elif not verified:
        wait = min(max(pace.first, age_ms // 10), pace.longest)
    else:
        # Spread by the identity's number, so that a thousand domains that were onboarded together do not stay together.
        wait = pace.steady * (900 + identity * 7919 % 200) // 1000
    return now + wait


# JSON ----------------------------------------------------------------------------------------------------------------------


def to_json(state: State) -> dict[str, Any]:
    return {
        "good": {area.value: at for area, at in state.good.items()},
        "subjects": {area.value: what for area, what in state.subjects.items()},
        "suspicions": [
            {
                "code": each.loss.code,
                "area": each.loss.area.value,
                "record": each.loss.record,
                "says": each.loss.says,
                "publish": None if each.loss.publish is None else dict(each.loss.publish),
                "by_ses": each.loss.by_ses,
                "since": each.since,
                "last": each.last,
                "agreed": each.agreed,
                "lapsed_at": each.lapsed_at,
            }
            for each in state.suspicions
        ],
    }


def from_json(found: Mapping[str, Any]) -> State:
    return State(
        good={Area(area): at for area, at in found.get("good", {}).items()},
        subjects={Area(area): what for area, what in found.get("subjects", {}).items()},
        suspicions=tuple(
            Suspicion(
                loss=Loss(
                    code=each["code"],
                    area=Area(each["area"]),
                    record=each["record"],
                    says=each["says"],
                    publish=each["publish"],
                    by_ses=each["by_ses"],
                ),
                since=each["since"],
                last=each["last"],
                agreed=each["agreed"],
                lapsed_at=each["lapsed_at"],
            )
            for each in found.get("suspicions", ())
        ),
    )


def area_of(fault: Fault) -> Area | None:
    """What a fault is about, for a list by subject."""
    if fault.code is Code.NOT_KNOWN:
        return _area_of_name(fault)
    if fault.code in _AREAS:
        return _AREAS[fault.code]
    word = fault.code.value
    for prefix, area in (("dkim", Area.DKIM), ("mail-from", Area.MAIL_FROM), ("spf", Area.MAIL_FROM)):
        if word.startswith(prefix):
            return area
    return Area.DMARC if word.startswith("dmarc") else None


def _area_of_name(fault: Fault) -> Area:
    labels = fault.record.split(".")
    if "_domainkey" in labels:
        return Area.DKIM
    return Area.DMARC if "_dmarc" in labels else Area.MAIL_FROM


def _record(fault: Fault) -> Mapping[str, str] | None:
    if fault.publish is None:
        return None
    return {"type": fault.publish.type, "name": fault.publish.name, "value": fault.publish.value}
