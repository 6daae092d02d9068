"""Gates: old and new path compared, one measure at a time.

A gate answers `back` if the new path is shown to be worse by more than the margin, `pass` if it is shown not to be, else `wait`.
Both are sequential tests that may be looked at as often as one likes (evidence.py).

The errors that are stated: a new path that is no worse than the old one goes back in at most FALSE_BACK of rollouts, whatever
their number of lanes, providers, measures and looks. A path that is worse by more than the margin passes the gate of a measure
that must be shown in at most FALSE_PASS of steps.
"""

from mailcordon.guard.rollouts.nouns import Facts, Gate, Margin, Measure, Standing

FALSE_BACK = 0.01  #: of rollouts from the first share to the last
FALSE_PASS = 0.05  #: of steps, for each measure that must be shown

#: Of a path that providers know. Choices: what AWS and providers act on is a multiple of these (ses.md 7, detection.md 6).
MARGINS = {
    Measure.UNREPORTED: Margin(1.0, 0.02),
    Measure.UNDELIVERED: Margin(1.0, 0.01),
    Measure.REFUSED: Margin(1.0, 0.005),
    Measure.SUPPRESSED: Margin(1.0, 0.01),
    Measure.BOUNCED: Margin(1.0, 0.005),
    Measure.DELAYED: Margin(1.5, 0.02),
    Measure.LATE: Margin(1.5, 0.02),
    Measure.COMPLAINED: Margin(1.5, 0.0005),
    Measure.OPENED: Margin(0.8, 0.0),
}


def widening(measure: Measure, days: float) -> float:
    """How many times the margin is allowed on a path whose first mail is so many days old: providers have to learn it."""
    raise NotImplementedError


def margin(measure: Measure, days: float) -> Margin:
    """What is allowed today."""
    raise NotImplementedError


def judge(standing: Standing, facts: Facts) -> tuple[Gate, ...]:
    """Every measure's gate, the most alarming first. Sentences are filled in."""
    raise NotImplementedError
