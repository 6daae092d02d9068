"""Whether the mail that SES signs for a domain passes DKIM: the records that its keys are looked up by (ses.md 5.3)."""

import asyncio

from mailcordon.control import dns_records
from mailcordon.control.authentication import dkim_record
from mailcordon.control.authentication.faults import Code, Fault
from mailcordon.control.authentication.lookup import Lookup, RecordType
from mailcordon.control.authentication.misplaced import Elsewhere
from mailcordon.control.authentication.subject import Domain, Part
from mailcordon.control.dns_records import DkimKey, Record
from mailcordon.messages import identities as words

#: SES signs while it has seen the records once; after three days without them it refuses the mail (ses.md 5.2).
_SIGNS = (None, "SUCCESS", "TEMPORARY_FAILURE")


async def check(domain: Domain, lookup: Lookup, elsewhere: Elsewhere) -> Part:
    if domain.selector is not None:
        found = [await _own_key(domain, domain.selector, lookup, elsewhere)]
    elif not domain.tokens:
        found = [_not_yet(domain)]
    else:
        found = await asyncio.gather(*(_alias(domain, token, lookup, elsewhere) for token in domain.tokens))
    faults = [fault for fault in found if fault is not None]
    if not domain.signing:
        off = Fault(
            code=Code.DKIM_OFF, severity="error", sentence=words.dkim_off(domain.name), record=domain.name
        )
        faults.insert(0, off)
    elif domain.dkim_status not in ("SUCCESS", None):
        faults.append(_not_verified(domain, domain.dkim_status))
    return _part(domain, tuple(faults))


def _part(domain: Domain, faults: tuple[Fault, ...]) -> Part:
    wrong = any(fault.severity == "error" for fault in faults)
    if wrong or domain.dkim_status not in _SIGNS:
        why = "dkim" if domain.signing else "dkim-off"
        return Part(passes=False, domain=domain.name, faults=faults, why_not=why)
    if any(fault.code is Code.DKIM_NOT_YET for fault in faults):
        return Part(passes=None, domain=domain.name, faults=faults, why_not="dkim-not-yet")
    if any(fault.unsure for fault in faults):
        return Part(passes=None, domain=domain.name, faults=faults, why_not="dkim-unknown")
    return Part(passes=True, domain=domain.name, faults=faults)


async def _alias(domain: Domain, token: str, lookup: Lookup, elsewhere: Elsewhere) -> Fault | None:
    record = Record(
        type="CNAME", name=f"{token}._domainkey.{domain.name}", value=f"{token}.{domain.signing_zone}"
    )
    answer = await lookup.find(record.name, "CNAME")
    if not answer.known:
        return Fault.not_known(answer)
    if not answer.records:
        return await _missing(record, "CNAME", elsewhere, publish=record)
    if answer.records[0] == record.value.lower():
        return None
    sentence = words.dkim_points_elsewhere(record.name, answer.records[0], record.value)
    return Fault(
        code=Code.DKIM_WRONG, severity="error", sentence=sentence, record=record.name, publish=record
    )


async def _own_key(domain: Domain, selector: str, lookup: Lookup, elsewhere: Elsewhere) -> Fault | None:
    record = dns_records.dkim_key(domain.name, DkimKey(selector=selector, public_key=domain.public_key or ""))
    answer = await lookup.find(record.name, "TXT")
    if not answer.known:
        return Fault.not_known(answer)
    if not answer.records:
        return await _missing(record, "TXT", elsewhere, publish=record if domain.public_key else None)
    first, *others = answer.records
    if others:
        sentence = words.dkim_several(record.name, len(answer.records))
    else:
        found = dkim_record.parse(first)
        # A key that somebody gave to SES by hand is not known here: whether the record has it is SES's word.
        wanted = domain.public_key
        if found.why is None and (wanted is None or dkim_record.same_key(found.key, wanted)):
            return None
        sentence = words.dkim_wrong_key(record.name, found.why)
    return Fault(
        code=Code.DKIM_WRONG,
        severity="error",
        sentence=sentence,
        record=record.name,
        publish=record if domain.public_key else None,
    )


def _not_yet(domain: Domain) -> Fault:
    return Fault(
        code=Code.DKIM_NOT_YET,
        severity="warning",
        sentence=words.dkim_not_yet(domain.name),
        record=domain.name,
        unsure=True,
    )


async def _missing(
    record: Record, type: RecordType, elsewhere: Elsewhere, *, publish: Record | None
) -> Fault:
    wanted = record.value.lower()
    found_at = await elsewhere.doubled(record.name, type, lambda text: text.lower() == wanted)
    return Fault(
        code=Code.DKIM_MISSING,
        severity="error",
        sentence=words.dkim_missing(record.name, type, found_at),
        record=record.name,
        publish=publish,
    )


def _not_verified(domain: Domain, status: str) -> Fault:
    return Fault(
        code=Code.DKIM_PENDING,
        severity="error" if status == "FAILED" else "warning",
        sentence=words.dkim_not_verified(domain.name, status),
        record=domain.name,
    )
