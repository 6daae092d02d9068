"""The records of a journal, each a tuple of a code and its values, and the state that a sequence of records amounts to. Pure.

A record says what is so afterwards, not what was called, so reading the same record twice changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.global_suppression import Entry
from seslocal.state.journeys import Journey
from seslocal.state.ledger import LedgerEntry
from seslocal.state.mail_under_way import MailUnderWay, mail_of, mail_values, plans_of, plans_values
from seslocal.state.queues import Message
from seslocal.state.suppression import SuppressedDestination, SuppressionList

Record = tuple[Any, ...]

ACCOUNT: Final = "account"  # which account this is: region and id
NOUN: Final = "noun"
NOUN_GONE: Final = "noun gone"
MESSAGE: Final = "message"
MESSAGE_HIDDEN: Final = "message hidden"
MESSAGE_GONE: Final = "message gone"
QUEUE_EMPTIED: Final = "queue emptied"
SUPPRESSED: Final = "suppressed"
UNSUPPRESSED: Final = "unsuppressed"
LIST_CLEARED: Final = "list cleared"
GLOBAL: Final = "global"
SENT: Final = "sent"
SENT_TOTAL: Final = "sent total"
UNDER_WAY: Final = "under way"
STEP: Final = "step"
FINISHED: Final = "finished"
JOURNEY: Final = "journey"
JOURNEY_STEP: Final = "journey step"
JOURNEY_OVER: Final = "journey over"


@dataclass(slots=True)
class Kept:
    """What the records say."""

    account: tuple[str, str] | None = None  #: region and id
    nouns: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    messages: dict[str, dict[str, list[Any]]] = field(default_factory=dict[str, dict[str, list[Any]]])
    suppressed: dict[str, dict[str, list[Any]]] = field(default_factory=dict[str, dict[str, list[Any]]])
    globally: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    sent: dict[int, list[Any]] = field(default_factory=dict[int, list[Any]])
    total: int = 0  #: mails accepted
    journeys: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])  #: due and values
    under_way: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    steps: dict[str, set[int]] = field(default_factory=dict[str, set[int]])


def replay(records: Iterable[list[Any]], kept: Kept) -> None:
    """Applies records in their order. Raises ValueError or another error of the values if a record is not one of ours."""
    for code, *values in records:
        match code:
            case "message":
                queue, message = values
                kept.messages.setdefault(queue, {})[message[0]] = message
            case "message hidden":
                queue, message_id, visible_at, receipts, first_received_at = values
                if message := kept.messages.get(queue, {}).get(message_id):
                    message[4:8] = True, visible_at, receipts, first_received_at
            case "message gone":
                queue, message_id = values
                kept.messages.get(queue, {}).pop(message_id, None)
            case "queue emptied":
                kept.messages.pop(values[0], None)
            case "noun":
                kind, key, value = values
                kept.nouns[kind, key] = value
            case "noun gone":
                kind, key = values
                kept.nouns.pop((kind, key), None)
            case "suppressed":
                owner, entry = values
                kept.suppressed.setdefault(owner, {})[entry[0]] = entry
            case "unsuppressed":
                owner, address = values
                kept.suppressed.get(owner, {}).pop(address, None)
            case "list cleared":
                kept.suppressed.pop(values[0], None)
            case "global":
                folded, entry = values
                kept.globally.pop(folded, None)
                if entry is not None:
                    kept.globally[folded] = entry
            case "sent":
                [entry] = values
                kept.sent[entry[0]] = entry
                kept.total = entry[0]
            case "sent total":
                kept.sent.clear()
                [kept.total] = values
            case "under way":
                [mail] = values
                kept.under_way[mail[0][0]] = mail
            case "step":
                message_id, step = values
                kept.steps.setdefault(message_id, set()).add(step)
            case "finished":
                kept.under_way.pop(values[0], None)
                kept.steps.pop(values[0], None)
            case "journey":
                name, due, journey = values
                kept.journeys[name] = [due, journey]
            case "journey step":
                name, due, moved = values
                if found := kept.journeys.get(name):
                    found[0] = due
                    found[1][-len(moved) :] = moved
            case "journey over":
                kept.journeys.pop(values[0], None)
            case "account":
                region, account_id = values
                kept.account = region, account_id
            case _:
                raise ValueError(f"unknown record {code!r}")


# each noun's values and back


def message_record(queue: str, message: Message) -> Record:
    return (
        MESSAGE,
        queue,
        (
            message.id,
            message.body,
            message.md5,
            message.sent_at,
            message.hidden,
            message.visible_at,
            message.receipts,
            message.first_received_at,
            message.attributes,
            message.system_attributes,
        ),
    )


def message_of(values: list[Any]) -> Message:
    message_id, body, md5, sent_at, hidden, visible_at, receipts, first, attributes, system = values
    return Message(
        message_id,
        body,
        md5,
        sent_at,
        visible_at,
        hidden=hidden,
        receipts=receipts,
        first_received_at=first,
        attributes=attributes,
        system_attributes=system,
    )


def hidden_record(queue: str, message: Message) -> Record:
    return (
        MESSAGE_HIDDEN,
        queue,
        message.id,
        message.visible_at,
        message.receipts,
        message.first_received_at,
    )


def suppressed_record(owner: str, entry: SuppressedDestination) -> Record:
    """`owner` is a tenant's id, or empty for the account's list."""
    return (
        SUPPRESSED,
        owner,
        (entry.address, entry.reason, entry.at, entry.message_id, entry.feedback_id),
    )


def global_record(folded: str, entry: Entry | None) -> Record:
    return (GLOBAL, folded, None if entry is None else (entry.until, entry.bounces))


def sent_record(entry: LedgerEntry, *, with_content: bool = True) -> Record:
    return (
        SENT,
        (
            entry.number,
            entry.message_id,
            entry.at,
            entry.tenant,
            entry.configuration_set,
            entry.recipients,
            entry.facts,
            entry.content if with_content else None,
        ),
    )


def under_way_record(one: MailUnderWay) -> Record:
    return (
        UNDER_WAY,
        (
            mail_values(one.mail),
            one.configuration_set.name if one.configuration_set else None,
            plans_values(one.plans),
            one.scope,
            one.reasons,
            one.infected,
            one.broken,
        ),
    )


def under_way_of(
    values: list[Any],
    done: set[int],
    configuration_set: Callable[[str], ConfigurationSet | None],
    suppression: Callable[[str, str | None], SuppressionList],
) -> MailUnderWay:
    """`configuration_set` finds one by name, `suppression` a list by scope and tenant."""
    given, name, plans, scope, reasons, infected, broken = values
    mail = mail_of(given)
    return MailUnderWay(
        mail,
        plans_of(plans),
        configuration_set(name) if name else None,
        suppression(scope, mail.tenant),
        scope,
        tuple(reasons),
        infected,
        tuple(broken) if broken else None,
        done,
    )


_MOVES: Final = ("until", "stage", "number", "at", "verdict", "step")  # the last members of a journey


def journey_record(journey: Journey, due: float | None) -> Record:
    """Of a journey that continues then, or is over."""
    if due is None:
        return (JOURNEY_OVER, journey.name)
    if journey.verdict is None:  # no attempt was made yet
        return (JOURNEY, journey.name, due, journey)
    return (JOURNEY_STEP, journey.name, due, [getattr(journey, name) for name in _MOVES])


def journey_of(values: list[Any]) -> tuple[float, Journey]:
    due, journey = values
    return due, msgspec.convert(journey, Journey)
