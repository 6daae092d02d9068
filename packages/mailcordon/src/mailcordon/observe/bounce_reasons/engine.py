"""Decides the reason of a bounce from SES's sub-type, the status and the receiving host's text.

The text is a host's free words. It decides who can act and how the bounce is counted; it may only weaken what SES's type says
about the address (observe/suppress.py).
"""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mailcordon.core.bounce_reason import BounceReason
from mailcordon.observe.bounce_reasons import codes
from mailcordon.observe.bounce_reasons.phrase import Phrase
from mailcordon.observe.bounce_reasons.phrases import BROAD_PHRASES, LAST_PHRASES, PHRASES
from mailcordon.observe.bounce_reasons.reading import LONGEST, Reading, read

#: A reply that says nothing but to come back, with a status of security: what greylisting says (RFC 6647 2.2).
_ONLY_LATER = re.compile(
    r"(?:addr |please |smtp |\n | )*(?:try|retry|come back) (?:again )?later (?:closing connection )?\s*"
)
_AUTOREPLY = re.compile(
    r" (?:out of (?:the )?office|(?:away|am|is) on (?:vacation|holiday|leave)|auto(?:matic)? ?(?:reply|response)) "
)


@dataclass(frozen=True, slots=True)
class Finding:
    reason: BounceReason
    rule: str  #: which rule decided, for tests and for people who wonder
    passing: bool = False  #: the codes say that the refusal is not for good


def find(sub_type: str | None, status: str | None, text: str | None) -> Finding:
    """`sub_type` is SES's; `status` is RFC 3463's; `text` is the diagnostic code as SES reports it, of any length."""
    if sub_type in ("NoEmail", "Suppressed"):
        # SES itself read the report as one of an unknown recipient.
        return Finding(codes.SUB_TYPES[sub_type], f"sub-type {sub_type}")
    found = _of_text((text or "")[:LONGEST], status and status[:20])
    named = codes.SUB_TYPES.get(sub_type or "")
    if named is not None and not found.rule.startswith(("mark", "phrase", "precise")):
        return Finding(named, f"sub-type {sub_type}", found.passing)
    return found


@functools.lru_cache(maxsize=2000)
def _of_text(text: str, status: str | None) -> Finding:
    reading = read(text, status)
    found = (
        _of_marks(text.lower())
        or _of_status(reading, codes.PRECISE, "precise")
        or _of_reputation(reading)
        or _of_phrases(reading)
        or _of_status(reading, codes.WRONG_ADDRESS, "status")
        or _of_words(reading, BROAD_PHRASES)
        or _of_status(reading, codes.GENERAL, "status")
        or _of_last(reading)
        or Finding(BounceReason.UNDETERMINED, "nothing")
    )
    return replace(found, passing=True) if reading.passing else found


def _of_marks(lower: str) -> Finding | None:
    for reason, pattern, source in codes.MARKS:
        if pattern.search(lower):
            return Finding(reason, f"mark: {source}")
    return None


def _of_status(reading: Reading, table: Mapping[tuple[int, int], BounceReason], name: str) -> Finding | None:
    if reading.status is None:
        return None
    reason = table.get(reading.status[1:])
    if reason is None or (reason.gone and reading.passing):
        return None  # a code alone that says both "gone" and "later"
    return Finding(reason, f"{name} {_dotted(reading)}")


def _of_reputation(reading: Reading) -> Finding | None:
    """Microsoft's 5.7.606 to 5.7.649, banned addresses, and 4.7.650 and 4.7.651, a low rate by reputation."""
    if reading.status is not None and reading.status[1] == 7 and 600 <= reading.status[2] <= 651:
        return Finding(BounceReason.BLOCKED_REPUTATION, f"precise {_dotted(reading)}")
    return None


def _of_phrases(reading: Reading) -> Finding | None:
    words = reading.words
    if reading.reply is None and _AUTOREPLY.search(words):
        return Finding(BounceReason.AUTOREPLY, "phrase:automatic-reply")
    if reading.status is not None and reading.status[:2] == (4, 7) and _ONLY_LATER.fullmatch(words):
        return Finding(BounceReason.GREYLISTED, "phrase:only-later")
    return _of_words(reading, PHRASES)


def _of_words(reading: Reading, phrases: Iterable[Phrase]) -> Finding | None:
    for phrase in phrases:
        if phrase.pattern.search(reading.words):
            return Finding(phrase.reason, f"phrase: {phrase.name}")
    return None


def _of_last(reading: Reading) -> Finding | None:
    for phrase in LAST_PHRASES:
        # A mailbox that is unavailable with 450 is busy or blocked at present (RFC 5321 4.2.3).
        if phrase.pattern.search(reading.words) and not (phrase.reason.gone and reading.passing):
            return Finding(phrase.reason, f"phrase: {phrase.name}")
    if codes.LINKS.search(reading.links):
        return Finding(BounceReason.BLOCKED_REPUTATION, "link")
    if reading.stage in codes.STAGES:
        return Finding(codes.STAGES[reading.stage], f"stage {reading.stage}")
    if reading.status is not None and reading.status[1] in codes.SUBJECTS:
        return Finding(codes.SUBJECTS[reading.status[1]], f"subject {_dotted(reading)}")
    if reading.reply in codes.REPLIES:
        return Finding(codes.REPLIES[reading.reply], f"reply {reading.reply}")
    return None


def _dotted(reading: Reading) -> str:
    return ".".join(map(str, reading.status or ()))
