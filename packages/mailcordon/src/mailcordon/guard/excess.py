"""How strongly a count speaks for more than was expected."""

import math


def nats(events: float, expected: float) -> float:
    """The logarithm of 1 / p, p a bound of the chance to see so many events or more by luck (Chernoff's bound of a Poisson law).

    0 if there are not more events than expected. 3 nats: less than once in 20 looks; 5.9: less than once in 365."""
    if events <= expected or events <= 0:
        return 0.0
    if expected <= 0:
        return math.inf
    return events * math.log(events / expected) - (events - expected)
