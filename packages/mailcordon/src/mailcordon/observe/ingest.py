"""Stores one batch of events in one transaction: each is counted once, or quarantined, never dropped.

The pure modules beside this one decide what is written. Storing an event again changes nothing, so the caller may always retry,
and deletes from the queue only after the commit.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from mailcordon.core import address as addresses
from mailcordon.core import ids, proof, tags, ungoverned
from mailcordon.core import text as texts
from mailcordon.core.event import Attempt, Kind
from mailcordon.core.installation import Installation
from mailcordon.core.quarantine import UNGOVERNED
from mailcordon.core.suppression import SoftBouncePolicy
from mailcordon.messages import observing as observing_messages
from mailcordon.messages import reasons
from mailcordon.observe import (
    attribute,
    cohorts,
    delivery_times,
    fold,
    observed_mail,
    plausible,
    recording,
    suppressing,
)
from mailcordon.observe.attribute import Attributed, OtherInstallation, Quarantine
from mailcordon.observe.ports import (
    Counts,
    Decoded,
    DecodedEvent,
    Directory,
    EventRow,
    Facts,
    Malformed,
    Notice,
    NoticeRow,
    Outcome,
    ProofEventRow,
    Quarantined,
    Send,
    Times,
    Transaction,
    Unverified,
)
from mailcordon.observe.quarantine import LONGEST_NOTICE
from mailcordon.observe.webhooks import outbox
from mailcordon.observe.webhooks.nouns import Subscriptions

MAX_PROOFS = 50_000  #: entries of the cache, about 30 MB
LONG_WAY = 8  #: batches that are stored step by step after one whose rows had changed
LONGEST_DOCUMENT = 256 * 1024  #: characters of a document that are stored

#: The values of all signed tags -> the attempt that they prove. A cache, since a mail has several events.
Proofs = dict[tuple[str | None, ...], Attempt]


@dataclass(slots=True)
class Report:
    """The result of a batch."""

    counted: Counter[Kind] = field(default_factory=Counter[Kind])  #: new events of ours
    copies: int = 0  #: events that were stored before
    quarantined: Counter[str] = field(default_factory=Counter[str])  #: by reason, including copies
    elsewhere: int = 0  #: events of other installations
    observed: int = 0  #: events of mail that did not pass through us, and that a rule maps to a tenant
    unmapped: int = 0  #: the same without a rule, while the installation observes only
    notices: int = 0
    odd: int = 0  #: events with a time that cannot be, or another recipient (plausible.py)
    new: list[Attributed] = field(default_factory=list[Attributed])
    #: Of these, counted and not kept, since their kind has no room (observe/quarantine.py).
    not_kept: Counter[str] = field(default_factory=Counter[str])
    alarms: dict[str, str] = field(
        default_factory=dict[str, str]
    )  #: a sentence of each kind of `quarantined`: its first

    def add(self, other: "Report") -> None:
        self.counted += other.counted
        self.quarantined += other.quarantined
        self.copies += other.copies
        self.elsewhere += other.elsewhere
        self.observed += other.observed
        self.unmapped += other.unmapped
        self.notices += other.notices
        self.odd += other.odd
        self.new += other.new
        self.not_kept += other.not_kept
        self.alarms = other.alarms | self.alarms

    @property
    def sentence(self) -> str:
        """The result of a batch of one."""
        if self.new:
            return _counted(self.new[0])
        if self.alarms:
            return next(iter(self.alarms.values()))
        if self.copies:
            return reasons.counted_before()
        if self.elsewhere:
            return reasons.of_another_installation()
        if self.unmapped:
            return observing_messages.not_mapped()
        return reasons.nothing_to_count()


@dataclass(slots=True)
class _Claimed:
    decoded: DecodedEvent
    attempt: Attempt


class Ingest:
    """Stores batches of events for one installation, whose mail has rows for `kept_days` (MAILCORDON_KEEP_RECORDS_DAYS).

    `identity_topics`: ARNs of the topics whose events need no tags (MAILCORDON_IDENTITY_TOPIC_ARNS). `observe_only`: mail that
    did not pass through us is not quarantined; what no rule maps is counted (MAILCORDON_OBSERVE_ONLY).
    """

    def __init__(
        self,
        installation: Installation,
        *,
        kept_days: int = 90,
        identity_topics: Set[str] = frozenset(),
        soft_bounces: SoftBouncePolicy | None = None,
        observe_only: bool = False,
    ) -> None:
        self._ours = installation
        self._observe_only = observe_only
        self._identity_topics = identity_topics
        self._kept_ms = kept_days * 86_400_000
        self._soft_bounces = soft_bounces or SoftBouncePolicy()
        self._proofs: Proofs = {}
        self._proved_with = installation.mac_keys
        self._long_way = 0  #: batches that are stored step by step

    async def store(
        self,
        tx: Transaction,
        decoded: Sequence[Decoded],
        source: str,
        *,
        quarantine: bool = True,
        proves: bool = True,
    ) -> Report:
        """Stores the batch. `quarantine` is False for documents that are in quarantine already.

        `proves` is False for what did not come through a queue that is read to its end: such a Send event says nothing of the
        absence of another one (docs/decisions/017).
        """
        if len(self._proofs) > MAX_PROOFS or self._proved_with != self._ours.mac_keys:
            self._proofs.clear()  # a proof ends with its key
            self._proved_with = self._ours.mac_keys
        batch = _Batch(
            self._ours,
            self._kept_ms,
            self._identity_topics,
            self._soft_bounces,
            self._proofs,
            tx,
            source,
            quarantine,
            proves,
            self._observe_only,
            self._long_way == 0,
        )
        report = await batch.run(decoded)
        # Copies that come again, or another observer of the same mail, are seldom alone.
        self._long_way = max(0, self._long_way - 1) if batch.is_short or self._long_way else LONG_WAY
        return report

    async def set_aside(
        self, tx: Transaction, decoded: Decoded, unstorable: Malformed, source: str
    ) -> Report:
        """Quarantines a message that the database rejects. An event of ours still proves that SES has the mail: without that, its
        call would count as one that SES did not accept, and go out again."""
        if isinstance(decoded, DecodedEvent):
            event = decoded.event
            attempt = attribute.read_tags(event, self._ours)
            if isinstance(attempt, Attempt) and not attempt.canary and event.ses_id:
                event = plausible.corrected(
                    event, called_at=attempt.called_at, recipient=None, now=attempt.called_at
                )
                await tx.record_sends([Send(attempt.delivery, attempt.attempt, event.ses_id, event.mail_at)])
        return await self.store(tx, [unstorable], source, proves=False)


class _Batch:
    def __init__(
        self,
        ours: Installation,
        kept_ms: int,
        identity_topics: Set[str],
        soft_bounces: SoftBouncePolicy,
        proofs: Proofs,
        tx: Transaction,
        source: str,
        quarantine: bool,
        proves: bool,
        observe_only: bool,
        is_short: bool,
    ) -> None:
        self._ours = ours
        self._kept_ms = kept_ms
        self._identity_topics = identity_topics
        self._soft_bounces = soft_bounces
        self._proofs = proofs
        self._tx = tx
        self._source = source
        self._writes_quarantine = quarantine
        self._observe_only = observe_only
        #: Of mail that did not pass through us, with what is quarantined of it.
        self._untagged: list[tuple[DecodedEvent, str | bytes, Quarantine]] = []
        self._proves = proves
        self._report = Report()
        self._quarantined: list[Quarantined] = []
        self._ungoverned: list[ungoverned.Sighting] = []
        self._notices: list[NoticeRow] = []
        self._other_installations: Counter[tuple[str, Kind]] = Counter()
        self._seen: dict[str, int] = {}
        self._proof_events: list[ProofEventRow] = []
        self._counts: Counts = {}
        self._times: Times = {}
        self._facts: dict[int, Facts] = {}
        self._webhooks: Subscriptions = {}
        self._documents: dict[tuple[int, bytes], str] = {}  #: SES's JSON, for endpoints that get it
        self.is_short = (
            is_short  #: whether all is tried in one statement; afterwards, whether that was possible
        )

    async def run(self, decoded: Sequence[Decoded]) -> Report:
        claimed = await self._claim(decoded)
        found = await self._attribute(claimed) if claimed else []
        if self._untagged:
            found += await self._observe()
        if found:
            new = await self._record(found)
            if self._webhooks:
                await self._tell_webhooks(new)
            await self._suppress(new)
        await self._write_the_rest()
        return self._report

    # Attribution ----------------------------------------------------------------------------------------------------------

    async def _claim(self, decoded: Sequence[Decoded]) -> list[_Claimed]:
        claimed: list[_Claimed] = []
        for one in decoded:
            if isinstance(one, DecodedEvent):
                signed = tuple(map(one.event.tags.get, tags.SIGNED))
                attempt = self._proofs.get(signed) or await self._prove(one, signed)
                if attempt is not None:
                    claimed.append(_Claimed(one, attempt))
            elif isinstance(one, Notice):
                self._note(one)
            elif isinstance(one, Unverified):
                self._quarantine(one.document, Quarantine("unverified", reasons.unverified(one.why)))
            else:
                self._quarantine(one.document, Quarantine("malformed", reasons.malformed(one.why)))
        return claimed

    async def _prove(self, decoded: DecodedEvent, signed: tuple[str | None, ...]) -> Attempt | None:
        event = decoded.event
        verdict = attribute.read_tags(event, self._ours)
        if isinstance(verdict, Attempt):
            self._proofs[signed] = verdict
            return verdict
        if isinstance(verdict, OtherInstallation):
            self._other_installations[verdict.name, event.kind] += 1
            self._report.elsewhere += 1
            return None
        document = decoded.document
        if not event.tags and decoded.topic in self._identity_topics:
            attempt = await self._by_ses_id(decoded)
            if attempt is not None:
                return attempt
            document = decoded.body or document  # a replay needs the topic
        if verdict.why == UNGOVERNED:
            self._untagged.append((decoded, document, verdict))
        else:
            self._quarantine(document, verdict)
        return None

    async def _by_ses_id(self, decoded: DecodedEvent) -> Attempt | None:
        """Notifications from an identity's own topic have no tags, only SES's id. Without them, it is the topic that vouches."""
        event = decoded.event
        domain = str(event.detail.get("source", "")).rpartition("@")[2].rstrip(">").lower()
        for destination in event.destinations[:1]:
            hash = self._hash(destination)
            known = await self._tx.by_ses_id(event.ses_id, domain, hash) if hash is not None else None
            if known is not None:
                return Attempt(
                    installation=self._ours.name,
                    tenant_key=known.tenant_key,
                    type=known.type,
                    delivery=known.delivery,
                    attempt=known.attempt,
                    called_at=known.called_at,
                )
        return None

    async def _observe(self) -> list[Attributed]:
        """Mail that did not pass through us counts for the tenant that a rule maps it to. It stays ungoverned, unless the
        installation only observes."""
        observed = await observed_mail.attribute(
            self._tx,
            [decoded.event for decoded, _, _ in self._untagged],
            self._ours,
            kept_ms=self._kept_ms,
            hash_of=self._hash,
            count_unmapped=self._observe_only,
        )
        aside = dict(observed.aside)
        for place, (decoded, document, verdict) in enumerate(self._untagged):
            if not self._observe_only:
                self._ungoverned.append(ungoverned.of_event(decoded.event))
                self._quarantine(document, verdict)
            elif place in aside:
                self._quarantine(document, aside[place])
        self._report.observed += sum(observed.mapped)
        self._report.unmapped += len(observed.mapped) - sum(observed.mapped) if self._observe_only else 0
        self._report.odd += observed.odd
        self._facts |= observed.facts
        return observed.attributed

    async def _attribute(self, claimed: Sequence[_Claimed]) -> list[Attributed]:
        lanes = {(one.attempt.tenant_key, one.attempt.type) for one in claimed}
        sets = {name for one in claimed if (name := one.decoded.event.configuration_set) is not None}
        asked = {
            one.attempt.delivery: (one.attempt.tenant_key, one.attempt.type)
            for one in claimed
            if not one.attempt.canary
        }
        directory, known_facts = await self._tx.known(asked, lanes, sets)
        facts = self._facts = dict(known_facts)
        self._webhooks = directory.webhooks
        found: list[Attributed] = []
        for one in claimed:
            event, attempt = one.decoded.event, one.attempt
            if attempt.canary:
                self._saw_send(event.configuration_set, event.kind, attempt)
                if proof.is_mail(attempt.delivery):
                    self._proof_events.append(self._evidence(one, directory))
                continue
            known = facts.get(attempt.delivery, _NOTHING)
            verdict = attribute.check(event, attempt, directory, known, kept_ms=self._kept_ms)
            if isinstance(verdict, Quarantine):
                self._quarantine(one.decoded.document, verdict)
                continue
            recipient = verdict.address if verdict.has_rows else None
            verdict.event = plausible.corrected(
                event, called_at=attempt.called_at, recipient=recipient, now=directory.now
            )
            self._report.odd += verdict.event is not event
            found.append(verdict)
            if self._webhooks and outbox.wants_documents(verdict.lane.tenant, self._webhooks):
                self._documents[attempt.delivery, event.key] = text_of(one.decoded.document)
            self._saw_send(event.configuration_set, event.kind, attempt)
            if verdict.settles and verdict.has_rows:
                # A second SES id of an attempt is a double within one batch, too.
                facts[attempt.delivery] = _with_ses_id(known, attempt.attempt, event.ses_id)
        return found

    def _evidence(self, one: _Claimed, directory: Directory) -> ProofEventRow:
        event = plausible.corrected(
            one.decoded.event, called_at=one.attempt.called_at, recipient=None, now=directory.now
        )
        lane, problem = attribute.evidence(event, one.attempt, directory)
        return ProofEventRow(
            mail=one.attempt.delivery,
            key=event.key,
            kind=event.kind,
            at=event.at,
            ses_id=event.ses_id,
            queue=self._source,
            topic=one.decoded.topic,
            configuration_set=event.configuration_set,
            ses_tenant=event.ses_tenant,
            lane=lane,
            problem=problem,
        )

    def _saw_send(self, configuration_set: str | None, kind: Kind, attempt: Attempt) -> None:
        """Records how far Send events have come. Others do not count: a Delivery event may overtake them."""
        if kind is Kind.SEND and configuration_set is not None and self._proves:
            self._seen[configuration_set] = max(attempt.called_at, self._seen.get(configuration_set, 0))

    # Writing --------------------------------------------------------------------------------------------------------------

    async def _record(self, found: Sequence[Attributed]) -> list[Attributed]:
        """Stores events, outcomes and what follows. Returns the new events; past retention all count as new, as copies cannot be
        detected."""
        first: dict[recording.Place, Attributed] = {}
        for one in found:
            first.setdefault((one.attempt.delivery, one.event.key), one)
        rowless = recording.without_rows(
            first, self._facts, lambda tenant: outbox.reads_sends(tenant, self._webhooks)
        )
        for place in [place for place in rowless if recording.is_copy(place, self._facts)]:
            del first[place]
        reported = recording.outcomes(first, rowless)
        events = [
            recording.event_row(one) for place, one in first.items() if one.has_rows and place not in rowless
        ]
        sends = recording.sends(found)
        if self.is_short and await self._store_at_once(first.values(), events, reported, sends):
            new = list(first.values())
        else:
            new = await self._store_step_by_step(first, rowless, events, reported, sends)
        for one in new:
            self._report.counted[one.event.kind] += 1
        self._report.new += new
        self._report.copies += len(found) - len(new)
        return new

    async def _store_at_once(
        self,
        found: Iterable[Attributed],
        events: Sequence[EventRow],
        reported: Mapping[int, Outcome],
        sends: Sequence[Send],
    ) -> bool:
        """In one statement, if the rows are as they were read. It is the whole transaction, unless more is to be written."""
        alone = not (
            self._proof_events
            or self._quarantined
            or self._ungoverned
            or self._notices
            or self._other_installations
            or self._untagged
            or any(one.event.kind in suppressing.ABOUT_ADDRESSES for one in found)
            or outbox.rows(found, self._webhooks, {})[0]
        )
        batch = recording.at_once(events, reported, self._facts, sends, self._seen if alone else {})
        self.is_short = await self._tx.store_at_once(batch, alone=alone)
        if self.is_short and alone:
            self._seen = {}
        return self.is_short

    async def _store_step_by_step(
        self,
        first: Mapping[recording.Place, Attributed],
        rowless: Set[recording.Place],
        events: Sequence[EventRow],
        reported: Mapping[int, Outcome],
        sends: Sequence[Send],
    ) -> list[Attributed]:
        """The same with locks, and a statement for each step."""
        outcomes = dict(reported)
        inserted: Set[recording.Place] = set()
        newly_sent: Set[int] = set()
        if events or outcomes:
            inserted, new_rows = await self._tx.record(events, list(outcomes.values()))
            await self._lock_queued(outcomes)
            pairs: list[cohorts.Pair] = [(None, outcomes.pop(id)) for id in new_rows]
            await self._fold(pairs, outcomes)
            newly_sent = {after.id for before, after in pairs if before is None or not before.kinds & _SENT}
        if sends:
            await self._tx.record_sends(sends)
        return [
            one
            for place, one in first.items()
            if not one.has_rows or (place[0] in newly_sent if place in rowless else place in inserted)
        ]

    async def _lock_queued(self, outcomes: Iterable[int]) -> None:
        """Keeps deliveries without a ledger row as they are until the commit. Else this batch and whoever ends one could each
        leave it to the other to count it as sent."""
        queued = [id for id in outcomes if self._facts[id].ledger_state is None]
        if queued:
            for id, (state, called_at) in (await self._tx.lock_deliveries(queued)).items():
                self._facts[id] = replace(self._facts[id], ledger_state=state, called_at=called_at)

    async def _fold(self, pairs: list[tuple[Outcome | None, Outcome]], outcomes: dict[int, Outcome]) -> None:
        """Merges `outcomes` into existing rows. Copies are merged too, which changes nothing."""
        while outcomes:
            existing = await self._tx.lock_outcomes(list(outcomes))
            joined = [(old, fold.merge(old, outcomes.pop(id))) for id, old in existing.items()]
            changed = [(old, row) for old, row in joined if old != row]
            if changed:
                await self._tx.update_outcomes([row for _, row in changed])
            pairs += changed
            if outcomes:
                # Their rows were deleted between the two statements.
                _, inserted = await self._tx.record([], list(outcomes.values()))
                pairs += [(None, outcomes.pop(id)) for id in inserted]
        self._counts = cohorts.changes(pairs, self._facts)
        self._times = delivery_times.changes(pairs, self._facts)

    async def _tell_webhooks(self, new: Sequence[Attributed]) -> None:
        rows, documents = outbox.rows(new, self._webhooks, self._documents)
        if rows:
            await self._tx.tell_webhooks(rows, documents)

    async def _suppress(self, new: Sequence[Attributed]) -> None:
        await suppressing.suppress(self._tx, new, self._hash, self._soft_bounces)

    async def _write_the_rest(self) -> None:
        """Rows that all observers share are written last, so that their locks are short."""
        if self._proof_events:
            await self._tx.record_proof_events(self._proof_events)
        if self._quarantined and self._writes_quarantine:
            self._report.not_kept.update(await self._tx.quarantine(self._quarantined))
        if self._ungoverned and self._writes_quarantine:
            await self._tx.record_ungoverned(self._ungoverned)
        if self._notices and (not_kept := await self._tx.keep_notices(self._notices)):
            self._report.not_kept["notice"] += not_kept
        if self._other_installations:
            await self._tx.count_elsewhere(self._other_installations)
        if self._counts or self._seen:
            await self._tx.count(self._counts, self._seen, self._times)

    # Shared by the steps --------------------------------------------------------------------------------------------------

    def _quarantine(self, document: str | bytes, verdict: Quarantine) -> None:
        text = text_of(document)
        self._report.quarantined[verdict.why] += 1
        self._report.alarms.setdefault(verdict.why, f"{verdict.why}: {verdict.detail}")
        self._quarantined.append(
            Quarantined(
                why=verdict.why,
                detail=verdict.detail.replace("\0", "")[:2000],
                document=text[:LONGEST_DOCUMENT],
                digest=digest_of(document),
                source=self._source,
                tenant=verdict.tenant,
                sender=verdict.sender,
            )
        )

    def _note(self, notice: Notice) -> None:
        self._report.notices += 1
        if notice.keep:
            subject = notice.subject[:500].replace("\0", "") if notice.subject else None
            row = NoticeRow(
                what=texts.harmless(notice.what, 200),
                subject=subject,
                document=text_of(notice.document)[:LONGEST_NOTICE],
                digest=digest_of(notice.document),
            )
            self._notices.append(row)

    def _hash(self, text: str) -> bytes | None:
        """Returns None for an address that accept would refuse: we never sent to it."""
        return addresses.hash_of_any(self._ours.hash_key, text)


_NOTHING = Facts()
_SENT = 1 << Kind.SEND


def text_of(document: str | bytes) -> str:
    """The document as text that PostgreSQL can store."""
    text = document if isinstance(document, str) else document.decode(errors="replace")
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")


def digest_of(document: str | bytes) -> bytes:
    raw = document.encode(errors="replace") if isinstance(document, str) else document
    return hashlib.blake2b(raw, digest_size=16).digest()


def _with_ses_id(facts: Facts, attempt: int, ses_id: str) -> Facts:
    return replace(facts, ses_ids={**facts.ses_ids, attempt: ses_id})


def _counted(one: Attributed) -> str:
    attempt = one.attempt
    delivery = ids.delivery_id(attempt.delivery)
    return reasons.counted(one.event.kind.word, one.lane.tenant_key, one.lane.type, delivery, attempt.attempt)
