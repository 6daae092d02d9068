"""The computed answer for a domain: what of its records is wrong, and whether the mail of each lane passes DMARC."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from mailcordon.control.authentication import (
    alignment,
    dkim_check,
    dmarc_check,
    dmarc_discovery,
    mail_from_check,
)
from mailcordon.control.authentication.alignment import Suffixes
from mailcordon.control.authentication.dmarc_check import Applied
from mailcordon.control.authentication.dmarc_discovery import Walk
from mailcordon.control.authentication.faults import Code, Fault
from mailcordon.control.authentication.lookup import Answer, Lookup, RecordType
from mailcordon.control.authentication.misplaced import Elsewhere
from mailcordon.control.authentication.subject import Domain, Mail, Part
from mailcordon.core import text
from mailcordon.messages import identities as words

_SEVERITIES = ("error", "warning", "note")
_LONGEST_SENTENCE = 600  #: characters


class Result(StrEnum):
    PASSES_BOTH = "passes-both"
    PASSES_DKIM_ONLY = "passes-dkim-only"
    PASSES_SPF_ONLY = "passes-spf-only"
    FAILS = "fails"
    UNKNOWN = "unknown"  #: a look-up failed and the rest does not settle it


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAnswer:
    mail: Mail
    result: Result
    sentence: str
    organisation: str | None  #: the From domain's organisational domain; None: not known
    policy: str | None  #: none, quarantine or reject; None: no DMARC record, or not known
    dkim: bool | None = None  #: whether its signature is valid, aligned or not; None: not known
    spf: bool | None = (
        None  #: whether SPF passes for its own MAIL FROM domain, aligned or not; None: not known
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    domain: str
    faults: tuple[Fault, ...]  #: errors first
    mails: tuple[MailAnswer, ...]
    authoritative: bool  #: every answer came from the zones' own servers
    complete: bool  #: no look-up failed

    @property
    def passes(self) -> bool:
        """Whether nothing is an error. An incomplete judgement without errors passes as far as is known."""
        return not any(fault.severity == "error" for fault in self.faults)


async def judge(domain: Domain, mails: Sequence[Mail], lookup: Lookup, suffixes: Suffixes) -> Judgement:
    """Asks for what it needs, a bounded number of times, and never raises for what it finds. Without mails, the answer is about
    the records alone."""
    asked = _Recorded(lookup)
    from_domains = tuple(
        dict.fromkeys([alignment.folded(mail.from_domain) for mail in mails] or [domain.name])
    )
    elsewhere = Elsewhere(lookup, (domain.name, suffixes.registrable(domain.name) or ""))
    below = () if domain.mail_from is None else (domain.mail_from,)
    (dkim, spf), applied = await asyncio.gather(
        asyncio.gather(
            dkim_check.check(domain, asked, elsewhere), mail_from_check.check(domain, asked, elsewhere)
        ),
        asyncio.gather(*(dmarc_check.check(each, below, asked, elsewhere) for each in from_domains)),
    )
    walks = {each.walk.domain: each.walk for each in applied}
    for part in (dkim, spf):
        if part.domain not in walks:
            walks[part.domain] = await dmarc_discovery.walk(part.domain, asked)
    weighed = [_Weighed(each, dkim, spf, walks, suffixes) for each in applied]
    answers = {each.applied.walk.domain: each for each in weighed}
    found = [*dkim.faults, *spf.faults, *(fault for each in weighed for fault in each.faults())]
    return Judgement(
        domain=domain.name,
        faults=_in_order(found),
        mails=tuple(answers[alignment.folded(mail.from_domain)].answer(mail, asked.failed) for mail in mails),
        authoritative=asked.authoritative,
        complete=not asked.failed,
    )


def _in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    # A stranger wrote the records, and parts of them are in the sentences.
    shown = (replace(fault, sentence=text.harmless(fault.sentence, _LONGEST_SENTENCE)) for fault in faults)
    once = {(fault.code, fault.record, fault.sentence): fault for fault in shown}
    return tuple(sorted(once.values(), key=lambda fault: _SEVERITIES.index(fault.severity)))


class _Recorded:
    """A `Lookup` that remembers what was not answered, and whether all else came from the zones' own servers."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self.failed: list[str] = []
        self._answered = False
        self._by_the_zones = True

    @property
    def authoritative(self) -> bool:
        return self._answered and self._by_the_zones

    async def find(self, name: str, type: RecordType) -> Answer:
        answer = await self._lookup.find(name, type)
        if answer.known:
            self._answered = True
            self._by_the_zones &= answer.authoritative
        elif (what := f"{type} of {name}") not in self.failed:
            self.failed.append(what)
        return answer


