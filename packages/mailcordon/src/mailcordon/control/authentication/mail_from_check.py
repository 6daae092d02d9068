"""Whether the mail that SES sends for a domain passes SPF for a name of that domain: the MX record that makes SES use its MAIL
FROM, what SES says of it, and the SPF record, checked as a receiver does for the addresses that SES sends from (ses.md 5.4)."""

import asyncio

from mailcordon.control import dns_records
from mailcordon.control.authentication import spf_check, spf_record
from mailcordon.control.authentication.faults import Code, Fault
from mailcordon.control.authentication.lookup import Lookup
from mailcordon.control.authentication.misplaced import Elsewhere
from mailcordon.control.authentication.spf_check import Because, Client, Spf, SpfResult
from mailcordon.control.authentication.spf_record import SpfRecord
from mailcordon.control.authentication.subject import Domain, Part
from mailcordon.messages import identities as words

SES = "amazonses.com"  #: whose SPF record has the addresses that SES sends from; MAIL FROM falls back to names below it
_MOST_NETWORKS = 16  #: of SES that are tried; it has about a dozen
_HELO = f"a1-1.smtp-out.{SES}"
#: From best to worst: the worst of all addresses counts, because any of them may send the next mail.
_ORDER = (Spf.PASS, Spf.TEMPERROR, Spf.NEUTRAL, Spf.NONE, Spf.SOFTFAIL, Spf.FAIL, Spf.PERMERROR)


async def check(domain: Domain, lookup: Lookup, elsewhere: Elsewhere) -> Part:
    if domain.mail_from is None:
        none = Fault(
            code=Code.MAIL_FROM_NONE,
            severity="warning",
            sentence=words.mail_from_none(domain.name),
            record=domain.name,
        )
        return Part(passes=False, domain=SES, faults=(none,), why_not="no-mail-from")
    exchange, spf = await asyncio.gather(
        _exchange(domain, domain.mail_from, lookup, elsewhere), _spf(domain, domain.mail_from, lookup)
    )
    status = _not_active(domain.mail_from, domain.mail_from_status)
    faults = [fault for fault in (exchange, *spf, status) if fault is not None]
    return _part(domain.mail_from, tuple(faults), fell_back=_is_wrong(exchange) or status is not None)


def _part(mail_from: str, faults: tuple[Fault, ...], *, fell_back: bool) -> Part:
    if fell_back:
        return Part(passes=False, domain=SES, faults=faults, why_not="fell-back")
    if any(fault.severity == "error" for fault in faults):
        return Part(passes=False, domain=mail_from, faults=faults, why_not="spf")
    if any(fault.unsure for fault in faults):
        return Part(passes=None, domain=mail_from, faults=faults, why_not="spf-unknown")
    return Part(passes=True, domain=mail_from, faults=faults)


def _is_wrong(fault: Fault | None) -> bool:
    return fault is not None and not fault.unsure


async def _exchange(domain: Domain, mail_from: str, lookup: Lookup, elsewhere: Elsewhere) -> Fault | None:
    record, _ = dns_records.mail_from(mail_from, domain.region)
    answer = await lookup.find(mail_from, "MX")
    if not answer.known:
        return Fault.not_known(answer)
    hosts = [text.partition(" ")[2] for text in answer.records]
    if hosts == [record.value.partition(" ")[2]]:
        return None
    if hosts:
        code, sentence = (
            Code.MAIL_FROM_MX_WRONG,
            words.mail_from_mx_wrong(mail_from, sorted(answer.records), record.value),
        )
    else:
        found_at = await elsewhere.doubled(mail_from, "MX", lambda text: text == record.value)
        code, sentence = Code.MAIL_FROM_MX_MISSING, words.mail_from_mx_missing(mail_from, found_at)
    return Fault(code=code, severity="error", sentence=sentence, record=mail_from, publish=record)


def _not_active(mail_from: str, status: str | None) -> Fault | None:
    if status == "SUCCESS":
        return None
    return Fault(
        code=Code.MAIL_FROM_PENDING,
        severity="error" if status == "FAILED" else "warning",
        sentence=words.mail_from_not_active(mail_from, status),
        record=mail_from,
    )


