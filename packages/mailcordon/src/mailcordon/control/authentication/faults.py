"""What is wrong with a domain's records: a closed list of codes, each with the record to publish where one would mend it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

from mailcordon.control.authentication.lookup import Answer
from mailcordon.control.dns_records import Record
from mailcordon.messages import identities as words

Severity = Literal["error", "warning", "note"]


class Code(StrEnum):
    NOT_KNOWN = "not-known"  #: the DNS did not answer
    DKIM_MISSING = "dkim-missing"
    DKIM_WRONG = "dkim-wrong"
    DKIM_OFF = "dkim-off"
    DKIM_PENDING = "dkim-pending"
    DKIM_NOT_YET = "dkim-not-yet"  #: SES has no keys for it, so no record can be looked for
    MAIL_FROM_NONE = "mail-from-none"
    MAIL_FROM_MX_MISSING = "mail-from-mx-missing"
    MAIL_FROM_MX_WRONG = "mail-from-mx-wrong"
    MAIL_FROM_PENDING = "mail-from-pending"
    SPF_MISSING = "spf-missing"
    SPF_TWO_RECORDS = "spf-two-records"
    SPF_SYNTAX = "spf-syntax"
    SPF_TOO_MANY_LOOKUPS = "spf-too-many-lookups"
    SPF_TOO_MANY_VOIDS = "spf-too-many-voids"
    SPF_BROKEN = "spf-broken"  #: an included or redirected name has no usable record
    SPF_NOT_SES = "spf-not-ses"
    DMARC_MISSING = "dmarc-missing"
    DMARC_ALIAS_EMPTY = "dmarc-alias-empty"
    DMARC_WRONG_PLACE = "dmarc-wrong-place"
    DMARC_TWO_RECORDS = "dmarc-two-records"
    DMARC_SYNTAX = "dmarc-syntax"
    DMARC_OLD_READERS = "dmarc-old-readers"
    DMARC_STRICT_SPF = "dmarc-strict-spf"
    DMARC_STRICT_DKIM = "dmarc-strict-dkim"
    DMARC_DIFFERENT_ORGANISATION = "dmarc-different-organisation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    code: Code
    severity: Severity  #: error: mail fails or depends on one mechanism only; note: nothing to do
    sentence: str
    record: str  #: the name it is about
    publish: Record | None = None  #: what would mend it
    unsure: bool = False  #: the DNS did not answer: neither a success nor a failure

    @classmethod
    def not_known(cls, answer: Answer) -> Self:
        sentence = words.not_known(answer.type, answer.name, answer.detail)
        return cls(
            code=Code.NOT_KNOWN, severity="warning", sentence=sentence, record=answer.name, unsure=True
        )
