"""What others say of our mail: a mailbox provider's own figures, and DMARC reports of whoever received it (docs/signals.md).

A signal is a share of the mail of one domain on one UTC day. It is dated, since it comes days later, and has a trust of its own:
nothing signs such a file, so whoever imports it vouches for it.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from mailcordon.core.provider import Provider
from mailcordon.messages import outside_signals as messages

_EPOCH = date(1970, 1, 1)


class Source(StrEnum):
    POSTMASTER = "postmaster"  #: Gmail Postmaster Tools: the share of mail that its users reported as spam
    DMARC = "dmarc"  #: an aggregate report (RFC 7489 7.2, RFC 9990): mail through SES that failed DMARC


class Trust(StrEnum):
    """How far a signal may go. The order is that of `TRUSTS`."""

    LOW = "low"  #: it is shown
    MEDIUM = "medium"  #: it opens an incident
    HIGH = "high"  #: it slows mail down; it never holds any


TRUSTS = (Trust.LOW, Trust.MEDIUM, Trust.HIGH)
#: Anybody can send a DMARC report, so none slows mail.
MOST_TRUST = {Source.POSTMASTER: Trust.HIGH, Source.DMARC: Trust.MEDIUM}


def day_of(text: str) -> int:
    """UTC days since 1970, from `2026-11-28`. Raises ValueError."""
    try:
        day = (date.fromisoformat(text) - _EPOCH).days
    except ValueError:
        day = -1
    if day < 0 or len(text) != 10:
        raise ValueError(messages.no_day())
    return day


def text_of_day(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def at_most(trust: Trust, source: Source) -> Trust:
    """The trust that a signal of this source has if somebody gives it `trust`."""
    return min(trust, MOST_TRUST[source], key=TRUSTS.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideSignal:
    source: Source
    domain: str  #: of From, in lower case
    day: int  #: UTC days since 1970
    rate: float  #: share of the mail: reported as spam, or failed DMARC
    trust: Trust
    provider: Provider | None = None  #: whose mailboxes; None: the reporter is none of those that we know
    reporter: str = ""  #: the organisation that a DMARC report names
    report: str = ""  #: its own number of the report
    bad: int | None = None  #: mails behind the rate; None: the source says only the share
    of: int | None = None
    elsewhere: int | None = None  #: DMARC: mails from this domain that did not come through SES
    elsewhere_bad: int | None = None  #: of them, those that failed
