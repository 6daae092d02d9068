"""Where a domain's DMARC policy is, and what its organisational domain is: the tree walk of RFC 9989 4.10, with the domain
beside it that a public suffix list gives, which is how readers of RFC 7489 find it."""

from collections.abc import Iterator
from dataclasses import dataclass

from mailcordon.control.authentication import dmarc_record
from mailcordon.control.authentication.alignment import Suffixes, folded
from mailcordon.control.authentication.dmarc_record import DmarcRecord
from mailcordon.control.authentication.lookup import Answer, Found, Lookup

MOST_QUERIES = 8  #: of one walk (4.10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    domain: str
    answer: Answer
    record: DmarcRecord | None  #: None: there is none that counts
    found: int  #: records that say of themselves that they are DMARC's; two or more are all discarded


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    domain: str
    steps: tuple[Step, ...]

    @property
    def known(self) -> bool:
        """Whether every look-up was answered. What one did not answer may change all of the below."""
        return all(step.answer.known for step in self.steps)

    @property
    def organisation(self) -> str:
        """The organisational domain (4.10.2)."""
        with_records = [step for step in self.steps if step.record is not None and step.record.applies]
        for step in with_records:
            if step.record is not None and step.record.psd == "n":
                return step.domain
            if step.record is not None and step.record.psd == "y" and step.domain != self.domain:
                return _one_below(step.domain, self.domain)
        return with_records[-1].domain if with_records else self.domain

    @property
    def policy_step(self) -> Step | None:
        """Where the record that applies is: the domain's own, its organisational domain's, or its public suffix's (4.10.1)."""
        own = self._at(self.domain)
        if own is not None:
            return own
        suffixes = (step for step in self.steps if step.record is not None and step.record.psd == "y")
        return self._at(self.organisation) or next(suffixes, None)

    def _at(self, domain: str) -> Step | None:
        found = (step for step in self.steps if step.domain == domain and step.record is not None)
        return next(found, None)


async def walk(domain: str, lookup: Lookup) -> Walk:
    """At most 8 queries, from the domain itself up to its top level; long names are shortened to 7 labels after the first."""
    steps: list[Step] = []
    domain = folded(domain)
    for target in targets(domain):
        step = await read(target, lookup)
        steps.append(step)
        if step.record is not None and step.record.psd in ("y", "n"):
            break
    return Walk(domain=domain, steps=tuple(steps))


def targets(domain: str) -> Iterator[str]:
    """The domains whose records a full walk asks for, in order (4.10)."""
    labels = domain.split(".")
    yield domain
    for left in range(min(len(labels) - 1, MOST_QUERIES - 1), 0, -1):
        yield ".".join(labels[-left:])


async def read(domain: str, lookup: Lookup) -> Step:
    """The one record at `_dmarc.` of a domain. Two or more are all discarded."""
    answer = await lookup.find(f"_dmarc.{domain}", "TXT")
    records = [text for text in answer.records if dmarc_record.is_dmarc(text)]
    record = dmarc_record.parse(records[0]) if len(records) == 1 else None
    return Step(domain=domain, answer=answer, record=record, found=len(records))


def listed_organisation(domain: str, suffixes: Suffixes) -> str:
    """As readers of RFC 7489 find it: the registrable domain; a public suffix is its own."""
    return suffixes.registrable(folded(domain)) or folded(domain)


async def exists(domain: str, lookup: Lookup) -> bool | None:
    """Whether the domain is in the DNS: NXDOMAIN for one type is NXDOMAIN for all (RFC 8020). None: not known."""
    answer = await lookup.find(domain, "A")
    return None if not answer.known else answer.found is not Found.NO_NAME


def _one_below(parent: str, domain: str) -> str:
    labels = domain.split(".")
    return ".".join(labels[-(parent.count(".") + 2) :])
