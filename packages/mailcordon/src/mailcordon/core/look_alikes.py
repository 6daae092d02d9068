"""Domains that read like another one: what a person takes for the same name.

A small table of our own: letters of Greek, Cyrillic and Armenian that look like Latin ones, accents, and the pairs of letters and
digits that phishing uses. It is no full table of Unicode's confusables (UTS 39); letters of other scripts look like nothing else.
"""

import functools
import unicodedata

_LETTERS = str.maketrans(
    {
        **dict(zip("абвеіјкӏмнорԛгѕтцѵԝхуԁɡ", "a6beijklmhopqrstuvwxydg", strict=True)),
        **dict(zip("αβγεηικνορστυχωϲϳ", "abyenikvopotuxwcj", strict=True)),
        **dict(zip("сьзӡґԍոհցօսզ", "cb33rgnhgouq", strict=True)),
        "һ": "h",
        "ғ": "f",
        "ԃ": "d",
        "ս": "u",
        "ѡ": "w",
        "ɑ": "a",
        "ı": "i",
        "ℓ": "l",
        "ɩ": "i",
        "ո": "n",
        "0": "o",
        "1": "l",
        "i": "l",
        "|": "l",
        "5": "s",
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "đ": "d",
        "ł": "l",
    }
)
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


@functools.lru_cache(maxsize=65_536)
def skeleton(domain: str) -> str:
    """Equal for domains that read alike. `domain` is in DNS form. Cached: the names of a platform change rarely."""
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", shown(domain)) if not unicodedata.combining(letter)
    )
    reduced = plain.translate(_LETTERS).translate(_LETTERS)  # Cyrillic і becomes i, which reads like l
    for pair, letter in _PAIRS:
        reduced = reduced.replace(pair, letter)
    return reduced


def shown(domain: str) -> str:
    """As a mail program shows it."""
    return ".".join(map(_shown, domain.split(".")))


def _shown(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label.removeprefix("xn--").encode().decode("punycode")
    except UnicodeError:
        return label