async def _spf(domain: Domain, mail_from: str, lookup: Lookup) -> list[Fault]:
    addresses = await _ses_addresses(lookup)
    if isinstance(addresses, Fault):
        return [addresses]
    results = [
        await spf_check.check_host(
            mail_from, Client(address=address, helo=_HELO, sender=f"bounce@{mail_from}"), lookup
        )
        for address in addresses
    ]
    worst = max(results, key=lambda each: _ORDER.index(each.result))
    if worst.result is not Spf.PASS:
        return [await _spf_fault(domain, mail_from, worst, lookup)]
    costs = await spf_check.count_lookups(mail_from, lookup)
    if len(costs) <= spf_check.MOST_LOOKUPS:
        return []
    _, record = dns_records.mail_from(mail_from, domain.region)
    sentence = words.spf_too_many_lookups(mail_from, [cost.term for cost in costs], passes=True)
    return [
        Fault(
            code=Code.SPF_TOO_MANY_LOOKUPS,
            severity="warning",
            sentence=sentence,
            record=mail_from,
            publish=record,
        )
    ]


async def _spf_fault(domain: Domain, mail_from: str, found: SpfResult, lookup: Lookup) -> Fault:
    if found.result is Spf.TEMPERROR:
        sentence = words.not_known("TXT", found.where, found.detail.rpartition(": ")[2])
        return Fault(
            code=Code.NOT_KNOWN, severity="warning", sentence=sentence, record=mail_from, unsure=True
        )
    code, sentence = await _spf_sentence(mail_from, found, lookup)
    # MAIL FROM's domain is used for nothing else (ses.md 5.4), so this record is all that it needs.
    _, record = dns_records.mail_from(mail_from, domain.region)
    return Fault(code=code, severity="error", sentence=sentence, record=mail_from, publish=record)


async def _spf_sentence(mail_from: str, found: SpfResult, lookup: Lookup) -> tuple[Code, str]:
    own = found.where == mail_from
    match found.because:
        case Because.NO_RECORD if own:
            return Code.SPF_MISSING, words.spf_missing(mail_from)
        case Because.TWO_RECORDS if own:
            texts = (await lookup.find(mail_from, "TXT")).records
            number = sum(spf_record.is_spf(text) for text in texts)
            return Code.SPF_TWO_RECORDS, words.spf_several(mail_from, number)
        case Because.SYNTAX if own:
            return Code.SPF_SYNTAX, words.spf_syntax(mail_from, found.term[:80], found.number, found.detail)
        case Because.TOO_MANY_LOOKUPS:
            costs = await spf_check.count_lookups(mail_from, lookup)
            terms = [cost.term for cost in costs if costs] or [cost.term for cost in found.trace]
            return Code.SPF_TOO_MANY_LOOKUPS, words.spf_too_many_lookups(mail_from, terms, passes=False)
        case Because.TOO_MANY_VOIDS:
            return Code.SPF_TOO_MANY_VOIDS, words.spf_too_many_voids(mail_from, found.where)
        case None:
            return Code.SPF_NOT_SES, words.spf_not_ses(mail_from, found.result.value)
        case because:
            return Code.SPF_BROKEN, words.spf_broken(mail_from, found.where, because.value)


async def _ses_addresses(lookup: Lookup) -> list[spf_check.Address] | Fault:
    """One address of each network that SES sends from, or why they are not known."""
    answer = await lookup.find(SES, "TXT")
    if not answer.known:
        return Fault.not_known(answer)
    record = await spf_check.read_record(SES, lookup)
    mechanisms = record.mechanisms if isinstance(record, SpfRecord) else ()
    networks = [one.network for one in mechanisms if one.network is not None]
    if not networks:
        return Fault(
            code=Code.NOT_KNOWN,
            severity="warning",
            sentence=words.ses_addresses_not_known(SES),
            record=SES,
            unsure=True,
        )
    return [network[min(1, network.num_addresses - 1)] for network in networks[:_MOST_NETWORKS]]
