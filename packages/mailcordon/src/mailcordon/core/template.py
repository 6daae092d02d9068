"""A template for mail: its sources, who owns it, and the bounds that hold for it.

A version is immutable: an app that names one gets the same mail for the same data. A tenant's own template stands before a
template of the platform with the same name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from mailcordon.core.errors import Fault, Invalid
from mailcordon.messages import templates

JINJA = "jinja"
SES = "ses"  #: SES's own language, a subset of Handlebars (ses.md 3.3)
DIALECTS = (JINJA, SES)

MOST_SOURCE: Final = 500 * 1024  #: bytes of all sources of a version; as at SES (ses.md 3.3)
MOST_DATA: Final = 256 * 1024  #: bytes of JSON; SES takes as many characters (ses.md 3.3)
MOST_OUTPUT: Final = 1024 * 1024  #: characters of subject, text and HTML together
MOST_PARTS: Final = 20  #: that the others include
MOST_TEMPLATES: Final = 1000  #: of an owner
MOST_VERSIONS: Final = 1000  #: of a template
MOST_KEPT: Final = 100 * 1024 * 1024  #: bytes of sources of an owner, and of the HTML that MJML became

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_PART = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\.(?:html|txt)", re.ASCII)
OWN_PARTS = ("subject.txt", "text.txt", "html.html")  #: the names that the sources have


class Reference(NamedTuple):
    """What a message names: `receipt`, or `receipt@3`."""

    name: str
    version: int | None  #: None: the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a version is made of. `mjml` stands in the place of `html`."""

    dialect: str = JINJA
    subject: str
    text: str | None = None  #: None: derived from the HTML
    html: str | None = None
    mjml: str | None = None
    parts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  #: that the others include

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(len(one.encode()) for one in self.all().values())

    def all(self) -> dict[str, str]:
        """The sources by their name as the owner wrote them."""
        named = {"subject": self.subject, "text": self.text, "html": self.html, "mjml": self.mjml}
        return {name: one for name, one in (named | dict(self.parts)).items() if one is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version that can be rendered."""

    id: int  #: of the template
    name: str
    version: int
    source: Source
    compiled: str | None  #: the HTML that `mjml` became

    @property
    def label(self) -> str:
        return label(self.name, self.version)


class Rendered(NamedTuple):
    """The content of a mail. Text or HTML is there, or both."""

    subject: str
    text: str | None
    html: str | None


def label(name: str, version: int) -> str:
    """How a version is named in sentences, and in a message."""
    return f"{name}@{version}"


def check_name(name: str) -> str:
    """Returns the name. Raises ValueError."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(templates.bad_name())
    return name


def parse_reference(text: str) -> Reference:
    """Raises ValueError."""
    name, at, version = text.partition("@")
    if not at:
        return Reference(check_name(name), None)
    if not (
        version.isascii()
        and version.isdigit()
        and 1 <= int(version[:9]) <= MOST_VERSIONS
        and len(version) < 9
    ):
        raise ValueError(templates.bad_version(MOST_VERSIONS))
    return Reference(check_name(name), int(version))


def check_source(source: Source) -> None:
    """What can be checked without the template language. Raises Invalid."""
    faults: list[Fault] = []
    if source.dialect not in DIALECTS:
        faults.append(Fault("dialect", templates.bad_dialect(DIALECTS)))
    if not source.subject.strip():
        faults.append(Fault("subject", templates.no_subject(), "missing"))
    if not (source.text or source.html or source.mjml):
        faults.append(Fault("html", templates.no_content(), "missing"))
    if source.html is not None and source.mjml is not None:
        faults.append(Fault("mjml", templates.html_and_mjml()))
    if source.dialect == SES and source.mjml is not None:
        faults.append(Fault("mjml", templates.only_in_jinja()))
    if source.dialect == SES and source.parts:
        faults.append(Fault("parts", templates.only_in_jinja()))
    if len(source.parts) > MOST_PARTS:
        faults.append(Fault("parts", templates.too_many_parts(MOST_PARTS)))
    faults += [
        Fault("parts", templates.bad_part_name())
        for name in list(source.parts)[:MOST_PARTS]
        if _PART.fullmatch(name) is None or name in OWN_PARTS
    ][:1]
    if "\0" in "".join(source.all().values()):
        faults.append(Fault("html", templates.has_nul()))
    if source.size > MOST_SOURCE:
        faults.append(Fault("html", templates.source_too_large(MOST_SOURCE), "too-large"))
    if faults:
        raise Invalid(*faults)


def check_data(data: bytes, field: str = "data") -> None:
    """Raises Invalid for what is no JSON object or too large. Whether it is JSON at all was checked before."""
    if len(data) > MOST_DATA:
        raise Invalid(Fault(field, templates.data_too_large(MOST_DATA), "too-large"))
    if not data.lstrip().startswith(b"{"):
        raise Invalid(Fault(field, templates.data_no_object()))
