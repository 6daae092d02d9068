"""Whose an entry of the account's suppression list is. Pure.

SES's id of the mail decides. Else a bounce or complaint that we have of the address: of an entry whose mail we do not know, one
that is as old as the entry, since SES enters an address when it reports on it; of an entry without a mail, which a person or a
tool made, only if it is of one tenant alone. A tenant that merely mailed the address owns nothing: whoever made the entry may
have meant everybody.
"""

from collections.abc import Sequence

from mailcordon.control.suppression_split.nouns import By, Candidate, Decision
from mailcordon.core.priority import Class

#: Between SES's report on a mail and its entry.
APART_MS = 86_400_000


def decide(
    *, reason: str, listed_at: int, message_id: str | None, candidates: Sequence[Candidate]
) -> Decision | None:
    """None: nothing says whose it is. `reason` is SES's: BOUNCE or COMPLAINT."""
    if message_id is not None:
        sent = [one for one in candidates if one.ses_id == message_id]
        if sent:
            owner = min(sent, key=_order)
            return _decision(owner, By.ARCHIVE if owner.archive else By.MESSAGE, reason, candidates)
    same = [one for one in candidates if one.complaint == (reason == "COMPLAINT")]
    if message_id is not None:
        same = [one for one in same if abs(one.at - listed_at) <= APART_MS]
    elif len({one.tenant for one in same}) > 1:
        return None
    if not same:
        return None
    owner = min(same, key=lambda one: (abs(one.at - listed_at), *_order(one)))
    return _decision(owner, By.ARCHIVE if owner.archive else By.HISTORY, reason, candidates)


def _order(one: Candidate) -> tuple[int, int]:
    return one.tenant, one.class_


def _decision(owner: Candidate, by: By, reason: str, candidates: Sequence[Candidate]) -> Decision:
    others = {one.slug for one in candidates if one.tenant != owner.tenant}
    # SES drops mail for a complaint only where the set heeds complaints: marketing, if no lane is known.
    class_ = owner.class_ if reason == "COMPLAINT" else int(Class.MARKETING)
    return Decision(tenant=owner.tenant, by=by, class_=class_, others=sorted(others))
