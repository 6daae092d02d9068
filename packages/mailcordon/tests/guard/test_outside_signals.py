"""What follows of what others say of our mail."""

from typing import Any

from mailcordon.core.outside_signal import OutsideSignal, Source, Trust, at_most
from mailcordon.core.provider import Provider
from mailcordon.guard import outside_signals
from mailcordon.guard.outside_signals import Level, Standing

TODAY = 20_786


def rate(share: float, ago: int = 1, trust: Trust = Trust.HIGH) -> OutsideSignal:
    return OutsideSignal(
        source=Source.POSTMASTER,
        domain="acme.example",
        day=TODAY - ago,
        rate=share,
        trust=trust,
        provider=Provider.GMAIL,
    )


def dmarc(bad: int, of: int, ago: int = 1, reporter: str = "google.com", **over: Any) -> OutsideSignal:
    given: dict[str, Any] = {"trust": Trust.MEDIUM, "elsewhere": 0, "elsewhere_bad": 0} | over
    return OutsideSignal(
        source=Source.DMARC,
        domain="acme.example",
        day=TODAY - ago,
        rate=bad / of if of else 0.0,
        reporter=reporter,
        report=f"{reporter}-{ago}",
        bad=bad,
        of=of,
        **given,
    )


def standing(*signals: OutsideSignal) -> Standing:
    [found] = outside_signals.standings(signals, TODAY)
    return found


def test_a_rate_may_do_as_much_as_its_trust_and_never_more_than_slow() -> None:
    expected = {
        (0.0009, Trust.HIGH): Level.FINE,
        (0.001, Trust.HIGH): Level.BAD,
        (0.0029, Trust.HIGH): Level.BAD,
        (0.003, Trust.HIGH): Level.SLOW,
        (1.0, Trust.HIGH): Level.SLOW,
        (1.0, Trust.MEDIUM): Level.BAD,
        (1.0, Trust.LOW): Level.NOTED,
    }
    found = {(share, trust): standing(rate(share, trust=trust)).level for share, trust in expected}
    assert found == expected


def test_the_latest_day_decides_and_the_days_before_say_since_when() -> None:
    bad = standing(rate(0.004, 1), rate(0.002, 2), rate(0.0, 3), rate(0.5, 4))
    assert (bad.level, bad.day, bad.since) == (Level.SLOW, TODAY - 1, TODAY - 2)
    good = standing(rate(0.0002, 1), rate(0.5, 2))
    assert (good.level, good.rate) == (Level.FINE, 0.0002)


def test_what_is_old_or_of_a_day_that_has_not_come_counts_for_nothing() -> None:
    for ago in (outside_signals.FRESH_DAYS + 1, 400, -1, -400):
        assert outside_signals.standings([rate(0.5, ago), dmarc(90, 100, ago)], TODAY) == []
    assert standing(rate(0.5, outside_signals.FRESH_DAYS)).level is Level.SLOW


def test_reports_of_all_receivers_are_added_up_and_only_mail_through_ses_counts() -> None:
    bad = standing(dmarc(6, 100), dmarc(4, 60, reporter="comcast.net"), dmarc(0, 40, 6, reporter="yahoo"))
    assert (bad.level, bad.bad, bad.of, bad.reporters) == (Level.BAD, 10, 200, ("comcast.net", "google.com"))
    assert (bad.since, bad.day) == (TODAY - 1, TODAY - 1)
    for few in (dmarc(9, 9), dmarc(10, 201), dmarc(0, 100, elsewhere=500, elsewhere_bad=500), dmarc(0, 0)):
        assert standing(few).level is Level.FINE, few


def test_a_report_of_low_trust_changes_nothing_beside_others() -> None:
    forged = dmarc(900, 1000, reporter="x.example", trust=Trust.LOW)
    assert standing(forged).level is Level.NOTED
    assert standing(forged, dmarc(0, 100)).level is Level.FINE
    assert standing(dmarc(90, 100)).level is Level.BAD, "no report slows mail"
    assert at_most(Trust.HIGH, Source.DMARC) is Trust.MEDIUM
    assert at_most(Trust.LOW, Source.DMARC) is Trust.LOW
    assert at_most(Trust.HIGH, Source.POSTMASTER) is Trust.HIGH


def test_half_of_the_usual_mail_of_a_day_with_mail_may_leave() -> None:
    assert outside_signals.cap(7_000, 7) == 500
    assert outside_signals.cap(900, 3) == 150
    assert outside_signals.cap(1, 1) == 1, "a cap of none would hold the mail"
    assert outside_signals.cap(0, 0) is None
