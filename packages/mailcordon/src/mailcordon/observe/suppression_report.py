"""Explains to a person whether a tenant may mail an address: from our suppressions and from what SES's lists say. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailcordon.core.suppression import Scope, Suppression
from mailcordon.messages import suppressions as messages
from mailcordon.messages import times

MOST_DROPPED = 20  #: mails that are shown
OLD_MS = 3_600_000  #: after which what was read of SES is called old


@dataclass(frozen=True, slots=True, kw_only=True)
class AtSes:
    """An address on a list of SES in one spelling, as it was read last. Times are milliseconds since 1970."""

    list: str  #: an SES tenant; "": the account's list
    spelling: str
    found: bool | None  #: None: not read yet
    reason: str | None
    listed_at: int | None
    message_id: str | None
    feedback_id: str | None
    read_at: int | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A mail that did not reach the address because of a suppression: refused here, or dropped by SES."""

    delivery: int
    type: str
    at: int
    by_ses: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of an address of a tenant."""

    tenant: str
    address: str
    now: int
    ours: Sequence[Suppression]  #: of the tenant, expired ones too, and of the platform
    at_ses: Sequence[AtSes]
    dropped: Sequence[Dropped]  #: the newest first, at most MOST_DROPPED + 1
    soft_bounces: int  #: that count for the policy of repetition


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    sentence: str  #: whether it may be mailed; why not, since when and by whom
    dropped: str  #: what did not reach it because of that; "": nothing
    disagreements: Sequence[str]  #: between ours and SES's
    next: Sequence[str]  #: what can be done


def explain(known: Known) -> Explanation:
    standing = [one for one in known.ours if one.until is None or one.until > known.now]
    return Explanation(
        sentence=_sentence(known, standing),
        dropped=_dropped(known, standing),
        disagreements=_disagreements(known, standing),
        next=_next(known, standing),
    )


def _sentence(known: Known, standing: Sequence[Suppression]) -> str:
    if standing:
        widest = min(standing, key=_by_width)
        return replace(widest, address=known.address).sentence(known.tenant)
    listed = [one for one in known.at_ses if one.found and one.list]
    if listed:
        return messages.only_ses_lists(known.tenant, known.address, listed[0].reason or "")
    return messages.may_be_mailed(known.tenant, known.address)


def _by_width(one: Suppression) -> tuple[bool, Scope, int]:
    return one.scope is not Scope.PLATFORM or one.only is not None, one.scope, one.since


def _dropped(known: Known, standing: Sequence[Suppression]) -> str:
    if not known.dropped:
        return ""
    shown = known.dropped[:MOST_DROPPED]
    return messages.dropped(
        number=len(shown),
        by_ses=sum(one.by_ses for one in shown),
        more=len(known.dropped) > len(shown),
        newest=times.minute(shown[0].at),
        standing=bool(standing),
    )


def _disagreements(known: Known, standing: Sequence[Suppression]) -> list[str]:
    said: list[str] = []
    read = [one for one in known.at_ses if one.read_at is not None]
    listed = [one for one in read if one.found]
    own = [one for one in listed if one.list]
    by_events = [
        one for one in standing if one.by == "ses" and one.cause not in ("unsubscribe", "soft-bounces")
    ]
    if own and not standing:
        said.append(messages.ses_lists_and_we_do_not(own[0].list, own[0].spelling))
    if by_events and read and not own and by_events[0].cause != "ses-global-list":
        said.append(messages.we_suppress_and_ses_does_not(_lists(read)))
    for name in sorted({one.list for one in listed}):
        spellings = sorted(one.spelling for one in listed if one.list == name)
        if len(spellings) > 1:
            said.append(messages.several_spellings(name or "account", spellings))
    for one in own:
        if one.reason == "COMPLAINT" and all(row.scope is Scope.CLASS for row in standing) and standing:
            continue
        if one.reason == "COMPLAINT" and any(row.cause == "hard-bounce" for row in standing):
            said.append(messages.other_reason(one.list, "COMPLAINT", "hard bounce"))
        if one.reason == "BOUNCE" and standing and all(row.scope is Scope.CLASS for row in standing):
            said.append(messages.ses_covers_more(one.list))
    said += [
        messages.could_not_read(one.list or "account", one.problem) for one in known.at_ses if one.problem
    ]
    if read and known.now - max(one.read_at or 0 for one in read) > OLD_MS:
        said.append(messages.read_long_ago(times.minute(max(one.read_at or 0 for one in read))))
    forgotten = any(one.cause == "forgotten" for one in standing)
    if not read and not forgotten:
        said.append(messages.never_read())
    return said


def _next(known: Known, standing: Sequence[Suppression]) -> list[str]:
    if not standing:
        return []
    said: list[str] = []
    for one in standing:
        if one.removing_since is not None:
            said.append(messages.removal_under_way(one.removal_waits or ""))
        elif one.scope is Scope.PLATFORM:
            said.append(messages.of_the_platform())
        else:
            said.append(
                messages.what_to_do(
                    cause=one.cause,
                    tenant=known.tenant,
                    address=known.address,
                    scope=one.scope.word,
                    mail=one.mail or "",
                    until="" if one.until is None else times.day(one.until),
                    soft_bounces=known.soft_bounces,
                )
            )
    return said


def _lists(read: Sequence[AtSes]) -> list[str]:
    return sorted({one.list or "account" for one in read})
