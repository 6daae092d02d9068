"""The DMARC record that receivers apply to mail from a domain, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass

from mailcordon.control import dns_records
from mailcordon.control.authentication import dmarc_discovery, dmarc_record
from mailcordon.control.authentication.dmarc_discovery import Step, Walk
from mailcordon.control.authentication.dmarc_record import DmarcRecord
from mailcordon.control.authentication.faults import Code, Fault
from mailcordon.control.authentication.lookup import Lookup
from mailcordon.control.authentication.misplaced import Elsewhere
from mailcordon.control.dns_records import Record
from mailcordon.messages import identities as words

MOST_FAULTS = 8  #: of one record that are said: who publishes it decides how many there are
_LONGEST_REPAIR = 1024  #: characters of a record to publish; a longer one is not worth keeping


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What applies to mail from one domain."""

    walk: Walk
    record: DmarcRecord | None  #: None: there is none, or it is not known
    at: str  #: the domain that the record is of; the From domain if there is none
    policy: str | None  #: none, quarantine or reject; None: there is no record
    faults: tuple[Fault, ...]

    @property
    def known(self) -> bool:
        """Whether the record is; the organisational domain may still be unknown."""
        return self.record is not None or self.walk.known

    @property
    def name(self) -> str:
        return f"_dmarc.{self.at}"

    @property
    def applied_policy(self) -> str | None:
        """What receivers do with mail that fails: with `t=y`, what is one step milder than the policy (RFC 9989 4.7)."""
        if self.record is None or not self.record.testing:
            return self.policy
        return {"reject": "quarantine", "quarantine": "none"}.get(self.policy or "", self.policy)


async def check(from_domain: str, below: tuple[str, ...], lookup: Lookup, elsewhere: Elsewhere) -> Applied:
    """`below`: domains under it where a record may be by mistake."""
    walk = await dmarc_discovery.walk(from_domain, lookup)
    step = _applied(walk)
    record = None if step is None else step.record
    at = walk.domain if step is None else step.domain
    faults = [Fault.not_known(each.answer) for each in walk.steps if not each.answer.known]
    faults += _own_faults(walk.steps[0], other=step)
    if record is not None:
        faults += [*_record_faults(record, f"_dmarc.{at}"), *_unused(walk, at)]
    elif walk.known and not faults:
        faults.append(await _missing(walk.domain, below, elsewhere))
    return Applied(
        walk=walk,
        record=record,
        at=at,
        policy=None if record is None else await _policy(record, at, walk.domain, lookup),
        faults=tuple(faults),
    )


def _applied(walk: Walk) -> Step | None:
    """None: no record applies, or it is not known which, because one that would win was not answered."""
    step = walk.policy_step
    if step is None or step.record is None or not step.record.applies:
        return None
    own = walk.steps[0]
    return step if step is own or walk.known else None


async def _policy(record: DmarcRecord, at: str, from_domain: str, lookup: Lookup) -> str:
    if at == from_domain:
        return record.policy
    exists = await dmarc_discovery.exists(from_domain, lookup)
    return record.policy_below(exists=exists is not False)


def _own_faults(own: Step, *, other: Step | None) -> Iterator[Fault]:
    """Of the From domain's own name. If another record applies, its mail is still looked after."""
    name = own.answer.name
    severity = "error" if other is None else "warning"
    record = dns_records.dmarc(own.domain)
    if not own.answer.known or (own.record is not None and own.record.applies):
        return
    if own.record is not None:
        yield from _record_faults(own.record, name)
    elif own.found > 1:
        sentence = words.dmarc_several(name, own.found)
        publish = _record(name, _first(own))
        yield Fault(
            code=Code.DMARC_TWO_RECORDS, severity=severity, sentence=sentence, record=name, publish=publish
        )
    elif nearly := [text for text in own.answer.records if text.strip().lower().startswith("v=dmarc")]:
        tag = dmarc_record.parse(nearly[0]).faults[0]
        sentence = words.dmarc_syntax(name, tag.tag, tag.why, applies=False)
        yield Fault(code=Code.DMARC_SYNTAX, severity=severity, sentence=sentence, record=name, publish=record)
    elif own.answer.aliases:
        sentence = words.dmarc_alias_empty(name, own.answer.canonical)
        yield Fault(
            code=Code.DMARC_ALIAS_EMPTY, severity=severity, sentence=sentence, record=name, publish=record
        )


def _record(name: str, found: str) -> Record:
    """What somebody has published elsewhere, without what is wrong with it."""
    return _repaired(name, dmarc_record.parse(found))


def _repaired(name: str, record: DmarcRecord) -> Record:
    right = record.text if record.valid else record.repaired
    domain = name.removeprefix("_dmarc.")
    return (
        dns_records.dmarc(domain)
        if len(right) > _LONGEST_REPAIR
        else Record(type="TXT", name=name, value=right)
    )


def _first(step: Step) -> str:
    return next(text for text in step.answer.records if dmarc_record.is_dmarc(text))


def _record_faults(record: DmarcRecord, name: str) -> Iterator[Fault]:
    for wrong in record.faults[:MOST_FAULTS]:
        yield Fault(
            code=Code.DMARC_SYNTAX,
            severity="warning" if record.applies else "error",
            sentence=words.dmarc_syntax(name, wrong.tag, wrong.why, applies=record.applies),
            record=name,
            publish=_repaired(name, record),
        )
    for what in record.old_readers:
        yield Fault(
            code=Code.DMARC_OLD_READERS,
            severity="note",
            sentence=words.dmarc_old_readers(name, what),
            record=name,
        )
    if record.strict_spf:
        yield Fault(
            code=Code.DMARC_STRICT_SPF,
            severity="warning",
            sentence=words.dmarc_strict_spf(name),
            record=name,
        )


def _unused(walk: Walk, at: str) -> Iterator[Fault]:
    """Records between the From domain and the one that applies: whoever published them thinks that they count."""
    if at == walk.domain:
        return
    for step in walk.steps[1:]:
        if step.domain == at:
            return
        if step.record is not None:
            wanted = f"_dmarc.{walk.domain}"
            yield Fault(
                code=Code.DMARC_WRONG_PLACE,
                severity="warning",
                sentence=words.dmarc_wrong_place(
                    walk.domain, f"_dmarc.{step.domain}", wanted, used=f"_dmarc.{at}"
                ),
                record=wanted,
                publish=_record(wanted, step.record.text),
            )


async def _missing(domain: str, below: tuple[str, ...], elsewhere: Elsewhere) -> Fault:
    record = dns_records.dmarc(domain)
    for found_at in (domain, *(f"_dmarc.{each}" for each in below if each.endswith(f".{domain}"))):
        texts = [
            text
            for text in (await elsewhere.lookup.find(found_at, "TXT")).records
            if dmarc_record.is_dmarc(text)
        ]
        if texts:
            return Fault(
                code=Code.DMARC_WRONG_PLACE,
                severity="error",
                sentence=words.dmarc_wrong_place(domain, found_at, record.name, used=""),
                record=record.name,
                publish=_record(record.name, texts[0]),
            )
    found_at = await elsewhere.doubled(record.name, "TXT", dmarc_record.is_dmarc)
    return Fault(
        code=Code.DMARC_MISSING,
        severity="error",
        sentence=words.dmarc_missing(domain, found_at),
        record=record.name,
        publish=record,
    )
