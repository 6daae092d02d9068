"""The shape of a subject: enough to recognize what kind of mail it is, and nothing about whom it is for. Pure.

Subjects have names, orders and addresses in them, so only words that mail in general uses are kept. All else becomes `…`, a
number `#` and an address `@`: "Kim, your invoice 4711 is ready" -> "… your invoice # is ready".
"""

import functools
import hashlib
import re

LONGEST = 80  #: characters of a shape
_LONGEST_READ = 400  #: characters of a subject

_WORDS = frozenset(
    """
    a about access account accepted action active activity added address alert all an and any app application approved are
    at attention available back backup balance bill billing booking build by can canceled cancelled card cart change
    changed check code comment complete completed confirm confirmation confirmed contact contract created credit daily data deal
    delivered delivery details digest discount document does done download email error event events expired expires expiring
    failed failure feedback file final follow for found free from get gift has have hello help here hi how if important in
    information invitation invite invited invoice is issue it job join just last left link list log login mail mailing message
    messages missed monthly more my new news newsletter next no not note notice notification now of off offer ok on one
    online only open order ordered orders our out overdue part password past pay payment paid pending per plan please price
    processed product profile purchase question quote re read ready receipt received refund registration reminder renew
    renewal reply report request requested reset returned review sale save scheduled season security see sent server service
    setup shipped shipping sign signed sign-in signup started statement status subscription success successful summary support
    survey system task team test thank thanks that the this ticket time to today tomorrow transaction transfer trial try unread
    update updated upgrade urgent us user verification verify want warning was we week weekly welcome what when will with
    won yesterday you your
    """.split()  # noqa: SIM905
)
_TOKEN = re.compile(r"\S+")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


_BLANKS = frozenset("…#@ ")
_DIGITS = re.compile(r"\d+")


@functools.lru_cache(maxsize=4096)
def alike(subject: str, template: str | None) -> int:
    """A number of four bytes that mail of one kind has in common: its template, whatever its version (`receipt@3`), or without
    one the shape of its subject. A subject without a common word counts as it is, but for its digits: its shape says nothing."""
    if template is not None:
        kind = "t" + template.partition("@")[0]
    elif _BLANKS.issuperset(shape := of(subject)):
        kind = "=" + _DIGITS.sub("#", subject[:_LONGEST_READ])
    else:
        kind = "s" + shape
    digest = hashlib.blake2b(kind.encode(errors="surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, signed=True)


def of(subject: str) -> str:
    found: list[str] = []
    for token in _TOKEN.findall(subject[:_LONGEST_READ]):
        shape = _of_token(token)
        if not (shape == "…" and found[-1:] == ["…"]):
            found.append(shape)
    shape = " ".join(found)
    return shape if len(shape) <= LONGEST else shape[: LONGEST - 1].rstrip() + "…"


def _of_token(token: str) -> str:
    if _ADDRESS.search(token):
        return "@"
    word = token.strip(".,:;!?()[]\"'*<>|-–—")
    if word.lower() in _WORDS:
        return word
    return "#" if any(each.isdigit() for each in word) else "…"
