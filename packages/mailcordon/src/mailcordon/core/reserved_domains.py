"""Domains to which no mail can be delivered, whoever asks: names that a standard keeps out of the DNS, and labels that claim to
be international and are not. On AWS each mail to one of them is a bounce on somebody's reputation.

`.test` and `.example` are for tests and documentation (RFC 6761), and the local SES plays their mailbox providers. So does
RFC 6761 reserve example.com, example.net and example.org; they exist in the DNS and say that they take no mail (a null MX, RFC
7505), so they go by the same rule.
"""

import functools
from dataclasses import dataclass

from mailcordon.core import domain as domains
from mailcordon.messages import mail, reasons

_ICANN = "a resolution of ICANN's board"

#: Name -> what reserves it. The names of IANA's registry of special-use domain names, and what ICANN will never delegate.
_NEVER = {
    "invalid": "RFC 6761",
    "localhost": "RFC 6761",
    "local": "RFC 6762",
    "onion": "RFC 7686",
    "alt": "RFC 9476",
    "arpa": "RFC 3172",  # with home.arpa (RFC 8375) and the reverse zones
    "internal": _ICANN,
    "corp": _ICANN,
    "home": _ICANN,
    "mail": _ICANN,
}
_FOR_TESTS = {
    **dict.fromkeys(("test", "example", "example.com", "example.net", "example.org"), "RFC 6761"),
    # IANA's eleven translations of `test`, out of the DNS since 2013.
    **dict.fromkeys(
        (
            "xn--kgbechtv",
            "xn--hgbk6aj7f53bba",
            "xn--0zwm56d",
            "xn--g6w251d",
            "xn--80akhbyknj4f",
            "xn--11b5bs3a9aj6g",
            "xn--jxalpdlp",
            "xn--9t4b11yi5a",
            "xn--deba0ad",
            "xn--zckzah",
            "xn--hlcj6aya9esc7a",
        ),
        "IANA",
    ),
}


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """Why no mail can be delivered to a domain."""

    domain: str
    name: str  #: the reserved name that the domain is or is below, or the label that is invalid
    by: str  #: what reserves the name; empty: an invalid label
    for_tests: bool = False  #: the local SES takes it

    @property
    def sentence(self) -> str:
        """The reason of a delivery that is refused."""
        if not self.by:
            return reasons.domain_label_invalid(self.domain, self.name)
        return reasons.domain_reserved(self.domain, self.name, self.by, for_tests=self.for_tests)

    @property
    def as_sender(self) -> str:
        """What is wrong with it as the domain of a lane or a From address."""
        if not self.by:
            return mail.sender_label_invalid(self.name)
        return mail.sender_domain_reserved(self.name, self.by, for_tests=self.for_tests)


@functools.lru_cache(maxsize=8192)
def find(domain: str, local: bool) -> Undeliverable | None:
    """None if mail can be delivered to the domain, for all that its name says. `domain` is one that `domain.parse` returned;
    `local` says whether the local SES is used. Cached: most mail goes to the same few domains."""
    *above, second, top = domain.split(".")
    for name in (top, f"{second}.{top}"):
        if by := _NEVER.get(name):
            return Undeliverable(domain, name, by)
        if by := _FOR_TESTS.get(name):
            return None if local else Undeliverable(domain, name, by, for_tests=True)
    for label in (*above, second, top):
        if label.startswith("xn--") and not domains.is_a_label(label):
            return Undeliverable(domain, label, "")
    return None
