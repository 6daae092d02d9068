"""Whose fault it was: the same mails played again through the same seed, without somebody. A mail that reaches an inbox only then
was lost to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable
from typing import Final, TypeVar

import msgspec

from seslocal.world.envelope import Envelope
from seslocal.world.play import Play
from seslocal.world.reaction import Reaction
from seslocal.world.tables import Cell, Tables
from seslocal.world.truth import Ended, MailTruth
from seslocal.world.verdict import Verdict
from seslocal.world.world import World

MOST_SUSPECTS: Final = 5  #: each is one more replay
_STEP: Final = 50  # mails, or things that are due, between two yields: some milliseconds

_T = TypeVar("_T")
#: yields the number of mails that it played since it last did, 0 if it did something else; returns what it found
Steps = Generator[int, None, _T]


class Record(msgspec.Struct):
    """What is replayed. `mails` yields the same mails in the order of submission at each call, also while a replay in steps is
    under way."""

    world: Callable[[], World]  #: makes one without history
    mails: Callable[[], Iterable[MailTruth]]
    tables: Tables
    until: float  #: the time up to which it is played


class Difference(msgspec.Struct):
    """One tenant's mails, with the culprits and without them."""

    tenant: str
    shares: list[
        str
    ]  #: what it has in common with the culprits: `domain NAME`, `pool NAME`, `content FINGERPRINT`
    mails: int = 0
    inbox: int = 0
    inbox_without: int = 0
    lost: int = 0  #: reach the inbox only without the culprits
    gained: int = 0  #: reach the inbox only with them
    lost_by: dict[str, int] = {}  #: lost mails by provider and end, as `gmail spam`


class Counterfactual(msgspec.Struct):
    without: list[str]
    mails: int  #: replayed, those of the culprits not counted
    lost: int
    gained: int
    #: mails whose replay with everybody ended otherwise than in truth: 0 unless the world has forgotten mails
    differing: int
    tenants: list[Difference]  #: those that lost most first


class Suspect(msgspec.Struct):
    tenant: str
    shares: list[str]
    lost: int  #: mails of the tenant in question that reach the inbox only without this one
    sent: Cell  #: all that it sent


class Blame(msgspec.Struct):
    """Where one tenant's mails were lost, and to whom."""

    tenant: str
    mails: int
    inbox: int
    lost: int  #: ended, and not in an inbox
    lost_by: dict[str, int]  #: by provider and end
    to_others: int  #: reach the inbox if none of the suspects sends
    own: int  #: do not even then
    own_by: dict[str, int]  #: these by end and cause, as `refused no_mailbox`
    suspects: list[Suspect]  #: those that share something with it, the most harmful first
    more_suspects: int  #: tenants that share something too and were not tried one by one
    differing: int  #: as in Counterfactual
    said: str


