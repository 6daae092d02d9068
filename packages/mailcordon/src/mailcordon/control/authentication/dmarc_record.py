"""A DMARC record as RFC 9989 reads it, with what a reader of RFC 7489 would do otherwise.

The text of RFC 9989 was not at hand: sections and grammar are those of its last draft (draft-ietf-dmarc-dmarcbis-41), which
agrees with what is known of the RFC (ses.md 5.5). Two questions are kept apart: whether the record is right as it is written
(`faults`), and what receivers make of it in any case (`policy` and the rest), because the RFC lets them ignore wrong tags.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mailcordon.messages import identities as words

POLICIES = ("none", "quarantine", "reject")
_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_VERSION_IN_CAPITALS = re.compile(r"V[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")  # a tag's name may be in capitals
_TAG = re.compile(r"([A-Za-z][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)", re.DOTALL)
_VALUE = re.compile(r"[\t\x20-\x3a\x3c-\x7e]+")  # white space around the commas of a list may be tabs
_URI = re.compile(r"([a-z][a-z0-9+.-]*):(.+)", re.IGNORECASE | re.DOTALL)
_ADDRESS = re.compile(r"[^@\s,;!]+@[^@\s,;!]+")
_SIZE = re.compile(r"[0-9]{1,18}[kmgt]?", re.IGNORECASE)
_FAILURE_OPTIONS = re.compile(r"[01ds](:[01ds])*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TagFault:
    tag: str  #: the tag, or the text that is none
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DmarcRecord:
    text: str
    tags: Mapping[str, str]  #: as written, by lower-case name; of tags that are there twice, the first
    faults: tuple[TagFault, ...] = ()  #: what is wrong as it is written
    ignored: tuple[str, ...] = ()  #: tags that RFC 9989 does not know
    p: str | None = None  #: as written, lower case; None: missing or wrong
    sp: str | None = None
    np: str | None = None
    strict_dkim: bool = False
    strict_spf: bool = False
    psd: str = "u"  #: y: a public suffix, n: an organisational domain, u: neither is said
    testing: bool = False  #: t=y
    rua: tuple[str, ...] = ()  #: report addresses that are right
    #: What readers of RFC 7489 decide otherwise, as codes of messages/identities.py.
    old_readers: tuple[str, ...] = field(default=())

    @property
    def valid(self) -> bool:
        return not self.faults

    @property
    def applies(self) -> bool:
        """Whether receivers apply DMARC at all: a record with a wrong policy and no address for reports is as none (4.10.1).
        Without `p` the policy is none (4.7), and RFC 7489 needs an address for reports then."""
        return (self.p is not None and not self._wrong_policy) or bool(self.rua)

    @property
    def policy(self) -> str:
        """For mail of the domain itself."""
        return "none" if self.p is None or self._wrong_policy else self.p

    def policy_below(self, *, exists: bool) -> str:
        """For mail of a sub-domain without a record of its own."""
        if self.p is None or self._wrong_policy:
            return "none"
        return (self.np if not exists and self.np is not None else self.sp) or self.p

    @property
    def repaired(self) -> str:
        """The record without what is wrong: what receivers make of it today."""
        wrong = {fault.tag for fault in self.faults}
        kept = [f"{tag}={text}" for tag, text in self.tags.items() if tag not in ("v", "p", "rua", *wrong)]
        reports = [f"rua={','.join(self.rua)}"] if self.rua else []
        return "; ".join(["v=DMARC1", f"p={self.p or 'none'}", *kept, *reports])

    @property
    def _wrong_policy(self) -> bool:
        read = {"p": self.p, "sp": self.sp, "np": self.np}
        return any(tag in self.tags and value is None for tag, value in read.items())


def is_dmarc(text: str) -> bool:
    """Whether a TXT record says of itself that it is one: `v` is first, and its value is exact (4.7)."""
    return _VERSION.match(text) is not None or _VERSION_IN_CAPITALS.match(text) is not None


def parse(text: str) -> DmarcRecord:
    """`text` is what `is_dmarc` accepts; anything else is a record with one fault that does not apply."""
    if not is_dmarc(text):
        return DmarcRecord(text=text, tags={}, faults=(TagFault("v", words.dmarc_tag_wrong("start")),))
    tags, order, faults = _split(text)
    readers: dict[str, Callable[[str], str | None]] = {
        "p": _policy,
        "sp": _policy,
        "np": _policy,
        "adkim": _mode,
        "aspf": _mode,
        "psd": _one_of("y", "n", "u"),
        "t": _one_of("y", "n"),
        "fo": _options,
    }
    read = {tag: reader(tags[tag]) for tag, reader in readers.items() if tag in tags}
    takes = {
        "p": "none, quarantine or reject",
        "adkim": "r or s",
        "psd": "y, n or u",
        "t": "y or n",
        "fo": "0, 1, d or s",
    }
    takes |= {"sp": takes["p"], "np": takes["p"], "aspf": takes["adkim"]}
    faults += [
        TagFault(tag, words.dmarc_tag_wrong("takes", takes[tag]))
        for tag, value in read.items()
        if value is None
    ]
    rua, rua_faults = _addresses(tags.get("rua"), "rua")
    _, ruf_faults = _addresses(tags.get("ruf"), "ruf")
    known = {"v", "rua", "ruf", *readers}
    record = DmarcRecord(
        text=text,
        tags=tags,
        faults=tuple(faults + rua_faults + ruf_faults),
        ignored=tuple(tag for tag in order if tag not in known),
        p=read.get("p"),
        sp=read.get("sp"),
        np=read.get("np"),
        strict_dkim=read.get("adkim") == "s",
        strict_spf=read.get("aspf") == "s",
        psd=read.get("psd") or "u",
        testing=read.get("t") == "y",
        rua=rua,
        old_readers=_old_readers(tags, order, read),
    )
    if "p" not in tags and not rua:
        return _with_fault(record, TagFault("p", words.dmarc_tag_wrong("no-policy")))
    return record


def _with_fault(record: DmarcRecord, fault: TagFault) -> DmarcRecord:
    return DmarcRecord(
        text=record.text,
        tags=record.tags,
        faults=(*record.faults, fault),
        ignored=record.ignored,
        strict_dkim=record.strict_dkim,
        strict_spf=record.strict_spf,
        psd=record.psd,
        testing=record.testing,
        old_readers=record.old_readers,
    )


def _split(text: str) -> tuple[dict[str, str], list[str], list[TagFault]]:
    tags: dict[str, str] = {}
    order: list[str] = []
    faults: list[TagFault] = []
    parts = text.split(";")
    if not parts[-1].strip(" \t"):
        parts.pop()  # one semicolon may end the record
    for part in parts:
        part = part.strip(" \t")
        found = _TAG.fullmatch(part)
        if found is None:
            faults.append(TagFault(part[:60], words.dmarc_tag_wrong("not-a-tag" if part else "missing")))
            continue
        name, value = found[1].lower(), found[2]
        if _VALUE.fullmatch(value) is None:
            faults.append(TagFault(name, words.dmarc_tag_wrong("value")))
            continue
        if name in tags:
            faults.append(
                TagFault(name, words.dmarc_tag_wrong("twice"))
            )  # which makes a tag list invalid (RFC 6376 3.2)
            continue
        tags[name] = value
        order.append(name)
    return tags, order, faults


def _one_of(*values: str) -> Callable[[str], str | None]:
    return lambda text: text.lower() if text.lower() in values else None


_policy = _one_of(*POLICIES)
_mode = _one_of("r", "s")


def _options(text: str) -> str | None:
    options = [option.strip(" \t") for option in text.split(":")]
    return text.lower() if _FAILURE_OPTIONS.fullmatch(":".join(options)) else None


def _addresses(text: str | None, tag: str) -> tuple[tuple[str, ...], list[TagFault]]:
    """The addresses that reports can be sent to. A scheme other than mailto is allowed and useless: receivers ignore it (4.7)."""
    right: list[str] = []
    faults: list[TagFault] = []
    for uri in (text or "").split(",") if text is not None else ():
        whole, _, size = uri.strip(" \t").partition("!")
        found = _URI.fullmatch(whole)
        if found is None:
            faults.append(TagFault(tag, words.dmarc_tag_wrong("scheme", whole[:60])))
        elif found[1].lower() == "mailto" and not _ADDRESS.fullmatch(found[2].partition("?")[0]):
            faults.append(TagFault(tag, words.dmarc_tag_wrong("address", found[2][:60])))
        elif "!" in uri and not _SIZE.fullmatch(size):
            faults.append(TagFault(tag, words.dmarc_tag_wrong("size", size[:30])))
        else:
            right.append(whole)
    return tuple(right), faults


def _old_readers(
    tags: Mapping[str, str], order: list[str], read: Mapping[str, str | None]
) -> tuple[str, ...]:
    """What RFC 7489 decides otherwise about the same record (ses.md 5.5)."""
    acts = read.get("p") in ("quarantine", "reject")
    percent = tags.get("pct", "100")
    whole = percent.isascii() and percent.isdigit() and len(percent) <= 3
    return tuple(
        code
        for code, differs in (
            ("order", "p" in tags and order[1:2] != ["p"]),
            ("pct", acts and percent != "100" and whole and int(percent) < 100),
            ("wrong-removed", not whole or ("ri" in tags and not tags["ri"].isdigit())),
            ("testing", read.get("t") == "y" and acts),
            ("np", read.get("np") is not None and read.get("np") != (read.get("sp") or read.get("p"))),
            ("psd", read.get("psd") in ("y", "n")),
        )
        if differs
    )