class _Weighed:
    """What DKIM and SPF are worth under the DMARC record of one From domain."""

    def __init__(
        self, applied: Applied, dkim: Part, spf: Part, walks: dict[str, Walk], suffixes: Suffixes
    ) -> None:
        self.applied = applied
        self._dkim = dkim
        self._spf = spf
        self._walks = walks
        self._suffixes = suffixes

    def faults(self) -> list[Fault]:
        found = list(self.applied.faults)
        record, domain = self.applied.record, self.applied.walk.domain
        if record is not None and record.strict_dkim and domain != self._dkim.domain:
            found.append(
                Fault(
                    code=Code.DMARC_STRICT_DKIM,
                    severity="warning",
                    sentence=words.dmarc_strict_dkim(self.applied.name, domain, self._dkim.domain),
                    record=self.applied.name,
                )
            )
        if (effect := self._old_readers()) is not None:
            walked, listed = self.applied.walk.organisation, self._listed(domain)
            found.append(
                Fault(
                    code=Code.DMARC_DIFFERENT_ORGANISATION,
                    severity="note",
                    sentence=words.dmarc_different_organisation(domain, walked, listed, effect),
                    record=self.applied.name,
                )
            )
        return found

    def answer(self, mail: Mail, failed: Sequence[str]) -> MailAnswer:
        result, sentence = self._result(failed)
        walk = self.applied.walk
        return MailAnswer(
            mail=mail,
            result=result,
            sentence=sentence,
            organisation=walk.organisation if walk.known else None,
            policy=self.applied.policy,
            dkim=self._dkim.passes,
            spf=self._spf.passes,
        )

    def _result(self, failed: Sequence[str]) -> tuple[Result, str]:
        domain = self.applied.walk.domain
        if self.applied.record is None:
            if not self.applied.known:
                return Result.UNKNOWN, words.mail_not_known(domain, list(failed[:3]), "no-record")
            return Result.FAILS, words.mail_fails(domain, [words.mail_because("no-record")], None)
        by_dkim, why_not_dkim = self._mechanism(self._dkim, self.applied.record.strict_dkim, "dkim-strict")
        by_spf, why_not_spf = self._mechanism(self._spf, self.applied.record.strict_spf, "spf-strict")
        if by_dkim and by_spf:
            return Result.PASSES_BOTH, words.mail_passes(domain, "both", None)
        if by_dkim:
            return Result.PASSES_DKIM_ONLY, words.mail_passes(domain, "dkim", words.mail_because(why_not_spf))
        if by_spf:
            return Result.PASSES_SPF_ONLY, words.mail_passes(domain, "spf", words.mail_because(why_not_dkim))
        if by_dkim is None or by_spf is None:
            return Result.UNKNOWN, words.mail_not_known(
                domain, list(failed[:3]), why_not_dkim if by_dkim is None else why_not_spf
            )
        because = [words.mail_because(why) for why in dict.fromkeys((why_not_dkim, why_not_spf))]
        return Result.FAILS, words.mail_fails(domain, because, self.applied.applied_policy)

    def _mechanism(self, part: Part, strict: bool, strict_code: str) -> tuple[bool | None, str]:
        """Whether it passes and aligns, and the code of why not."""
        if part.passes is False:
            return False, part.why_not
        aligned = self._aligned(part.domain, strict=strict)
        if aligned is False:
            return False, strict_code if strict else "not-aligned"
        if part.passes is None or aligned is None:
            return None, part.why_not or ("dkim-unknown" if part is self._dkim else "spf-unknown")
        return True, ""

    def _aligned(self, authenticated: str, *, strict: bool) -> bool | None:
        domain = self.applied.walk.domain
        if not strict and domain != authenticated:
            walks = (self._walks[domain], self._walks[authenticated])
            if not all(walk.known for walk in walks):
                return None
        return alignment.aligned(
            domain, authenticated, strict=strict, organisation_of=lambda each: self._walks[each].organisation
        )

    def _listed(self, domain: str) -> str:
        return dmarc_discovery.listed_organisation(domain, self._suffixes)

    def _old_readers(self) -> str | None:
        """What receivers that use the public suffix list decide otherwise. None: nothing."""
        walk, record = self.applied.walk, self.applied.record
        if record is None or not walk.known:
            return None
        listed = self._listed(walk.domain)
        if self.applied.at not in (walk.domain, listed):
            return "policy"
        parts = ((self._dkim, record.strict_dkim), (self._spf, record.strict_spf))
        for part, strict in parts:
            by_list = alignment.aligned(walk.domain, part.domain, strict=strict, organisation_of=self._listed)
            if part.passes and by_list is not self._aligned(part.domain, strict=strict):
                return "alignment"
        return None
