"""Plays a scenario in one process, minute by minute: what is due leaves if operator and SES let it; the world does the rest."""

from __future__ import annotations

import datetime
import heapq
import math
from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from typing import IO, Final

import msgspec

from seslocal.fleets import bounds, looks, messages, ses, streams, tenants
from seslocal.fleets.operator import Operator, Paths, Seen, Waiting, What
from seslocal.fleets.result import STEP, Action, Counts, Row, Run, Tenant
from seslocal.fleets.scenario import (
    BoughtList,
    Incident,
    Scenario,
    StaleImport,
    moment_of,
    scaled,
    seconds_of,
)
from seslocal.fleets.streams import HOUR, Due, Stream
from seslocal.fleets.tenants import Sender
from seslocal.state.bounce_causes import PERMANENT
from seslocal.world.addresses import Addresses
from seslocal.world.draws import Draws
from seslocal.world.envelope import Envelope
from seslocal.world.play import Play
from seslocal.world.providers import PROVIDERS, provider_of
from seslocal.world.reaction import Reaction
from seslocal.world.reply import Reply
from seslocal.world.verdict import Verdict
from seslocal.world.world import World

MINUTE: Final = 60.0
LATE: Final = 3600.0  # seconds after which a mail is late; chosen: a code or a reset is of no use by then


#: deed -> the count that it adds to
_DEEDS: Final = {
    "open": "opens",
    "machine_open": "machine_opens",
    "click": "clicks",
    "machine_click": "machine_clicks",
    "complaint": "complaints",
    "not_spam": "not_spam",
    "unsubscribe": "unsubscribes",
}
#: what an operator is told of: deeds of people and machines look alike to a sender
_SEEN: Final[dict[str, What]] = {
    "open": "open",
    "machine_open": "open",
    "click": "click",
    "machine_click": "click",
    "reported": "complaint",
    "unsubscribe": "unsubscribe",
    "expired": "bounce",
}


class Sent(Envelope, frozen=True, kw_only=True):
    """A mail of a run: it knows where it is counted."""

    cell: Counts
    incident: bool
    provider: str
    due: float  #: seconds since the start
    ses_tenant: str  #: whose rates at SES it counts in


