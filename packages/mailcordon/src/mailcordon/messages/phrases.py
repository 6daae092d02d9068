"""Parts of sentences: lists, numbers, and what several messages say alike."""

from collections.abc import Sequence

_OUTCOMES = {
    "delivers": "is delivered",
    "bounces": "bounces",
    "complains": "is delivered, and the recipient complains",
    "defers": "is deferred",
}


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return "".join(words) if len(words) < 2 else f"{', '.join(words[:-1])} and {words[-1]}"


def deliveries(number: int) -> str:
    """`1 delivery`, `1,200 deliveries`."""
    return "1 delivery" if number == 1 else f"{number:,} deliveries"


def count(number: int, noun: str) -> str:
    """`1 day`, `3 days`, `2 entries`."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{number} {noun if number == 1 else many}"


def at_least(number: int, more: bool) -> str:
    """`50`, or `50 or more` where others were not counted."""
    return f"{number:,} or more" if more else f"{number:,}"


def mailbox_does(outcome: str) -> str:
    """What a mailbox of the local SES does with mail."""
    return _OUTCOMES.get(outcome, outcome)


def sentence(text: str) -> str:
    """Begins with a capital letter and ends with a full stop."""
    text = text.strip()
    return text if not text else f"{text[0].upper()}{text[1:]}{'' if text[-1] in '.!?' else '.'}"
