"""The headers that an app gives a message: to all its recipients, or to one of them.

Only headers of an allow-list are taken, so that nobody controls SES, sends as somebody else, or says what a mailbox provider or a
filter says (architecture, invariant 1). Sizes are SES's (ses.md 3.3).
"""

import re
from collections.abc import Callable, Mapping, Sequence

from mailcordon.core import encoded_words
from mailcordon.core.errors import Fault
from mailcordon.messages import mail

Pairs = tuple[tuple[str, str], ...]

MAX_HEADERS = 15  #: of one recipient
MAX_BESIDE_OURS = MAX_HEADERS - 2  #: if List-Unsubscribe and its Post header are ours
LONGEST_NAME = 126
LONGEST_VALUE = 995
LONGEST_HEADER = 996  #: name and value together
LONGEST_REFERENCES = 32 * 1024  #: that are trimmed; a thread of 400 messages

UNSUBSCRIBE = "List-Unsubscribe"
_ONE_CLICK = "List-Unsubscribe=One-Click"  #: the only value of List-Unsubscribe-Post (RFC 8058 section 3.1)

_NAME = re.compile(r"[!-9;-~]+", re.ASCII)
_VALUE = re.compile(r"[ -~]+", re.ASCII)
_URI = re.compile(r"<(https://[^\s<>/?#][^\s<>]*)>", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<[^\s<>]+>")

_ALLOWED = frozenset(
    ("references", "in-reply-to", "auto-submitted", "precedence", "comments", "keywords", "importance")
)
#: Families of X- headers: beginning (lower case) -> the name of the family, and who reads or writes its headers.
_FAMILIES = {
    "x-google-": ("X-Google-*", "Google"),
    "x-ms-": ("X-MS-*", "Microsoft"),
    "x-spam-": ("X-Spam-*", "spam filters"),
    "x-mailcordon-": ("X-Mailcordon-*", "Mailcordon"),
}
#: Header (lower case) -> why a caller may not set it, given its name.
_REFUSED: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(("from", "subject", "to", "reply-to"), mail.header_is_a_field),
    **dict.fromkeys(("cc", "bcc"), mail.header_names_recipients),
    **dict.fromkeys(
        ("return-path", "message-id", "date", "sender", "dkim-signature"), mail.header_set_by_ses
    ),
    **dict.fromkeys(
        ("content-type", "content-disposition", "content-transfer-encoding", "mime-version"),
        mail.header_follows_from_content,
    ),
    "feedback-id": mail.header_set_by_mailcordon,
}


def check(
    shared: Mapping[str, str],
    own: Sequence[Mapping[str, str] | None],
    recipients: int,
    faults: list[Fault],
) -> tuple[Pairs, tuple[Pairs, ...]]:
    """The headers of all recipients, and those of each, in the order of `to`; none at all if nobody has own ones.

    Adds a fault for each that cannot be taken, and for an unsubscribe link that two recipients would share.
    """
    if not shared and not own:
        return (), ()
    for_all = _pairs("headers", shared, faults)
    for_each = tuple(_pairs(f"to[{place}].headers", one or {}, faults) for place, one in enumerate(own))
    if not any(for_each):
        for_each = ()
    for place, pairs in enumerate(for_each):
        if len(merged(for_all, pairs)) > MAX_HEADERS:
            faults.append(Fault(f"to[{place}].headers", mail.too_many_headers(MAX_HEADERS)))
    if recipients > 1 and not faults:
        _require_own_links(for_all, for_each, faults)
    return for_all, for_each


def merged(shared: Pairs, own: Pairs) -> Pairs:
    """The headers of one recipient. An own one takes the place of a shared one with its name."""
    if not own:
        return shared
    names = {name.lower() for name, _ in own}
    return (*(pair for pair in shared if pair[0].lower() not in names), *own)


def unsubscribes(name: str) -> bool:
    """Whether a link of ours takes the place of a header with this name."""
    return name.lower() in ("list-unsubscribe", "list-unsubscribe-post")


def one_click_link(pairs: Pairs) -> str | None:
    """The https URI of an RFC 8058 one-click unsubscribe, if the headers offer one."""
    values = {name.lower(): value for name, value in pairs}
    if values.get("list-unsubscribe-post") != _ONE_CLICK:
        return None
    found = _URI.search(values.get("list-unsubscribe", ""))
    return found and found[1]


