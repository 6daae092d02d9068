"""The texts of a message, which may be as long as a message: nothing works on all of a long one in one call."""

import re
from collections.abc import Iterator
from typing import TypeAlias

#: Where the app wants the recipient's unsubscribe link: our word for it, and SES's.
PLACEHOLDERS = ("{{unsubscribe_url}}", "{{amazonSESUnsubscribeUrl}}")
PLACEHOLDER = re.compile("|".join(map(re.escape, PLACEHOLDERS)))
MAX_PLACEHOLDERS = 100  #: of a message: each is filled in at each call
#: In quoted-printable a line may be broken anywhere, and any letter may be encoded.
QUOTED_PLACEHOLDER = re.compile(
    "|".join(
        r"(?:=\r?\n)?".join(f"(?:{re.escape(letter)}|={ord(letter):02X})" for letter in one)
        for one in PLACEHOLDERS
    )
)
_LONGEST_PLACEHOLDER = max(map(len, PLACEHOLDERS))
SLICE = 128 * 1024  #: characters that are worked on in one call


class LongText(tuple[str, ...]):
    """A text in parts, each short enough that work on it keeps other threads waiting for less than a millisecond."""

    __slots__ = ()


Text: TypeAlias = str | LongText


def slices(text: Text) -> Iterator[str]:
    """Each call on a text keeps other threads of the process waiting."""
    if isinstance(text, LongText):
        return iter(text)
    if len(text) <= SLICE:
        return iter((text,) if text else ())
    return (text[start : start + SLICE] for start in range(0, len(text), SLICE))


def split(text: Text) -> tuple[list[list[str]], list[str]]:
    """The text before the first placeholder, between two and after the last one, each in slices; and the placeholders."""
    found: list[list[str]] = [[]]
    placeholders: list[str] = []
    rest = ""
    for piece in slices(text):
        whole, start = rest + piece, 0
        for one in PLACEHOLDER.finditer(whole):
            found[-1].append(whole[start : one.start()])
            found.append([])
            placeholders.append(one[0])
            start = one.end()
        # One that begins here may end in the next slice.
        at = whole.rfind("{{", max(start, len(whole) - _LONGEST_PLACEHOLDER))
        if at < 0:
            at = len(whole) - whole.endswith("{", start)
        found[-1].append(whole[start:at])
        rest = whole[at:]
    found[-1].append(rest)
    return [[one for one in segment if one] for segment in found], placeholders


def placeholders(text: Text | None) -> int:
    """How many there are. Beyond MAX_PLACEHOLDERS the rest is not counted."""
    if text is None or (isinstance(text, str) and not has_placeholder(text)):
        return 0
    found = 0
    rest = ""
    for piece in slices(text):
        whole, start = rest + piece, 0
        for one in PLACEHOLDER.finditer(whole):
            found, start = found + 1, one.end()
            if found > MAX_PLACEHOLDERS:
                return found
        rest = whole[max(start, len(whole) - _LONGEST_PLACEHOLDER + 1) :]
    return found


def has_placeholder(text: Text | None) -> bool:
    if text is None:
        return False
    if isinstance(text, LongText):
        return bool(split(text)[1])
    # One character is found at the speed of memory.
    return "{" in text and "{{" in text and PLACEHOLDER.search(text) is not None
