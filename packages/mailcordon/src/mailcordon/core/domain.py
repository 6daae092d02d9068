"""Host names of mail domains: lower case, punycode, at least two labels (RFC 1035 2.3.4, RFC 5890)."""

import functools
import re
import unicodedata

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_LONGEST = 253  #: characters


def parse(text: str) -> str:
    """The domain in the form that SES and DNS use. Raises ValueError with a sentence.

    What was read lately is remembered: most mail goes to the same few domains."""
    return _known(text) if len(text) <= _LONGEST else _parse(text)


def _parse(text: str) -> str:
    domain = text.lower()
    if not domain.isascii():
        domain = _punycode(unicodedata.normalize("NFC", domain))
    if len(domain) > _LONGEST:
        raise ValueError(f"a domain has at most {_LONGEST} characters")
    labels = domain.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{text[:80]} is not a domain such as mail.example.com")
    if not labels[-1][-1].isalpha():
        raise ValueError(
            "a domain ends in a letter, as every top-level domain does; address literals are not mailed"
        )
    return domain


_known = functools.lru_cache(maxsize=8192)(_parse)


def _punycode(domain: str) -> str:
    """Only names that read the same after a round trip: of the others the standards disagree whose they are (IDNA 2003 makes
    `straße` the domain `strasse`, IDNA 2008 leaves it another one), and mail must not go by our guess."""
    try:
        ascii_form = domain.encode("idna").decode()
        if ascii_form.encode().decode("idna") == domain:
            return ascii_form
    except UnicodeError:
        pass
    raise ValueError(
        f"{ascii(domain[:80])[1:-1]} has letters that mail systems read differently; write its xn-- form"
    )


def covers(parent: str, child: str) -> bool:
    """Whether an identity for `parent` also covers `child`: the same domain or one above it (ses.md 5.6)."""
    return child == parent or child.endswith("." + parent)
