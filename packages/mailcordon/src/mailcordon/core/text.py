"""Text that reaches a person or a log: what it may not contain, and how foreign text is made harmless.

Three kinds of characters let a text show something else than it says. Control characters and line separators end a line or drive
a terminal. Bidirectional controls change the order in which letters are shown (Unicode UAX 9). Zero-width letters are not shown
at all. Those that a script or an emoji needs at their place are not counted as hidden.
"""

import re
import unicodedata

from mailcordon.core import joining
from mailcordon.messages import api, mail

LONGEST_REASON = 1000  #: characters
LONGEST_DESCRIPTION = 500  #: characters

#: Control characters, lone surrogates, line and paragraph separators.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: Controls that reorder letters, and marks, which only set the direction of neighbouring signs.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u061c\u200e\u200f]")
#: Letters without width, fillers and tags.
_ZERO_WIDTH = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_DISGUISES = re.compile("[\u202d\u202e\U000e0000-\U000e007f]")  #: overrides of direction, and tags
#: Flags of England, Scotland and others: a black flag, a region in tags and a closing tag (Unicode UTS 51).
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f")
_VARIANTS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_VIRAMA = 9  #: combining class of the signs after which a joiner or non-joiner shapes an Indic letter (RFC 5892 A.1, A.2)


def has_control(text: str) -> bool:
    """Whether it has a control character, a lone surrogate or a line separator."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def has_bidi_control(text: str) -> bool:
    """Whether it has a control or a mark of direction."""
    return not text.isprintable() and _BIDI.search(text) is not None


def has_zero_width(text: str) -> bool:
    """Whether it has letters that are not shown, other than where a script or an emoji needs them."""
    if text.isascii():
        return False
    text = _FLAG.sub("", text)
    return any(not _is_needed(text, found.start()) for found in _ZERO_WIDTH.finditer(text))


def has_disguise(text: str) -> bool:
    """Whether a subject hides what it says: it overrides the direction of letters, or has tags that are no flag.

    Marks and embeddings of direction are allowed, because Hebrew and Arabic subjects need them, and zero-width spaces, because
    Thai and Khmer do.
    """
    if text.isprintable():  # none of these letters is
        return False
    return _DISGUISES.search(_FLAG.sub("", text)) is not None


def check_shown(text: str) -> None:
    """Raises ValueError for a text that a person could read as another one, or that has several lines."""
    if has_control(text):
        raise ValueError(mail.has_line_breaks())
    if has_bidi_control(text) or has_zero_width(text):
        raise ValueError(mail.has_hidden_letters())


def reason(text: str) -> str:
    """Why somebody changes something, without spaces around it. Raises ValueError."""
    stripped = text.strip()
    if not stripped or len(stripped) > LONGEST_REASON:
        raise ValueError(api.bad_reason(LONGEST_REASON))
    check_shown(stripped)
    return stripped


def description(text: str) -> str:
    """What a message type is for. Raises ValueError."""
    if not text.strip() or len(text) > LONGEST_DESCRIPTION:
        raise ValueError(api.bad_description())
    check_shown(text)
    return text


def harmless(text: str, longest: int | None = None) -> str:
    """Foreign text as it may be shown and logged: one line, with a replacement character for each that is not shown as itself."""
    text = text if longest is None else text[:longest]
    if text.isascii() and text.isprintable():
        return text
    flags = {place for flag in _FLAG.finditer(text) for place in range(*flag.span())}
    return "".join(
        sign if place in flags or not _is_hidden(text, place) else "\N{REPLACEMENT CHARACTER}"
        for place, sign in enumerate(text)
    )


def _is_hidden(text: str, place: int) -> bool:
    sign = text[place]
    hides = (
        unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") or _ZERO_WIDTH.match(sign) is not None
    )
    return hides and not _is_needed(text, place)


def _is_needed(text: str, place: int) -> bool:
    """Whether the zero-width letter there shapes what stands before it, so that leaving it out changes what is shown."""
    sign, before = text[place], text[place - 1 : place]
    if not before or (before.isascii() and before.isalpha()):
        return False
    if _VARIANTS.match(sign):
        return _VARIANTS.match(before) is None
    after = text[place + 1 : place + 2]
    if sign == _JOINER and _is_emoji(before) and after and unicodedata.category(after) == "So":
        return True
    if sign not in (_JOINER, _NON_JOINER):
        return False
    if unicodedata.combining(before) == _VIRAMA:
        return True
    return sign == _NON_JOINER and joining.keeps_apart(text, place)


def _is_emoji(sign: str) -> bool:
    """A symbol, a skin tone or the sign that asks for a coloured picture."""
    return unicodedata.category(sign) in ("So", "Sk") or sign == "\ufe0f"
