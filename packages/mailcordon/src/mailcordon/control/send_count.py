"""SES's own count of the account's mail against ours: the net for mail that leaves no event (docs/ungoverned.md). Pure.

`SentLast24Hours` (ses.md 3.5) counts recipients of the last 24 hours. What Mailcordon handed over explains most of it; the rest
was sent by something else. The figure may be late by up to `lag_ms`, by more in one answer than in the next, so what we sent in
that time may be in it or not: `excess` is what is left if all of it is. What SES counts from before our first reading is not
known either. It only becomes less, so the smallest rest of an earlier reading, if none of our late mail was in it, bounds it
(`lowest`). After 24 hours there is none.
"""

from dataclasses import dataclass, replace

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
    unknown: int  #: deliveries whose outcome is not known, or whose call has not ended: SES may count them
    others: int  #: mail of other installations, of two days at most
    named: int  #: recipients of ungoverned mail of 24 hours and the lag that another net saw
    ours_lag: int | None  #: `ours` of the last reading before the lag; None: there is none
    lowest: int | None  #: of that reading
    ours_day: int  #: `ours` of the first reading within 24 hours
    ours_window: int | None  #: `ours` of the last reading before 24 hours and the lag; None: there is none
    ours_first: int  #: `ours` of the first reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a reading shows. Times are None while the excess is no larger than the error."""

    lowest: int | None = None  #: what SES counted from before the first reading, at most; None: not known yet
    excess: int = 0  #: recipients that nothing explains
    compared: bool = False
    over_since: int | None = None
    under_since: int | None = (
        None  #: since when it is within the error again, which may be only a late figure
    )
    grew_at: int | None = None
    grown_to: int | None = None

    def is_quiet(self, now: int) -> bool:
        """Whether nothing seems to be sent at present. After a day what grows is hidden by what leaves the count."""
        grew_at, since = self.grew_at, self.over_since
        return (
            grew_at is not None and since is not None and grew_at <= now - QUIET_MS and since > now - DAY_MS
        )


def error(sent: int) -> int:
    """The excess that is not worth a word."""
    return max(LEAST_ERROR, round(sent * ERROR_SHARE))


def judge(reading: Reading, known: Known, before: Judged, *, lag_ms: int) -> Judged:
    """What a reading shows. `before`: what the one before it did."""
    lowest, bound = before.lowest, known.lowest
    if known.ours_lag is not None:
        rest = max(0, reading.sent - max(0, known.ours_lag - known.ours_day))
        lowest = rest if lowest is None else min(lowest, rest)
    if known.ours_window is not None:
        bound = 0
    if bound is None:
        return Judged(lowest=lowest)
    begin = known.ours_first if known.ours_window is None else known.ours_window
    explained = known.ours_now - begin + known.unknown + known.others + known.named
    excess, slack = max(0, reading.sent - explained - bound), error(reading.sent)
    now = Judged(lowest=lowest, excess=excess, compared=True)
    if excess <= slack:
        if before.over_since is None:
            return now
        since = before.under_since or reading.at
        if reading.at - since >= lag_ms:
            return now
        return replace(
            now,
            over_since=before.over_since,
            under_since=since,
            grew_at=before.grew_at,
            grown_to=before.grown_to,
        )
    grew_at, grown_to = before.grew_at, before.grown_to
    late = (
        0 if known.ours_lag is None else known.ours_now - known.ours_lag
    )  # of ours, that one figure has and another has not
    if grew_at is None or grown_to is None or excess > grown_to + slack + late:
        grew_at, grown_to = reading.at, excess
    return replace(now, over_since=before.over_since or reading.at, grew_at=grew_at, grown_to=grown_to)
