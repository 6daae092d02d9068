"""One call as a conversation, without I/O: what to send, how long to wait, what the answer means.

`perform` yields each step and is sent its outcome. Client and AsyncClient only carry the steps out, so both repeat, wait and fail
alike.

Every request can be repeated: a message by its idempotency key, all others because they change nothing or the same thing. A
request is repeated if the connection failed or if the server says that a repetition can help.
"""

import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mailcordon_client.errors import BadAnswer, Later, NoAnswer, problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a request is repeated, and how long is waited in between."""

    most: int = 3  #: repetitions; 0 for none
    first_wait: float = 0.5  #: seconds before the first repetition, at most; doubled for each further one
    longest_wait: float = 30.0  #: seconds; if the server names a longer time, its answer is raised at once


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str  #: with its query, behind the server's URL
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]  #: names in lower case
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer: the connection was refused, broke, or timed out."""

    why: str


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how its answer is read. `read` raises BadAnswer."""

    request: Request
    read: Callable[[Answer], T]


Steps = Generator[Request | Wait, Answer | Failure | None, T]


def perform(call: Call[T], retries: Retries, chance: Callable[[], float] = random.random) -> Steps[T]:
    """Returns what the call reads from the answer. Raises MailcordonError. `chance` gives numbers from 0 to 1."""
    tried = 0
    while True:
        outcome = yield call.request
        assert outcome is not None
        error: Later | NoAnswer
        wait = retries.first_wait * 2**tried
        if isinstance(outcome, Failure):
            error = NoAnswer(outcome.why)
        elif outcome.status < 300:
            return call.read(outcome)
        elif outcome.status < 400:
            raise BadAnswer(
                f"The server answered {outcome.status} {outcome.headers.get('location', '')}: redirects are not followed."
            )
        else:
            refused = problem(outcome.status, outcome.headers, outcome.body)
            if not isinstance(refused, Later):
                raise refused
            error = refused
        if tried == retries.most:
            raise error
        if isinstance(error, Later) and error.retry_after is not None:
            if error.retry_after > retries.longest_wait:
                raise error
            # Callers that were refused together should not come back together.
            seconds = error.retry_after + chance() * retries.first_wait
        else:
            seconds = min(wait, retries.longest_wait) * (0.5 + chance() / 2)
        tried += 1
        yield Wait(seconds)