class Player:
    """`log`: where each thing that happens is written as a line of JSON. `without`: tenants that are left out. Scale multiplies
    volumes. `paths`: what each mail leaves from, if not from its tenant's domain. `cold`: domains and pools that no provider has
    seen before, beside those of new tenants. Raises `bounds.TooLarge` if the run would need more memory than is sensible."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int | None = None,
        days: int | None = None,
        scale: float = 1.0,
        without: Iterable[str] = (),
        log: IO[bytes] | None = None,
        operator: Operator | None = None,
        paths: Paths | None = None,
        cold: Iterable[str] = (),
    ) -> None:
        scenario = msgspec.structs.replace(
            scaled(scenario, scale),
            days=days or scenario.days,
            seed=scenario.seed if seed is None else seed,
        )
        self.scenario = scenario
        self._scale = scale
        self._without = frozenset(without)
        self._log = log
        self._operator = operator
        self._paths = paths
        every = tenants.senders(scenario, Draws(scenario.seed))
        bounds.check(scenario, every)
        self.senders = [sender for sender in every if sender.name not in self._without]
        self.start = datetime.datetime.combine(scenario.start, datetime.time(), datetime.UTC).timestamp()
        settings = looks.settings(scenario, every)
        settings = msgspec.structs.replace(settings, cold=tuple(sorted({*settings.cold, *cold})))
        self.world = World(settings, self.start)
        self._draws = self.world.draws
        self._addresses = {"consumers": Addresses("consumers"), "businesses": Addresses("businesses")}
        self.play = Play(self.world, self._told)
        self._ses = ses.Reactions(scenario.ses)
        self._cells: dict[tuple[str, str], dict[int, Counts]] = {}
        self._looks: dict[str, looks.Look] = {}  # of tenants whose mail always looks the same
        self._changes = {sender.name: looks.changes(scenario, sender.name) for sender in self.senders}
        self._streams = [
            stream
            for sender in self.senders
            for stream in sorted(streams.streams(sender, scenario, self._draws), key=lambda one: one.name)
        ]
        self._held: list[tuple[float, str, str, Stream, Due]] = []
        self._deferred: dict[
            str, int
        ] = {}  # keys of the mails that wait for another attempt -> attempts so far
        self._attempts = 0
        self._last_incident: float | None = None

    def run(self, progress: Callable[[float, int], None] | None = None) -> Run:
        """Returns the result. `progress` is called after each simulated day with the days done and the mails so far."""
        hours = self.scenario.days * 24
        mails = 0
        later = sorted(enumerate(self._streams), key=lambda one: (one[1].start, one[0]), reverse=True)
        running: list[tuple[int, Stream]] = []  # in the order of the streams
        for hour in range(hours):
            while later and later[-1][1].start < (hour + 1) * HOUR:
                insort(running, later.pop())
            running = [one for one in running if one[1].end > hour * HOUR]
            planned: dict[int, list[tuple[Stream, Due]]] = {}
            for _, stream in running:
                for mail in streams.due(stream, hour, self._draws):
                    planned.setdefault(int(mail.at // MINUTE), []).append((stream, mail))
                    mails += 1
            for minute in range(hour * 60, (hour + 1) * 60):
                self._minute(minute, planned.get(minute, []))
            if progress is not None and (hour + 1) % 24 == 0:
                progress((hour + 1) / 24, mails)
        return self._result()

    def _minute(self, minute: int, planned: list[tuple[Stream, Due]]) -> None:
        at = minute * MINUTE
        if self._operator is None:
            leaving = [(stream, mail, mail.at) for stream, mail in planned]
        else:
            leaving = self._asked(self._operator, at, planned)
        before = ""
        look = looks.Look(None, False, False, "", "")
        for stream, mail, leaves in leaving:
            if stream.sender.name != before:
                before = stream.sender.name
                look = self._look(stream.sender, at)
            self._send(stream, mail, look, at, leaves)
        self.play.run_until(self.start + at + MINUTE)
        self._ses.end_minute(at + MINUTE)

    def _send(self, stream: Stream, mail: Due, look: looks.Look, at: float, leaves: float) -> None:
        """`at`: the start of the minute in which it leaves, and judges of it."""
        sender = stream.sender
        recipient = self._recipient(stream, mail)
        provider = provider_of(recipient)
        cell = self._cell(sender.name, provider, mail.at)
        cell.wanted += 1
        domain, dmarc, ses_tenant = sender.domain, sender.dmarc, sender.name
        if self._paths is not None:
            path = self._paths.path(at, self._waiting(stream, mail))
            if path is not None:
                look, domain, dmarc = looks.of_path(path), path.domain, path.dmarc
                ses_tenant = path.ses_tenant or sender.name
        if self._ses.stops(ses_tenant):
            cell.paused += 1
            self._unsent("rejected", stream, mail, recipient, provider, at)
            return
        if recipient in self._ses.suppressed(sender.name):
            cell.suppressed += 1
            self._unsent("suppressed", stream, mail, recipient, provider, at)
            return
        cell.submitted += 1
        if stream.incident:
            cell.incident += 1
            self._last_incident = max(leaves, self._last_incident or 0.0)
        self._ses.mailed(ses_tenant, PROVIDERS[provider].complaints)
        self.play.submit(
            Sent(
                key=mail.key,
                recipient=recipient,
                from_domain=domain,
                signed_by=look.signed_by,
                spf=look.spf,
                aligned=look.aligned,
                mail_from=f"bounce.{domain}",
                pool=look.pool,
                ip=look.ip,
                dmarc=dmarc,
                size=sender.size,
                content=stream.content,
                bulk=stream.bulk,
                one_click=stream.bulk and sender.one_click,
                sender=sender.name,
                campaign=stream.campaign,
                cell=cell,
                incident=stream.incident,
                provider=provider,
                due=mail.at,
                ses_tenant=ses_tenant,
            ),
            self.start + leaves,
        )

    def _asked(
        self, operator: Operator, at: float, planned: list[tuple[Stream, Due]]
    ) -> list[tuple[Stream, Due, float]]:
        """Returns what the operator lets leave in this minute, and when. Raises ValueError for an answer that is none."""
        while self._held and self._held[0][0] < at + MINUTE:
            *_, stream, mail = heapq.heappop(self._held)
            planned.append((stream, mail))
        planned.sort(key=lambda one: (one[0].sender.name, one[1].at, one[1].key))
        leaving: list[tuple[Stream, Due, float]] = []
        first = 0
        while first < len(planned):
            tenant = planned[first][0].sender.name
            last = first
            while last < len(planned) and planned[last][0].sender.name == tenant:
                last += 1
            group = planned[first:last]
            first = last
            answer = operator.ask(at, tenant, [self._waiting(stream, mail) for stream, mail in group])
            if answer is None:
                leaving += [(stream, mail, max(mail.at, at)) for stream, mail in group]
                continue
            if len(answer) != len(group):
                raise ValueError(messages.answered_for(len(answer), len(group), tenant))
            for (stream, mail), when in zip(group, answer, strict=True):
                if math.isnan(when):
                    raise ValueError(messages.answered_nan(tenant))
                if when < at + MINUTE:
                    leaving.append((stream, mail, max(mail.at, at, when)))
                else:
                    heapq.heappush(self._held, (when, mail.key, tenant, stream, mail))
        return leaving

    def _waiting(self, stream: Stream, mail: Due) -> Waiting:
        recipient = self._recipient(stream, mail)
        return Waiting(
            mail.key,
            recipient,
            provider_of(recipient),
            stream.sender.name,
            stream.campaign,
            stream.bulk,
            stream.content,
            mail.at,
        )

    def _told(self, when: float, what: str, envelope: Envelope, outcome: Verdict | Reaction | None) -> None:
        assert isinstance(envelope, Sent)
        cell = envelope.cell
        at = when - self.start
        number = 0
        if what == "attempt":
            assert isinstance(outcome, Verdict)
            self._attempts += 1
            number = self._attempted(envelope, outcome, at)
        elif what == "returned":
            assert isinstance(outcome, Verdict)
            self._bounced(envelope, permanent=outcome.cause in PERMANENT)
        elif what == "expired":
            cell.expired += 1
            self._deferred.pop(envelope.key, None)
            self._bounced(envelope, permanent=False)
        elif what == "reported":
            cell.complaints_known += 1
            self._ses.complained(envelope.ses_tenant)
            self._ses.suppress(envelope.sender, envelope.recipient)
        elif (name := _DEEDS.get(what)) is not None:
            setattr(cell, name, getattr(cell, name) + 1)
            if what == "unsubscribe":
                self._ses.suppressed(envelope.sender).add(envelope.recipient)
        if self._log is not None:
            self._write(at, what, envelope, outcome, number)
        if self._operator is not None:
            self._show(self._operator, at, what, envelope, outcome)

    def _attempted(self, mail: Sent, verdict: Verdict, at: float) -> int:
        """Returns the number of the attempt, from 1."""
        cell = mail.cell
        kind = verdict.kind
        if kind == "defer":
            number = self._deferred.get(mail.key, 0) + 1
            self._deferred[mail.key] = number
            if number == 1:
                cell.deferred += 1
            return number
        number = self._deferred.pop(mail.key, 0) + 1
        if kind == "refuse":
            cell.refused += 1
            if verdict.cause == "no_mailbox":
                cell.unknown += 1
            self._bounced(mail, permanent=verdict.cause in PERMANENT)
        elif verdict.returned is not None:
            cell.returned += 1
            if verdict.cause == "no_mailbox":
                cell.unknown += 1
        elif kind == "inbox":
            cell.inbox += 1
            if at > mail.due + LATE:
                cell.late += 1
            if mail.incident:
                cell.incident_inbox += 1
        else:
            cell.spam += 1
        if verdict.accepted and self.world.people.find(mail.recipient).trap:
            cell.trapped += 1
        return number

    def _bounced(self, mail: Sent, *, permanent: bool) -> None:
        if permanent:
            self._ses.bounced(mail.ses_tenant)
            self._ses.suppress(mail.sender, mail.recipient)

    def _recipient(self, stream: Stream, mail: Due) -> str:
        return self._addresses[stream.sender.readers].address(*streams.address_number(stream, mail.person))

    def _look(self, sender: Sender, at: float) -> looks.Look:
        changes = self._changes[sender.name]
        if changes:
            return looks.look(sender, changes, at)
        found = self._looks.get(sender.name)
        if found is None:
            found = self._looks[sender.name] = looks.look(sender, changes, at)
        return found

    def _cell(self, tenant: str, provider: str, at: float) -> Counts:
        steps = self._cells.get((tenant, provider))
        if steps is None:
            steps = self._cells[tenant, provider] = {}
        step = int(at // STEP)
        cell = steps.get(step)
        if cell is None:
            cell = steps[step] = Counts()
        return cell

    def _unsent(
        self, what: What, stream: Stream, mail: Due, recipient: str, provider: str, at: float
    ) -> None:
        """A mail that did not get as far as the provider."""
        if self._log is not None:
            self._log.write(
                _encode(
                    {"at": at, "what": what, "tenant": stream.sender.name, "key": mail.key, "to": recipient}
                )
                + b"\n"
            )
        if self._operator is not None:
            self._operator.see(Seen(at, what, self._waiting(stream, mail)))

    def _write(
        self, at: float, what: str, mail: Sent, outcome: Verdict | Reaction | None, number: int
    ) -> None:
        assert self._log is not None
        line: dict[str, object] = {
            "at": round(at, 3),
            "what": what,
            "tenant": mail.sender,
            "key": mail.key,
            "to": mail.recipient,
        }
        if what == "attempt" and isinstance(outcome, Verdict):
            line |= {
                "n": number,
                "kind": outcome.kind,
                "code": outcome.code,
                "status": outcome.status,
                "text": outcome.text.replace("{message_id}", mail.key),
                "cause": outcome.cause,
                "why": outcome.why,
            }
        self._log.write(_encode(line) + b"\n")

    def _show(
        self, operator: Operator, at: float, what: str, mail: Sent, outcome: Verdict | Reaction | None
    ) -> None:
        waiting = Waiting(
            mail.key,
            mail.recipient,
            mail.provider,
            mail.sender,
            mail.campaign,
            mail.bulk,
            mail.content,
            mail.due,
        )
        if what == "attempt" and isinstance(outcome, Verdict):
            seen: What = "delivery" if outcome.accepted else "delay" if outcome.kind == "defer" else "bounce"
            permanent = outcome.cause in PERMANENT
            operator.see(Seen(at, seen, waiting, permanent, outcome.code, outcome.status, outcome.text))
        elif what == "returned" and isinstance(outcome, Verdict):
            permanent, said = outcome.cause in PERMANENT, outcome.bounce or Reply(0, "", "")
            operator.see(Seen(at, "bounce", waiting, permanent, said.code, said.status, said.text))
        elif what in _SEEN and not (what == "open" and isinstance(outcome, Reaction) and not outcome.agent):
            operator.see(Seen(at, _SEEN[what], waiting))

    def _result(self) -> Run:
        for *_, stream, mail in self._held:
            self._count_held(stream, mail)
        guilty = tenants.culprits(self.scenario)
        rows: list[Row] = []
        for tenant, provider in sorted(self._cells):
            steps = self._cells[tenant, provider]
            total = Counts()
            for step in sorted(steps):
                cell = steps[step]
                cell.under_way = cell.submitted - cell.accepted - cell.refused - cell.expired
                total.add(cell)
            rows.append(Row(tenant, provider, total, {step: steps[step] for step in sorted(steps)}))
        return Run(
            scenario=self.scenario.name,
            title=self.scenario.title,
            seed=self.scenario.seed,
            days=self.scenario.days,
            scale=self._scale,
            without=tuple(sorted(self._without)),
            start=self.start,
            tenants=[
                Tenant(one.name, one.group, one.type, one.domain, one.pool, one.name in guilty)
                for one in self.senders
            ],
            rows=rows,
            actions=sorted(self._actions(), key=lambda one: (one.at, one.who, one.what, one.tenant)),
            attempts=self._attempts,
            last_incident_mail=self._last_incident,
        )

    def _count_held(self, stream: Stream, mail: Due) -> None:
        recipient = self._recipient(stream, mail)
        cell = self._cell(stream.sender.name, provider_of(recipient), mail.at)
        cell.wanted += 1
        cell.held += 1

    def _actions(self) -> Sequence[Action]:
        end = self.scenario.days * looks.DAY
        found = list(self._ses.actions)
        for incident in self.scenario.incidents:
            tenant = getattr(incident, "tenant", "")
            if tenant in self._without:
                continue
            start = moment_of(incident.start)
            lasts: str | None = getattr(incident, "lasts", None)
            if start < end:
                name = tenants.name_of(incident)
                found.append(Action(start, "incident", "start", tenant, name))
                if lasts is not None and (stop := start + _again(incident) + seconds_of(lasts)) < end:
                    found.append(Action(stop, "incident", "end", tenant, name))
        if self._operator is not None:
            found += [
                Action(at, "operator", what, tenant, why)
                for at, what, tenant, why in self._operator.actions()
            ]
        return found


def _again(incident: Incident) -> float:
    """Returns the seconds from the start of the first mailing of an incident to that of its last one."""
    if isinstance(incident, BoughtList | StaleImport):
        return (incident.mailings - 1) * seconds_of(incident.every)
    return 0.0


_encode: Final = msgspec.json.Encoder().encode
