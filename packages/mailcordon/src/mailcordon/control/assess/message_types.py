"""Guesses the message type of mail from the words of names and subjects: to be confirmed by a person. Pure.

The types are those of the catalogue that every installation begins with.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mailcordon.core.priority import Class

#: Type, class, whether a missing mail costs revenue or locks people out, and the words that name it. The first that fits counts.
_TYPES: tuple[tuple[str, Class, bool, str], ...] = (
    ("password-reset", Class.URGENT, True, "password passwort reset forgot recovery"),
    ("login-code", Class.URGENT, True, "login otp 2fa mfa code codes magic signin sign-in auth"),
    (
        "email-verification",
        Class.URGENT,
        True,
        "verify verification confirm confirmation activate activation optin doubleoptin",
    ),
    ("invoice", Class.TRANSACTIONAL, True, "invoice invoices billing bill statement dunning rechnung"),
    (
        "receipt",
        Class.TRANSACTIONAL,
        True,
        "receipt receipts order orders payment payments paid purchase checkout",
    ),
    ("newsletter", Class.MARKETING, False, "newsletter newsletters news digest weekly monthly"),
    (
        "announcement",
        Class.MARKETING,
        False,
        "marketing promo promos promotion promotional campaign campaigns offer offers sale deal deals discount "
        "announcement announcements announce bulk blast broadcast mailing mailings mkt mktg outreach",
    ),
    (
        "notification",
        Class.TRANSACTIONAL,
        False,
        "notification notifications notify alert alerts update updates reminder reminders activity transactional "
        "transaction tx txn system",
    ),
)
CLASS_OF = {name: class_ for name, class_, _, _ in _TYPES}
CRITICAL = frozenset(name for name, _, critical, _ in _TYPES if critical)
DEFAULT = "notification"  #: if nothing says what it is
_WORDS = {word: name for name, _, _, words in reversed(_TYPES) for word in words.split()}
#: Words in names that say nothing about whose mail it is or what kind of.
NOISE = frozenset(
    """
    ses aws mail mails email emails e smtp send sender sending config configuration set sets default main shared common general
    all events event tracking track prod production live staging stage dev test eu us west east central north south region app
    platform tenant tenants customer customers client clients primary backup pool ip ips dedicated the my our v1 v2 v3
    """.split()  # noqa: SIM905
)
#: Whole names that say the type best, before their words do.
_NAMES = {name: name for name, *_ in _TYPES} | {"signin": "login-code", "sign-in": "login-code"}
_WEAK = frozenset(
    ["code", "codes", "update", "updates", "activity", "news"]
)  #: another word beside them says more
_SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    type: str
    by: str  #: the word that says so; empty: nothing does
    where: str  #: set, from, tag or subject

    @property
    def class_(self) -> Class:
        return CLASS_OF.get(self.type, Class.TRANSACTIONAL)

    @property
    def critical(self) -> bool:
        return self.type in CRITICAL


def words(name: str) -> list[str]:
    """`acme-ResetMail.eu` -> acme, reset, mail, eu."""
    return [word.lower() for word in _SPLIT.split(name) if word]


def is_about_a_type(word: str) -> bool:
    return word in _WORDS


def guess(texts: Iterable[tuple[str, str]]) -> Guess | None:
    """`texts`: where each stands, and the text; the first that says something counts. None: nothing does."""
    for where, text in texts:
        if (whole := _NAMES.get(text.strip().lower())) is not None:
            return Guess(type=whole, by=text, where=where)
        found = [
            (word in _WEAK, list(_NAMES).index(_WORDS[word]), word) for word in words(text) if word in _WORDS
        ]
        if found:
            *_, word = min(found)
            return Guess(type=_WORDS[word], by=word, where=where)
    return None
