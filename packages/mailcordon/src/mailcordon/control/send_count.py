"""SES's own count of the account's mail against ours: the net for mail that leaves no event (docs/ungoverned.md). Pure.

`SentLast24Hours` (ses.md 3.5) counts recipients of the last 24 hours. What Mailcordon handed over explains most of it; the rest
was sent by something else. The figure may be late by `lag_ms`, so what we sent in any part of that time may be in it or not:
`excess` is what is left if all of it is. What SES counts from before our first reading is not known either. It only becomes less,
so the smallest rest that was ever seen, if none of our late mail was in it, bounds it (`baseline`). After 24 hours there is none.
"""

from dataclasses import dataclass

DAY_MS = 86_400_000
#: AWS does not say how late the figure is. It follows within minutes; a longer time makes the net less sensitive by the mail of
#: that time, a shorter one makes false alarms.
LAG_MS = 15 * 60_000
LEAST_ERROR = 3  #: recipients
ERROR_SHARE = 0.005  #: of SES's count: attempts that were repeated, and single precision
QUIET_MS = 3_600_000  #: without growth for so long nothing is sent at present


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Times are milliseconds since 1970."""

    at: int
    sent: int  #: SES's figure
    ours: int  #: recipients that ever left our queues and may be at SES, read after SES had answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known when a reading is judged, which is when the next one comes: then calls that were under way have ended."""

    ours_now: int
    unknown: int  #: deliveries whose outcome is not known: SES may count them
    others: int  #: mail of other installations, of two days at most
    named: int  #: recipients of ungoverned mail of 24 hours and the lag that another net saw
    ours_lag: int | None  #: `ours` of the last reading before the lag; None: there is none
    ours_day: int  #: `ours` of the first reading within 24 hours
    ours_window: int | None  #: `ours` of the last reading before 24 hours and the lag; None: there is none
    ours_first: int  #: `ours` of the first reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    first_at: int
    baseline: int | None = None
    excess: int = 0
    over_since: int | None = None
    grew_at: int | None = None
    grown_to: int | None = None


def error(sent: int) -> int:
    """The excess that is not worth a word."""
    return max(LEAST_ERROR, round(sent * ERROR_SHARE))


def judge(reading: Reading, known: Known, before: Judged) -> Judged:
    """What a reading shows. `before`: what the one before it did."""
    baseline = before.baseline
    if known.ours_window is not None:
        baseline = 0
    elif known.ours_lag is not None:
        at_most = max(0, reading.sent - max(0, known.ours_lag - known.ours_day))
        baseline = at_most if baseline is None else min(baseline, at_most)
    if baseline is None:
        return Judged(first_at=before.first_at)
    begin = known.ours_first if known.ours_window is None else known.ours_window
    explained = known.ours_now - begin + known.unknown + known.others + known.named
    excess = max(0, reading.sent - explained - baseline)
    if excess <= error(reading.sent):
        return Judged(first_at=before.first_at, baseline=baseline, excess=excess)
    grew_at, grown_to = before.grew_at, before.grown_to
    if grew_at is None or grown_to is None or excess > grown_to + error(reading.sent):
        grew_at, grown_to = reading.at, excess
    return Judged(
        first_at=before.first_at,
        baseline=baseline,
        excess=excess,
        over_since=before.over_since or reading.at,
        grew_at=grew_at,
        grown_to=min(grown_to, excess),
    )
