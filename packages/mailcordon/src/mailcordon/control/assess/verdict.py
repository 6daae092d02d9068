"""Should the account be migrated, and why now? Pure.

The trigger is one question: did you ever throttle or stop everybody because of one tenant? A person answers it, or the account
shows it: it is stopped or reviewed, a shared set is stopped, or one tenant's week took the account over a limit of SES.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailcordon.control.assess.dangers import Danger, Severity
from mailcordon.control.assess.tenants import Portrait, What
from mailcordon.messages import assess as messages


class Answer(StrEnum):
    MIGRATE_NOW = "migrate-now"
    MIGRATE = "migrate"
    REPAIR = "repair"  #: nothing is shared, and something is wrong
    STAY = "stay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    answer: Answer
    says: str
    reasons: tuple[str, ...]
    throttled: bool | None  #: what a person answered


def judge(portraits: Sequence[Portrait], dangers: Sequence[Danger], *, throttled: bool | None) -> Verdict:
    def said(answer: Answer, *reasons: str) -> Verdict:
        says = messages.verdict(answer=answer.value)
        return Verdict(answer=answer, says=says, reasons=reasons, throttled=throttled)

    harmful = any(each.severity is Severity.NOW for each in dangers)
    if len(portraits) < 2:
        return said(Answer.REPAIR if harmful else Answer.STAY, messages.one_tenant(tenants=len(portraits)))
    sharing = [each.slug for each in portraits if _shares(each)]
    if not sharing:
        return said(Answer.REPAIR if harmful else Answer.STAY, messages.all_apart(tenants=len(portraits)))
    what = [each for each in What if any(each in _shares(one) for one in portraits)]
    reasons = [messages.sharing(sharing=sharing, what=[each.value for each in what])]
    urgent: list[str] = []
    for code in ("account-stopped", "account-under-review", "set-stopped"):
        found = [each for each in dangers if each.code == code and len(each.tenants) > 1]
        if found:
            urgent.append(messages.stopped_for_all(what=code, names=[each.about for each in found]))
    if tipped := [each.slug for each in portraits if each.endangers and each.harm and each.harm.tipped]:
        urgent.append(messages.some_tipped(tenants=tipped))
    if bad := [each.slug for each in portraits if each.endangers and _shares(each)]:
        urgent.append(messages.some_endanger(tenants=bad))
    if throttled:
        urgent.append(messages.trigger(told=True))
    else:
        reasons.append(messages.trigger(told=throttled))
    return said(Answer.MIGRATE_NOW if urgent else Answer.MIGRATE, *urgent, *reasons)


def _shares(portrait: Portrait) -> set[What]:
    """What it shares beside the account, which everybody does. The organisational domain alone is no reason to move."""
    found = {share.what for share in portrait.shares} - {What.ACCOUNT}
    return found if found - {What.ORGANISATION} else set()
