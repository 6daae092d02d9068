"""What the server answers, read from its JSON. Members that a newer server adds are in `json`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

from mailcordon_client.errors import BadAnswer, Problem, told_problem
from mailcordon_client.exchange import Answer

T = TypeVar("T")
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedDelivery:
    """One recipient of a message that was accepted."""

    id: str
    to: str
    state: str  #: `queued`, `waiting`, `held`, or `refused`, for example because the address is suppressed
    reason: str | None  #: of a refusal or a hold; stable, for programs
    detail: str | None  #: the reason as a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A message that is stored and will be sent to every recipient that is not refused."""

    id: str
    tenant: str
    type: str
    deliveries: tuple[AcceptedDelivery, ...]
    headers_removed: tuple[str, ...]  #: names of headers that a whole MIME message had and an app may not set
    replayed: bool  #: it had been accepted before, with the same idempotency key
    idempotency_key: str
    json: Json = field(repr=False)

    @property
    def refused(self) -> tuple[AcceptedDelivery, ...]:
        """The recipients who will not get it, each with the reason."""
        return tuple(one for one in self.deliveries if one.state == "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    at: datetime
    what: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a message for one recipient."""

    id: str
    to: str
    state: str
    since: datetime
    reason: str | None
    detail: str | None
    timeline: tuple[Moment, ...]
    json: Json = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStatus:
    id: str
    tenant: str
    type: str
    accepted_at: datetime
    deliveries: tuple[Delivery, ...]
    json: Json = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    cancelled: tuple[str, ...]  #: ids of the deliveries that this call cancelled
    left: int  #: deliveries that it did not: they had left, or ended, before
    json: Json = field(repr=False)


def read(answer: Answer, of: Callable[[Any], T]) -> T:
    """Raises BadAnswer if the body is not what Mailcordon answers."""
    try:
        return of(json.loads(answer.body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        shown = answer.body[:200].decode(errors="replace")
        raise BadAnswer(f"This is no answer of Mailcordon's ({error!r}): {shown}") from error


def accepted(body: Json, *, replayed: bool, key: str) -> Accepted:
    return Accepted(
        id=body["id"],
        tenant=body["tenant"],
        type=body["type"],
        deliveries=tuple(
            AcceptedDelivery(
                id=one["id"],
                to=one["to"],
                state=one["state"],
                reason=one.get("reason"),
                detail=one.get("detail"),
            )
            for one in cast("list[Json]", body["deliveries"])
        ),
        headers_removed=tuple(body.get("headers_removed", ())),
        replayed=replayed,
        idempotency_key=key,
        json=body,
    )


def batch(body: Json, keys: Sequence[str]) -> list[Accepted | Problem]:
    return [
        _one_of_batch(one, key) for one, key in zip(cast("list[Json]", body["results"]), keys, strict=True)
    ]


def _one_of_batch(body: Json, key: str) -> Accepted | Problem:
    if (stored := body.get("message")) is not None:
        return accepted(stored, replayed=bool(body.get("replayed")), key=key)
    problem = told_problem(body["status"], body["problem"], body.get("retry_after"))
    problem.idempotency_key = key
    return problem


def message(body: Json) -> MessageStatus:
    return MessageStatus(
        id=body["id"],
        tenant=body["tenant"],
        type=body["type"],
        accepted_at=_time(body["accepted_at"]),
        deliveries=tuple(_delivery(one) for one in cast("list[Json]", body["deliveries"])),
        json=body,
    )


def _delivery(body: Json) -> Delivery:
    return Delivery(
        id=body["id"],
        to=body["to"],
        state=body["state"],
        since=_time(body["since"]),
        reason=body.get("reason"),
        detail=body.get("detail"),
        timeline=tuple(
            Moment(at=_time(one["at"]), what=one["what"], detail=one["detail"])
            for one in cast("list[Json]", body["timeline"])
        ),
        json=body,
    )


def cancelled(body: Json) -> Cancelled:
    return Cancelled(cancelled=tuple(body["cancelled"]), left=body["left"], json=body)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
