"""When a message is tried again, when an endpoint is left alone, and when it is paused. Pure.

A message that fails waits for itself alone. If nothing of a round arrives, the endpoint is what is wrong: it is left alone for a
while, and then gets a few messages until one arrives. So a receiver that is down costs a few requests an hour, however much
waits for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailcordon.observe.webhooks.nouns import Endpoint, Result

_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000
#: Until a message that did not arrive is sent again; the last one again and again.
RETRY_AFTER = (
    *(5 * _SECOND, 30 * _SECOND, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR),
)
TRIED_FOR = 72 * _HOUR  #: since the event, or its replay; then it is given up
#: Until an endpoint to which nothing of a round arrived is tried again.
LEFT_ALONE = (5 * _SECOND, 20 * _SECOND, _MINUTE, 3 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE)
PAUSED_AFTER = 24 * _HOUR  #: of failing
KEPT = 7 * 24 * _HOUR  #: how long the outbox keeps a message, and SES's JSON of its event
BATCH = 200  #: messages of a round
PROBE = 4  #: of a round to an endpoint that fails


@dataclass(frozen=True, slots=True)
class After:
    """The state of an endpoint after a round."""

    next_at: int
    failed_rounds: int
    failing_since: int | None
    problem: str | None
    pause: bool = False
    gone: bool = False  #: its receiver said so: that is why it is paused


def next_try(result: Result, now: int) -> int | None:
    """When a message that failed is tried again; None: it is given up."""
    message = result.message
    wait = RETRY_AFTER[min(message.tries, len(RETRY_AFTER) - 1)]
    at = now + max(wait, (result.retry_after or 0) * _SECOND)
    return at if at <= message.tried_from + TRIED_FOR else None


def after_round(endpoint: Endpoint, results: Sequence[Result], now: int) -> After:
    """`results`: at least one."""
    failed = [one for one in results if one.problem is not None]
    problem = failed[-1].problem if failed else None
    if any(one.gone for one in failed):
        since = endpoint.failing_since or now
        return After(now, endpoint.failed_rounds + 1, since, problem, pause=True, gone=True)
    asked = max((one.retry_after or 0 for one in failed), default=0) * _SECOND
    if len(failed) < len(results):
        return After(now + asked if asked else 0, 0, None, problem)
    rounds = endpoint.failed_rounds + 1
    next_at = now + max(LEFT_ALONE[min(rounds, len(LEFT_ALONE)) - 1], asked)
    since = endpoint.failing_since or now
    return After(next_at, rounds, since, problem, pause=now - since >= PAUSED_AFTER)


def batch(endpoint: Endpoint) -> int:
    return BATCH if endpoint.failed_rounds == 0 else PROBE
