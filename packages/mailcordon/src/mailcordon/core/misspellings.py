"""Addresses that a misspelt one may stand for.

Addresses are found by a keyed hash, so nothing can be looked up by similarity. The likely slips are undone instead, each giving
an address that can be looked up: first those of the domain, which are the most frequent, then those of the local part.
"""

from collections.abc import Iterator

from mailcordon.core.address import Address

MOST = 160  #: candidates; each costs a look at every day that is kept

#: Domains that many people have, and that many misspell.
_FREQUENT = (
    *(
        "gmail.com",
        "yahoo.com",
        "hotmail.com",
        "outlook.com",
        "icloud.com",
        "aol.com",
        "live.com",
        "msn.com",
        "example.com",
    ),
    *(
        "gmx.de",
        "gmx.net",
        "web.de",
        "t-online.de",
        "googlemail.com",
        "yahoo.co.uk",
        "hotmail.co.uk",
        "yahoo.fr",
        "hotmail.fr",
    ),
    *(
        "orange.fr",
        "free.fr",
        "libero.it",
        "mail.ru",
        "yandex.ru",
        "proton.me",
        "protonmail.com",
        "me.com",
        "mac.com",
    ),
    *("comcast.net", "verizon.net", "att.net", "qq.com", "163.com", "example.org", "example.net"),
)
_ENDINGS = ("com", "net", "org", "de", "co.uk", "fr", "it", "es", "nl", "example", "io", "ch", "at")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_PAIRS = (
    ("rn", "m"),
    ("m", "rn"),
    ("ie", "ei"),
    ("ei", "ie"),
    ("ph", "f"),
    ("f", "ph"),
    ("y", "i"),
    ("i", "y"),
    ("c", "k"),
    ("k", "c"),
)


def near(asked: Address, most: int = MOST) -> list[Address]:
    """At most `most` addresses, the likeliest first, without the asked one. Letter case does not matter."""
    local, domain = asked.local.lower(), asked.domain
    found: dict[Address, None] = {}
    for one in _candidates(local, domain):
        if one.local and one != (local, domain):
            found.setdefault(one)
        if len(found) == most:
            break
    return list(found)


def _candidates(local: str, domain: str) -> Iterator[Address]:
    domains = list(dict.fromkeys(_domains(domain)))
    locals_ = list(dict.fromkeys(_locals(local)))
    for one in domains[:40]:
        yield Address(local, one)
    for other in domains[:2]:  # a slip in each part
        for one in locals_[:6]:
            yield Address(one, other)
    for one in locals_[: MOST // 2]:
        yield Address(one, domain)
    for one in domains[40:]:
        yield Address(local, one)


def _domains(domain: str) -> Iterator[str]:
    label, _, ending = domain.partition(".")
    yield from (one for one in _FREQUENT if one != domain and _is_one_slip(domain, one))
    if "." in domain:
        yield from (f"{label}.{one}" for one in _ENDINGS if one != ending and _is_one_slip(ending, one))
        yield from (f"{one}.{ending}" for one in _swapped(label))
        yield from (f"{one}.{ending}" for one in _shorter(label))
        yield from (f"{one}.{ending}" for one in _doubled(label))
        yield from (f"{label}.{one}" for one in _ENDINGS if one != ending)
        yield from (f"{one}.{ending}" for one in _paired(label))
        yield from (f"{one}.{ending}" for one in _neighbours(label))
        yield from (f"{one}.{ending}" for one in _longer(label))


def _locals(local: str) -> Iterator[str]:
    base, plus, _ = local.partition("+")
    if plus:
        yield base
    yield from _swapped(local)
    yield from _shorter(local)
    yield from _doubled(local)
    for sign in "._-":
        if sign in local:
            yield local.replace(sign, "")
            yield from (local.replace(sign, other) for other in "._-" if other != sign)
    yield from _paired(local)
    yield from _neighbours(local)
    yield from _longer(local)
    if not any(sign in local for sign in "._-"):
        yield from (f"{local[:n]}.{local[n:]}" for n in range(1, len(local)))


def _swapped(word: str) -> Iterator[str]:
    for n in range(len(word) - 1):
        if word[n] != word[n + 1]:
            yield word[:n] + word[n + 1] + word[n] + word[n + 2 :]


def _shorter(word: str) -> Iterator[str]:
    yield from (word[:n] + word[n + 1 :] for n in range(len(word)))


def _doubled(word: str) -> Iterator[str]:
    yield from (word[:n] + word[n] + word[n:] for n in range(len(word)))


def _paired(word: str) -> Iterator[str]:
    for wrong, right in _PAIRS:
        if wrong in word:
            yield word.replace(wrong, right, 1)


def _neighbours(word: str) -> Iterator[str]:
    """One letter replaced by one beside it on the keyboard."""
    for n, letter in enumerate(word):
        for row in _ROWS:
            at = row.find(letter)
            if at >= 0:
                yield from (word[:n] + row[m] + word[n + 1 :] for m in (at - 1, at + 1) if 0 <= m < len(row))


def _longer(word: str) -> Iterator[str]:
    """One letter more: the vowels first."""
    for letter in "aeiou" + "".join(each for each in _LETTERS if each not in "aeiou"):
        yield from (word[:n] + letter + word[n:] for n in range(len(word) + 1))


def _is_one_slip(one: str, other: str) -> bool:
    """Whether one letter more, less or other, or two letters swapped, lead from one to the other; two slips in long words."""
    return _distance(one, other) <= (1 if len(one) < 8 else 2)


def _distance(one: str, other: str) -> int:
    """Damerau-Levenshtein, restricted to adjacent swaps. Stops caring above 2."""
    if abs(len(one) - len(other)) > 2:
        return 3
    before: list[int] = []
    row = list(range(len(other) + 1))
    for n, letter in enumerate(one, 1):
        last, before, row = before, row, [n]
        for m, against in enumerate(other, 1):
            cost = letter != against
            best = min(before[m] + 1, row[m - 1] + 1, before[m - 1] + cost)
            if n > 1 and m > 1 and letter == other[m - 2] and one[n - 2] == against:
                best = min(best, last[m - 2] + 1)
            row.append(best)
    return row[-1]
