"""Host names of mail domains: lower case, punycode, at least two labels (RFC 1035 2.3.4, RFC 5890)."""

import re

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def parse(text: str) -> str:
    """The domain in the form that SES and DNS use. Raises ValueError with a sentence."""
    domain = text.lower()
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode()
        except UnicodeError:
            raise ValueError(f"{text} is not a domain that DNS can hold") from None
    if len(domain) > 253:
        raise ValueError("a domain has at most 253 characters")
    labels = domain.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{text[:80]} is not a domain such as mail.example.com")
    if labels[-1].isdigit():
        raise ValueError("a domain does not end in a number; address literals are not mailed")
    return domain


def covers(parent: str, child: str) -> bool:
    """Whether an identity for `parent` also covers `child`: the same domain or one above it (ses.md 5.6)."""
    return child == parent or child.endswith("." + parent)