def finish(steps: Steps[_T]) -> _T:
    """Does all steps. Returns what they find."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def compare(record: Record, without: Collection[str]) -> Counterfactual:
    """Replays the record with everybody and without some tenants. Returns what that means for each other tenant."""
    return finish(comparing(record, without))


def blame(record: Record, tenant: str, most: int = MOST_SUSPECTS) -> Blame:
    """Says to whom a tenant's mails were lost. Each of the `most` likeliest suspects is left out once, then all of those who
    share something with it."""
    return finish(blaming(record, tenant, most))


def replay(record: Record, without: Collection[str] = ()) -> list[Ended]:
    """Returns how each mail of the record ends; "" for those of the tenants left out, and for those that are under way. Mails
    that were suppressed stay so."""
    return finish(replaying(record, without))


def replaying(record: Record, without: Collection[str] = ()) -> Steps[list[Ended]]:
    """`replay` in steps."""
    ended: list[Ended] = []
    waiting: dict[int, int] = {}  # id of an envelope that is under way -> index in `ended`

    def told(at: float, what: str, envelope: Envelope, news: Verdict | Reaction | None) -> None:
        if isinstance(news, Verdict) and what == "attempt":
            if news.kind == "defer" or news.returned is not None:
                return
            end: Ended = "refused" if news.kind == "refuse" else news.kind
        elif what == "expired" or what == "returned":
            end = what
        else:
            return
        if (index := waiting.pop(id(envelope), None)) is not None:
            ended[index] = end

    play = Play(record.world(), told)
    minute = -1
    for index, mail in enumerate(record.mails()):
        ended.append("suppressed" if mail.ended == "suppressed" else "")
        if mail.envelope.sender in without or mail.ended == "suppressed":
            continue
        at = mail.attempts[0][0] if mail.attempts else mail.submitted
        if at // 60 > minute:
            minute = int(at // 60)
            while not play.run_until(min(minute * 60.0, record.until), _STEP):
                yield 0
        waiting[id(mail.envelope)] = index
        play.submit(mail.envelope, at, mail.give_up)
        if not len(ended) % _STEP:
            yield _STEP
    while not play.run_until(record.until, _STEP):
        yield 0
    return ended


def comparing(record: Record, without: Collection[str]) -> Steps[Counterfactual]:
    """`compare` in steps."""
    with_all = yield from replaying(record)
    left = yield from replaying(record, without)
    by_tenant = yield from _subjects(record)
    theirs = set[str]().union(*(by_tenant.get(one, set()) for one in without))
    found: dict[str, Difference] = {}
    differing = mails = 0
    for index, (mail, before, after) in enumerate(zip(record.mails(), with_all, left, strict=True)):
        if not index % _STEP:
            yield 0
        differing += before != mail.ended
        tenant = mail.envelope.sender
        if tenant in without:
            continue
        mails += 1
        row = found.get(tenant)
        if row is None:
            row = found[tenant] = Difference(tenant, sorted(by_tenant[tenant] & theirs))
        row.mails += 1
        row.inbox += before == "inbox"
        row.inbox_without += after == "inbox"
        if after == "inbox" != before:
            row.lost += 1
            where = _where(mail, before)
            row.lost_by[where] = row.lost_by.get(where, 0) + 1
        elif before == "inbox" != after:
            row.gained += 1
    rows = sorted(found.values(), key=lambda row: (-row.lost, row.tenant))
    return Counterfactual(
        sorted(without),
        mails,
        sum(row.lost for row in rows),
        sum(row.gained for row in rows),
        differing,
        rows,
    )


def blaming(record: Record, tenant: str, most: int = MOST_SUSPECTS) -> Steps[Blame]:
    """`blame` in steps."""
    sums = record.tables.tenants()
    with_all = yield from replaying(record)
    by_tenant = yield from _subjects(record)
    suspects = _suspects(sums, tenant, by_tenant)
    tried = suspects[:most]
    found: list[Suspect] = []
    for one in tried:
        shares = sorted(by_tenant[one] & by_tenant[tenant])
        left = yield from replaying(record, [one])
        lost = yield from _regained(record, tenant, with_all, left)
        found.append(Suspect(one, shares, lost, sums[one]))
    found.sort(key=lambda one: (-one.lost, one.tenant))
    alone = (yield from replaying(record, set(suspects))) if suspects else with_all
    own, lost_by = Counter[str](), Counter[str]()
    mails = inbox = to_others = differing = 0
    for index, (mail, before, after) in enumerate(zip(record.mails(), with_all, alone, strict=True)):
        if not index % _STEP:
            yield 0
        differing += before != mail.ended
        if mail.envelope.sender != tenant:
            continue
        mails += 1
        inbox += before == "inbox"
        if before in ("", "inbox"):
            continue
        lost_by[_where(mail, before)] += 1
        if after == "inbox":
            to_others += 1
        else:
            cause = mail.last.cause if mail.last else ""
            own[f"{before} {cause}".strip()] += 1
    lost = lost_by.total()
    return Blame(
        tenant,
        mails,
        inbox,
        lost,
        dict(sorted(lost_by.items())),
        to_others,
        own.total(),
        dict(sorted(own.items())),
        found,
        len(suspects) - len(tried),
        differing,
        _said(tenant, mails, inbox, lost, to_others, found),
    )


def subjects(record: Record) -> dict[str, set[str]]:
    """Returns for each tenant what providers have an opinion of that its mail depends on: `domain NAME`, `pool NAME` and
    `content FINGERPRINT`. Tenants who have none in common cannot harm each other."""
    return finish(_subjects(record))


def _subjects(record: Record) -> Steps[dict[str, set[str]]]:
    found: dict[str, set[str]] = {}
    for index, mail in enumerate(record.mails()):
        if not index % _STEP:
            yield 0
        envelope = mail.envelope
        own = found.setdefault(envelope.sender, set())
        own.add(f"domain {envelope.domain}")
        own.add(f"domain {envelope.from_domain}")
        own.add(f"pool {envelope.pool}")
        if envelope.content:
            own.add(f"content {envelope.content}")
    return found


def _suspects(sums: dict[str, Cell], tenant: str, by_tenant: dict[str, set[str]]) -> list[str]:
    """Returns those who share something with a tenant, those first who sent most of what providers dislike."""
    own = by_tenant.get(tenant, set())
    sharers = [one for one, theirs in by_tenant.items() if one != tenant and own & theirs]
    return sorted(sharers, key=lambda one: (-_disliked(sums.get(one)), one))


def _disliked(cell: Cell | None) -> int:
    if cell is None:
        return 0
    return cell.complaints + cell.trapped + cell.refused + cell.returned + cell.spam


def _regained(record: Record, tenant: str, before: list[Ended], after: list[Ended]) -> Steps[int]:
    found = 0
    for index, mail in enumerate(record.mails()):
        if not index % _STEP:
            yield 0
        found += mail.envelope.sender == tenant and after[index] == "inbox" != before[index]
    return found


def _where(mail: MailTruth, ended: Ended) -> str:
    provider = mail.last.provider if mail.last else ""
    return f"{provider} {ended or 'under way'}".strip()


def _said(tenant: str, mails: int, inbox: int, lost: int, to_others: int, suspects: list[Suspect]) -> str:
    said = [f"{inbox:,} of {mails:,} mails of {tenant} reached an inbox, and {lost:,} were lost."]
    if not lost:
        return said[0]
    if not suspects:
        said.append("Nobody shares its domains, pools or content, so none was lost to others.")
        return " ".join(said)
    said.append(
        f"{to_others:,} of the lost ones reach it if nobody else uses its domains, pools and content."
    )
    said += [
        f"{one.lost:,} reach it without {one.tenant} (it shares {', '.join(one.shares)})."
        for one in suspects
        if one.lost
    ]
    return " ".join(said)
