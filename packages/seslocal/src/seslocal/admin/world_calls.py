"""Admin calls on the world behind this local SES: it is made and removed here, and its ground truth is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import msgspec

from seslocal.admin import fields, messages
from seslocal.admin.fields import Json, Query, Refused
from seslocal.admin.late import Late
from seslocal.clock import SLICE
from seslocal.mail.world_envelope import message_id_of
from seslocal.state.account import Account
from seslocal.state.world_state import WorldState
from seslocal.world.counterfactual import Steps, finish
from seslocal.world.measures import measures_of
from seslocal.world.opinion import Opinion
from seslocal.world.providers import PROVIDERS
from seslocal.world.settings import WorldSettings
from seslocal.world.tables import Place
from seslocal.world.truth import MailTruth

_MOST: Final = 1000  #: mails of one response
_ENDS: Final = ("under_way", "inbox", "spam", "refused", "returned", "expired", "suppressed")
_GROUPS: Final = Place.__struct_fields__


def has(account: Account, body: Json) -> bool:
    """Whether there is a world, and with the settings of this body of `put`, whenever it began."""
    world = account.mailboxes.world
    given = {name: value for name, value in body.items() if name != "start"}
    try:
        return world is not None and world.settings == msgspec.convert(given, WorldSettings)
    except msgspec.ValidationError:
        return False


def put(account: Account, query: Query, body: Json) -> Json:
    """Makes a world, or replaces the one there is by a new one without history."""
    start = fields.moment(body, "start")
    given = {name: value for name, value in body.items() if name != "start"}
    fields.allow_only(body, "start", *WorldSettings.__struct_fields__)
    try:
        settings = msgspec.convert(given, WorldSettings)
    except msgspec.ValidationError as error:
        raise Refused(400, messages.wrong_world(str(error))) from None
    for one in (*settings.weather, *settings.rules):
        if one.provider not in PROVIDERS:
            raise Refused(400, messages.must_be_one_of("provider", sorted(PROVIDERS), one.provider))
    now = account.clock.now()
    account.mailboxes.world = WorldState(
        settings, now if start is None else start, account.settings.ledger, now
    )
    return show(account, query, body)


def show(account: Account, query: Query, body: Json) -> Json:
    world = _world(account)
    sums = world.truth.tables.by(lambda place: ())
    return {
        "settings": msgspec.to_builtins(world.settings),
        "start": world.start,
        "now": account.clock.now(),
        "mails": sums[()].mails if sums else 0,
        "kept": len(world.truth),
        "forgotten": world.truth.forgotten,
        "played": world.played,
    }


def delete(account: Account, query: Query, body: Json) -> Json:
    _world(account)
    account.mailboxes.world = None
    return {}


def mails(account: Account, query: Query, body: Json) -> Json:
    """Lists mails, one for each recipient, in the order of submission."""
    world = _world(account)
    _allow_filters(query, "tenant", "provider", "ended", "recipient", "campaign", "limit", "after")
    limit = fields.whole_number(query, "limit", 100, 1, _MOST)
    ended = query.get("ended")
    if ended is not None and ended not in _ENDS:
        raise Refused(400, messages.must_be_one_of("ended", _ENDS, ended))
    after = query.get("after")
    if after is not None and not world.truth.find(after):
        raise Refused(404, messages.not_in_world(after))
    found: list[Json] = []
    last = next_ = None
    for mail in world.truth.mails(after):
        if len(found) >= limit and mail.name != last:  # a mail's recipients are not split
            next_ = last
            break
        if _passes(mail, query):
            found.append(_row(world, mail))
            last = mail.name
    return {"mails": found, "next": next_, "kept": len(world.truth), "forgotten": world.truth.forgotten}


def mail(account: Account, message_id: str, query: Query, body: Json) -> Json:
    world = _world(account)
    return {
        "message_id": message_id,
        "recipients": [_whole(account, world, one) for one in _find(world, message_id)],
    }


def tables(account: Account, query: Query, body: Json) -> Json:
    """`by`: names of groups with commas, tenant and provider by default."""
    world = _world(account)
    _allow_filters(query, "by", *_GROUPS)
    names = query.get("by", "tenant,provider").split(",")
    for name in names:
        if name not in _GROUPS:
            raise Refused(400, messages.must_be_one_of("by", _GROUPS, name))
    wanted = {name: query[name] for name in _GROUPS if name in query}
    sums = world.truth.tables.by(
        lambda place: tuple([getattr(place, name) for name in names]),
        lambda place: all(getattr(place, name) == value for name, value in wanted.items()),
    )
    rows = [
        {**dict(zip(names, key, strict=True)), **msgspec.structs.asdict(cell)} for key, cell in sums.items()
    ]
    return {"by": names, "rows": rows}


def opinions(account: Account, query: Query, body: Json) -> Json:
    """What providers think of domains, pools and contents, as of the start of the running minute."""
    world = _world(account)
    _allow_filters(query, "provider", "kind", "name", "limit", "after")
    limit = fields.whole_number(query, "limit", 100, 1, _MOST)
    after = fields.whole_number(query, "after", 0, 0, 10**9)
    world.world.move(account.clock.now())
    wanted = {name: query[name] for name in ("provider", "kind", "name") if name in query}
    found = [
        (provider, one)
        for provider, one in world.world.opinions.all()
        if all(
            {"provider": provider, "kind": one.kind, "name": one.name}[name] == value
            for name, value in wanted.items()
        )
    ]
    page = found[after : after + limit]
    return {
        "opinions": [_opinion(world, provider, one) for provider, one in page],
        "next": after + limit if after + limit < len(found) else None,
        "total": len(found),
    }


def why(account: Account, message_id: str, query: Query, body: Json) -> Json:
    world = _world(account)
    world.world.move(account.clock.now())
    _find(world, message_id)
    return {"message_id": message_id, "recipients": msgspec.to_builtins(world.why(message_id))}


def traps(account: Account, query: Query, body: Json) -> Json:
    """Who was trapped: a row for each tenant, provider, kind of trap and list; the most hits first."""
    found = _world(account).truth.tables.traps
    rows = [
        {
            "tenant": tenant,
            "provider": provider,
            "who": who,
            "list": name,
            **msgspec.structs.asdict(trap),
        }
        for (tenant, provider, who, name), trap in sorted(
            found.items(), key=lambda one: (-one[1].hits, one[0])
        )
    ]
    return {"hits": sum(trap.hits for trap in found.values()), "traps": rows}


def counterfactual(account: Account, query: Query, body: Json) -> Late:
    """With `without`: what every other tenant lost to those. With `tenant`: to whom this one lost its mails. One at a time."""
    world = _world(account)
    fields.allow_only(body, "without", "tenant", "suspects")
    tenant, without = body.get("tenant"), body.get("without")
    if (tenant is None) == (without is None):
        raise Refused(400, messages.without_or_tenant())
    known = world.truth.tables.tenants()
    if tenant is not None:
        if not isinstance(tenant, str):
            raise Refused(400, messages.must_be("tenant", "a tenant's name"))
        if tenant not in known:
            raise Refused(404, messages.sent_nothing(tenant))
        most = int(fields.number(body, "suspects", 5, 1, 50))
        return _in_turn(account, world, lambda: world.blaming(tenant, account.clock.now(), most))
    names = _names(without)
    for name in names:
        if name not in known:
            raise Refused(404, messages.sent_nothing(name))
    return _in_turn(account, world, lambda: world.comparing(names, account.clock.now()))


def _in_turn(account: Account, world: WorldState, start: Callable[[], Steps[Any]]) -> Late:
    """A replay that starts when those before it are over, and does some steps at a time, so that other calls are answered."""
    resets = account.clock.resets

    async def wait() -> Json:
        async with world.replays:
            world.played, steps = 0, start()
            try:
                while True:
                    until = time.monotonic() + SLICE
                    while time.monotonic() < until:
                        if account.mailboxes.world is not world or account.clock.resets != resets:
                            raise Refused(409, messages.world_is_gone())
                        world.played += next(steps)
                    await asyncio.sleep(0)
            except StopIteration as end:
                return msgspec.to_builtins(end.value)
            finally:
                world.played = None

    return Late(wait, lambda: msgspec.to_builtins(finish(start())))


def _names(given: object) -> list[str]:
    found = cast("list[object]", given if isinstance(given, list) else [given])
    names = [one for one in found if isinstance(one, str)]
    if not names or len(names) != len(found):
        raise Refused(400, messages.must_be("without", "a tenant's name or a list of them"))
    return names


def _world(account: Account) -> WorldState:
    if account.mailboxes.world is None:
        raise Refused(404, messages.no_world())
    return account.mailboxes.world


def _find(world: WorldState, message_id: str) -> list[MailTruth]:
    found = world.truth.find(message_id)
    if not found:
        raise Refused(404, messages.not_in_world(message_id))
    return found


def _allow_filters(query: Query, *names: str) -> None:
    for name in query:
        if name not in names:
            raise Refused(400, messages.unknown_parameter(name, names))


def _passes(mail: MailTruth, query: Query) -> bool:
    envelope, recipient = mail.envelope, query.get("recipient")
    is_so: Iterator[bool] = (
        wanted is None or wanted == given
        for wanted, given in (
            (query.get("tenant"), envelope.sender),
            (query.get("provider"), _provider(mail)),
            (query.get("ended"), mail.ended or "under_way"),
            (recipient and recipient.lower(), envelope.recipient),
            (query.get("campaign"), envelope.campaign),
        )
    )
    return all(is_so)


def _provider(mail: MailTruth) -> str | None:
    return mail.last.provider if mail.last else None


def _opinion(world: WorldState, provider: str, one: Opinion) -> Json:
    """Sums fade with time and are as of `last`; `harm` is as of now."""
    known = world.world.opinions
    return {
        "provider": provider,
        "kind": one.kind,
        "name": one.name,
        "harm": known.harm(one, measures_of(provider)),
        "first": one.first * 60,
        "last": one.last * 60,
        "volume": one.volume,
        "unknown": one.dead,
        "trapped": one.traps,
        "complaints": one.complaints,
        "deferred": one.deferred,
        "refused": one.refused,
        "inbox": one.inbox,
        "opens": one.opens,
        "accepted_today": one.today,
        "largest_day": one.largest,
        "bulk": one.bulk,
        "cold": one.new,
        "domains": one.domains,
    }


def _row(world: WorldState, mail: MailTruth) -> Json:
    last = mail.last
    return {
        "message_id": mail.name,
        "recipient": mail.envelope.recipient,
        "tenant": mail.envelope.sender,
        "provider": _provider(mail),
        "submitted": mail.submitted,
        "attempts": len(mail.attempts),
        "ended": mail.ended or "under_way",
        "cause": last.cause if last else "",
        "why": mail.why or (last.why if last else ""),
    }


def _whole(account: Account, world: WorldState, mail: MailTruth) -> Json:
    envelope, now = mail.envelope, account.clock.now()
    accepted = [(at + verdict.seconds, verdict) for at, verdict in mail.attempts if verdict.accepted]
    header = message_id_of(mail.name, account.region)
    return {
        **_row(world, mail),
        "envelope": msgspec.structs.asdict(envelope),
        "person": msgspec.to_builtins(world.world.people.find(envelope.recipient)),
        "attempts": [
            {"at": at, **msgspec.structs.asdict(verdict), "said": verdict.spoken(header)}
            for at, verdict in mail.attempts
        ],
        "reactions": [
            {
                **msgspec.structs.asdict(reaction),
                "at": at + reaction.after,
                "done": at + reaction.after <= now,
            }
            for at, verdict in accepted
            for reaction in world.world.react(envelope, verdict, at)
        ],
    }


ROUTES: Final[tuple[tuple[str, str, Callable[..., Any]], ...]] = (
    ("GET", r"/world", show),
    ("PUT", r"/world", put),
    ("DELETE", r"/world", delete),
    ("GET", r"/world/mails", mails),
    ("GET", r"/world/mails/([^/]+)", mail),
    ("GET", r"/world/tables", tables),
    ("GET", r"/world/opinions", opinions),
    ("GET", r"/world/why/([^/]+)", why),
    ("GET", r"/world/traps", traps),
    ("POST", r"/world/counterfactual", counterfactual),
)