def trimmed(references: str, longest: int) -> str | None:
    """References with message ids taken out until it fits: never the first one and the last two (RFC 5537 section 3.4.4).

    None if those three are too long already, or if there is something else than message ids.
    """
    ids = _MESSAGE_ID.findall(references)
    if len(ids) < 4 or _MESSAGE_ID.sub("", references).strip():
        return None
    kept = ids[-2:]
    size = len(ids[0]) + sum(1 + len(one) for one in kept)
    if size > longest:
        return None
    for one in reversed(ids[1:-2]):
        size += 1 + len(one)
        if size > longest:
            break
        kept.insert(0, one)
    return " ".join((ids[0], *kept))


def _pairs(field: str, given: Mapping[str, str], faults: list[Fault]) -> Pairs:
    pairs: list[tuple[str, str]] = []
    seen: set[str] = set()
    if len(given) > MAX_HEADERS:
        faults.append(Fault(field, mail.too_many_headers(MAX_HEADERS)))
        return ()
    for name, value in given.items():
        lower, whole = name[: LONGEST_NAME + 1].lower(), f"{field}.{name[:LONGEST_NAME]}"
        longest = min(LONGEST_VALUE, LONGEST_HEADER - len(name))
        fault = _fault(whole, name, lower, value, longest)
        if fault is None and lower in seen:
            fault = Fault(whole, mail.header_twice())
        if fault is None and len(value) > longest:
            shorter = trimmed(value, longest)
            if shorter is None:
                fault = Fault(whole, mail.header_value_too_long(longest))
            else:
                value = shorter
        if fault is not None:
            faults.append(fault)
        seen.add(lower)
        pairs.append((name, value))
    return tuple(pairs)


def _fault(field: str, name: str, lower: str, value: str, longest: int) -> Fault | None:
    """Sizes come first: a value may have as many bytes as a request."""
    if len(name) > LONGEST_NAME:
        return Fault(field, mail.bad_header_name())
    if "\r" in name or "\n" in name:
        return Fault(field, mail.has_line_breaks(), "header-injection")
    if _NAME.fullmatch(name) is None:
        return Fault(field, mail.bad_header_name())
    if why := _refusal(name, lower):
        return Fault(field, why, "reserved-header")
    if len(value) > (LONGEST_REFERENCES if lower == "references" else longest):
        return Fault(field, mail.header_value_too_long(longest))
    if "\r" in value or "\n" in value:
        return Fault(field, mail.has_line_breaks(), "header-injection")
    if _VALUE.fullmatch(value) is None:
        return Fault(field, mail.bad_header_value())
    if encoded_words.hide_line_break(value):
        return Fault(field, mail.has_encoded_line_break(), "header-injection")
    return None


def _refusal(name: str, lower: str) -> str | None:
    if lower in _ALLOWED or (lower.startswith("list-") and len(lower) > len("list-")):
        return None
    if lower.startswith("x-ses-"):
        return mail.header_controls_ses()
    if lower.startswith("resent-"):
        return mail.header_resent()
    if why := _REFUSED.get(lower):
        return why(name)
    for start, (family, whose) in _FAMILIES.items():
        if lower.startswith(start):
            return mail.header_of_a_family(name, family, whose)
    return None if lower.startswith("x-") and len(lower) > len("x-") else mail.header_not_allowed(name)


def _require_own_links(for_all: Pairs, for_each: tuple[Pairs, ...], faults: list[Fault]) -> None:
    """RFC 8058 section 3.1: the link alone says who unsubscribes, since the request that follows it has no other hint."""
    if not for_each:
        if one_click_link(for_all) is not None:
            faults.append(Fault(f"headers.{UNSUBSCRIBE}", mail.unsubscribe_shared(), "unsubscribe-shared"))
        return
    seen: set[str] = set()
    for place, own in enumerate(for_each):  # fewer than recipients, if cc or bcc stand beside them
        link = one_click_link(merged(for_all, own))
        if link is not None and link in seen:
            field = f"to[{place}].headers.{UNSUBSCRIBE}"
            faults.append(Fault(field, mail.unsubscribe_shared(), "unsubscribe-shared"))
        elif link is not None:
            seen.add(link)
