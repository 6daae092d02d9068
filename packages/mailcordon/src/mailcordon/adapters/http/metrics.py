"""Counts and rates over HTTP: what became of mail by lane, campaign, provider and more, and which lanes are worst now.

To a tenant's key another tenant does not exist (404). A platform key that names no tenant reads all of them.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from mailcordon.adapters.http import read_scope, shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import AnyTenant, Limit, Time
from mailcordon.control import lookup
from mailcordon.core import names
from mailcordon.core import text as texts
from mailcordon.core.bounce_reason import Group
from mailcordon.core.errors import Fault, Invalid, NotFound, parse_field
from mailcordon.core.principal import READ, Principal
from mailcordon.core.priority import parse_class
from mailcordon.core.provider import parse_provider
from mailcordon.guard.delays import Signal
from mailcordon.messages import api
from mailcordon.messages import metrics as messages
from mailcordon.observe import metrics_view as view
from mailcordon.observe import rates
from mailcordon.observe.rates import Rate
from mailcordon.observe.windows import DAY, MINUTE_MS, Window

MOST_MINUTES = 3 * 366 * DAY  #: the counts by day are kept for three years
#: The longest window in days with a line for each of these: more lines would not be read by anybody.
_MOST_DAYS = {"minute": 1, "hour": 31}
#: Campaigns and lists: of one tenant as long as counts by hour are kept, of all as long as the answer comes at once.
_MOST_DAYS_OF_PARTS, _MOST_DAYS_OF_ALL = 90, 8

_MOST_TENANTS = 100

ClassWord = Literal["urgent", "transactional", "marketing"]
Standing = Literal["above", "below", "like", "unknown"]


class FlowItem(msgspec.Struct):
    """Deliveries of a lane in the window, from the acceptance on: `queued_before + accepted` is the sum of the others."""

    since: Time | None  #: where the window begins; null: with the lane
    queued_before: int
    accepted: int
    sent: int
    refused: int
    expired: int
    cancelled: int
    given_up: int
    rejected: int
    no_outcome: int
    queued: int


class RateItem(msgspec.Struct):
    """Events as a share of the mail whose feedback can have come by now. Shares are from 0 to 1."""

    events: int
    mails: int  #: sent; for complaints, to mailbox providers that report them
    exposure: float  #: of these, by their ages, the mail whose feedback has come
    rate: float | None  #: events / exposure; null: no mail
    low: float  #: the true rate is between low and high 19 times in 20
    high: float
    young: bool  #: less than 90 % of the feedback has come
    left_out: float  #: share of the mail whose provider never reports this
    usual: float | None  #: the same mail's rate in the time before
    standing: Standing  #: against the usual rate; like: the difference may be chance
    fleet: float | None  #: all tenants' rate for mail of this class, for platform keys


class MetricItem(msgspec.Struct, omit_defaults=True):
    detail: str  #: the line as a sentence
    sent: int  #: handed to SES, by our own ledger; counted when the mail left
    send_events: int  #: of them, SES's Send event was seen
    delivered: int
    hard_bounced: int
    soft_bounced: int
    complained: int
    delayed: int
    rejected: int
    suppressed_at_ses: int
    opened: int  #: by people
    clicked: int
    machine_opened: int
    machine_clicked: int
    unclear: int
    bounce_reasons: dict[str, int]  #: bounces by the group of their reason, those of 0 left out
    rates: dict[str, RateItem]  #: bounces, complaints, blocks and delays
    tenant: str | None = None
    type: str | None = None
    class_: str | None = msgspec.field(default=None, name="class")
    provider: str | None = None
    campaign: str | None = None
    list: str | None = None
    domain: str | None = None
    pool: str | None = None
    minute: Time | None = None  #: in which the mail left
    hour: Time | None = None
    day: Time | None = None
    points: float | None = (
        None  #: of movers: what the line adds to the change of the whole rate, in percentage points
    )
    flow: FlowItem | None = None  #: by lane only, of one tenant
    notes: Sequence[str] = ()  #: what makes the counts unreliable, or else has to be known to read them


class KeepingItem(msgspec.Struct):
    """A hold or stop that kept mail of the lanes shown from leaving, in a part of the window."""

    what: Literal["hold", "stop"]
    id: int
    detail: str  #: as the lanes and deliveries that it covers say it
    since: Time
    until: Time | None  #: null: it still does


class MetricPage(msgspec.Struct):
    items: list[MetricItem]
    kept: list[KeepingItem]  #: the newest first
    since: Time  #: the mail counted was sent from then on: counts begin at a whole minute, ten minutes, hour or day
    until: Time | None  #: null: until now
    usual_since: Time  #: what `usual` is the rate of
    usual_until: Time
    unreliable: bool  #: feedback of a part of the mail is lost or late
    next: str | None


class TopPage(msgspec.Struct):
    detail: str | None  #: of movers: how the rate of all mail changed
    items: list[MetricItem]
    since: Time
    until: Time | None
    usual_since: Time
    usual_until: Time
    unreliable: bool


Minutes = Annotated[
    int | None,
    QueryParameter(ge=1, le=MOST_MINUTES, description="Mail of the last so many minutes. Default: 60."),
]
When = Annotated[str | None, QueryParameter(description=shapes.TIME)]


def routes(reader: view.MetricsReader) -> list[HTTPRouteHandler]:
    @get(
        "/v1/metrics",
        summary="Count what became of mail, from its acceptance on, with rates",
        tags=["observe"],
    )
    async def get_metrics(
        request: AnyRequest,
        tenant: AnyTenant = None,
        tenants: Annotated[
            str | None,
            QueryParameter(
                description="Slugs with commas between them, at most 100: only these tenants. For platform keys."
            ),
        ] = None,
        type: FromQuery[str | None] = None,
        class_: Annotated[str | None, QueryParameter(name="class")] = None,
        provider: FromQuery[str | None] = None,
        campaign: FromQuery[str | None] = None,
        list_: Annotated[str | None, QueryParameter(name="list")] = None,
        minutes: Minutes = None,
        since: When = None,
        until: When = None,
        by: FromQuery[view.By] = "lane",
        after: FromQuery[str | None] = None,
        limit: Limit = 1000,
    ) -> MetricPage:
        scope = await _scope(reader, principal_of(request), tenant, type)
        now = await reader.now()
        query = view.MetricQuery(
            by=by,
            window=_window(minutes, since, until, now),
            tenants=_tenants(tenants, scope),
            type=type,
            class_=None if class_ is None else parse_field("class", parse_class, class_),
            provider=None if provider is None else parse_field("provider", parse_provider, provider),
            campaign=_text("campaign", campaign),
            list=_text("list", list_),
            after=_cursor(after, by),
            limit=limit,
        )
        _check_length(query, scope, now)
        page = await reader.metrics(scope, query)
        asked = _Asked(page, query.window, now, named=None)
        return MetricPage(
            items=[asked.item(line) for line in page.lines],
            kept=[_keeping(one) for one in page.kept],
            since=shapes.iso_ms(page.window.since * MINUTE_MS),
            until=asked.until,
            usual_since=shapes.iso_ms(page.past_window.since * MINUTE_MS),
            usual_until=shapes.iso_ms(page.past_window.until * MINUTE_MS),
            unreliable=bool(page.marks),
            next=page.next,
        )

    @get(
        "/v1/top",
        summary="Rank lanes, tenants or domains of the fleet by what is worst now",
        tags=["observe"],
    )
    async def get_top(
        request: AnyRequest,
        by: FromQuery[view.Ranking] = "bounces",
        per: FromQuery[view.Per] = "lane",
        movers: FromQuery[bool] = False,
        class_: Annotated[str | None, QueryParameter(name="class")] = None,
        provider: FromQuery[str | None] = None,
        minutes: Minutes = None,
        since: When = None,
        until: When = None,
        limit: Annotated[int, QueryParameter(ge=1, le=100, description="How many items at most.")] = 10,
    ) -> TopPage:
        platform_principal(request, READ)
        if movers and by == "volume":
            raise Invalid(Fault("by", api.not_one_of(["bounces", "complaints", "blocks"])))
        now = await reader.now()
        query = view.TopQuery(
            per=per,
            ranking=by,
            window=_window(minutes, since, until, now),
            movers=movers,
            class_=None if class_ is None else parse_field("class", parse_class, class_),
            provider=None if provider is None else parse_field("provider", parse_provider, provider),
            limit=limit,
        )
        page = await reader.top(query)
        asked = _Asked(page, query.window, now, named=by)
        return TopPage(
            detail=asked.whole if movers else None,
            items=[asked.item(line) for line in page.lines],
            since=shapes.iso_ms(page.window.since * MINUTE_MS),
            until=asked.until,
            usual_since=shapes.iso_ms(page.past_window.since * MINUTE_MS),
            usual_until=shapes.iso_ms(page.past_window.until * MINUTE_MS),
            unreliable=bool(page.marks),
        )

    return [get_metrics, get_top]


# What is asked -----------------------------------------------------------------------------------------------------------


async def _scope(
    reader: view.MetricsReader, principal: Principal, slug: str | None, type: str | None
) -> view.MetricScope:
    """Raises NotFound for another tenant than the key's, and for an unknown type."""
    principal.require(READ)
    if principal.is_platform and slug is None:
        if type is not None and not ("\x00" not in type and await reader.has_type(type)):
            raise NotFound(api.no_type(texts.harmless(type, 64)))
        return view.MetricScope(tenant=None)
    named, found = await read_scope.of_one_tenant(reader, principal, slug)
    if type is not None:
        await lookup.lane_id(reader, found.tenant, named, type, code=read_scope.UNKNOWN)
    return view.MetricScope(tenant=found.tenant, as_tenant=found.as_tenant)


def _window(minutes: int | None, since: str | None, until: str | None, now: int) -> Window:
    """`now`: minutes since 1970. Raises Invalid."""
    if since is None and until is None:
        return Window(now - (minutes or 60), now + 1)
    if minutes is not None:
        raise Invalid(Fault("minutes", messages.window_twice()))
    end = now + 1 if until is None else min(now + 1, -(-shapes.time("until", until) // MINUTE_MS))
    begin = end - 60 if since is None else shapes.time("since", since) // MINUTE_MS
    if not now - MOST_MINUTES <= begin < end:
        raise Invalid(Fault("since", messages.bad_window()))
    return Window(begin, end)


def _check_length(query: view.MetricQuery, scope: view.MetricScope, now: int) -> None:
    """Raises Invalid for a window that would have too many lines, or take too long to read."""
    length = query.window.length
    if (most := _MOST_DAYS.get(query.by)) is not None and length > most * DAY + 1:
        raise Invalid(Fault("by", messages.window_too_long(by=query.by, most=most)))
    if query.by in ("campaign", "list") or query.campaign is not None or query.list is not None:
        begins = now - query.window.since
        if scope.tenant is None and length > _MOST_DAYS_OF_ALL * DAY + 1:
            raise Invalid(Fault("tenant", messages.name_a_tenant(most=_MOST_DAYS_OF_ALL)))
        if begins > _MOST_DAYS_OF_PARTS * DAY + 1:
            by = query.by if query.by in ("campaign", "list") else "campaign" if query.campaign else "list"
            raise Invalid(Fault("by", messages.window_too_long(by=by, most=_MOST_DAYS_OF_PARTS)))


def _tenants(text: str | None, scope: view.MetricScope) -> list[str] | None:
    """Raises Invalid, also beside another choice of tenants. A slug of no tenant has no lines."""
    if text is None:
        return None
    slugs = text.split(",")
    if scope.tenant is not None or len(slugs) > _MOST_TENANTS or not all(map(names.is_slug, slugs)):
        raise Invalid(Fault("tenants", messages.bad_tenants(most=_MOST_TENANTS)))
    return slugs


def _text(field: str, text: str | None) -> str | None:
    if text is not None and "\x00" in text:
        raise Invalid(Fault(field, api.not_a_cursor()))
    return text


_CURSORS = {
    "campaign": re.compile(r"\d{10}:[^\x00]*"),
    "list": re.compile(r"\d{10}:[^\x00]*"),
    "domain": re.compile(r"[^\x00]+"),
}
_CURSORS["pool"] = _CURSORS["domain"]
_NUMBER = re.compile(r"[0-9]{1,9}|0[0-9]{9}|1[0-9]{9}")  #: an int of the database


def _cursor(after: str | None, by: view.By) -> str | None:
    if after is not None and not _CURSORS.get(by, _NUMBER).fullmatch(after):
        raise Invalid(Fault("after", api.not_a_cursor()))
    return after


# What is answered --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """A page with the question that it answers."""

    page: view.Page
    window: Window  #: as it was asked for
    now: int
    named: view.Ranking | None  #: what the sentences are about; None: what differs most from the usual

    @property
    def until(self) -> str | None:
        until = self.page.window.until
        return None if until > self.now else shapes.iso_ms(until * MINUTE_MS)

    @property
    def words(self) -> str:
        if self.until is None and self.page.window.since >= self.window.since - 10:
            return messages.in_last(self.now + 1 - self.window.since - (self.window.until > self.now))
        since, until = self.page.window.since * MINUTE_MS, self.page.window.until * MINUTE_MS
        return messages.in_window(since=since, until=None if self.until is None else until)

    @property
    def whole(self) -> str | None:
        """How the rate of all mail changed."""
        total = self.page.total
        if total is None or self.named in (None, "volume"):
            return None
        signal = Signal(self.named or "")
        now, before = (
            None if line is None else view.rates_of(line)[signal].rate for line in (total.now, total.before)
        )
        return messages.whole_rate(signal=signal, before=before, now=now, window=self.words)

    def item(self, line: view.MetricLine) -> MetricItem:
        found = view.rates_of(line)
        past = self.page.past.get(line.key)
        before = {} if past is None else view.rates_of(past)
        whole = {} if (fleet := self._fleet(line)) is None else view.rates_of(fleet)
        flow = self.page.flows.get(line.key)
        points = self.page.shares.get(line.key)
        counts: dict[str, Any] = {name: line.counts[name] for name in _COUNTS}
        if line.at is not None:
            counts[line.by] = shapes.iso_ms(line.at * MINUTE_MS)
        return MetricItem(
            **counts,
            detail=self._sentence(line, found, before, points),
            bounce_reasons={each.word: line.counts[each.word] for each in Group if line.counts[each.word]},
            rates={
                str(name): _rate_item(rate, before.get(name), whole.get(name)) for name, rate in found.items()
            },
            tenant=line.tenant,
            type=line.type,
            class_=None if line.class_ is None else line.class_.word,
            provider=None if line.provider is None else line.provider.word,
            campaign=line.campaign,
            list=line.list,
            domain=line.domain,
            pool=line.pool,
            points=None if points is None else 100 * points,
            flow=None if flow is None else _flow_item(flow),
            notes=self._notes(line),
        )

    def _fleet(self, line: view.MetricLine) -> view.MetricLine | None:
        return None if line.class_ is None else self.page.fleet.get(line.class_)

    def _sentence(
        self,
        line: view.MetricLine,
        found: dict[Signal, Rate],
        before: dict[Signal, Rate],
        points: float | None,
    ) -> str:
        of = name_of(line)
        if self.named == "volume":
            past = self.page.past.get(line.key)
            length = min(self.window.until, self.now + 1) - self.window.since
            usual = None if past is None else past.counts["sent"] * length / self.page.past_window.length
            return messages.volume_of(of=of, sent=line.counts["sent"], window=self.words, usual=usual)
        signal = Signal(self.named) if self.named is not None else _most_unusual(found, before)
        rate = found[signal]
        if points is not None:
            what = messages.counted(signal=signal, events=rate.events, mails=rate.sent)
            return messages.moved_by(of=of, signal=signal, points=points, what=what)
        usual = before.get(signal)
        return messages.rate_of(
            of=of,
            signal=signal,
            events=rate.events,
            mails=rate.sent,
            window=self.words
            if line.at is None
            else messages.in_bucket(start=line.at * MINUTE_MS, size=line.by),
            rate=rate.rate,
            low=rate.low,
            high=rate.high,
            usual=None if usual is None else usual.rate,
            young=rate.young,
            left_out=rate.left_out,
        )

    def _notes(self, line: view.MetricLine) -> list[str]:
        found = [
            messages.unreliable(signal=mark.signal, since=mark.since, until=mark.until, late=mark.late)
            for mark in line.marks
        ]
        return [*found, *([messages.moved_in_window()] if line.moved else [])]


_COUNTS = (
    *(
        "sent",
        "send_events",
        "delivered",
        "hard_bounced",
        "soft_bounced",
        "complained",
        "delayed",
        "rejected",
    ),
    *("suppressed_at_ses", "opened", "clicked", "machine_opened", "machine_clicked", "unclear"),
)


def _most_unusual(found: dict[Signal, Rate], before: dict[Signal, Rate]) -> Signal:
    """The first that is above what is usual, else hard bounces."""
    above = [
        signal
        for signal in (Signal.COMPLAINTS, Signal.BOUNCES, Signal.BLOCKS)
        if rates.standing(found[signal], before.get(signal)) is rates.Standing.ABOVE
    ]
    return above[0] if above else Signal.BOUNCES


def name_of(line: view.MetricLine) -> str:
    """What a line is about, as its sentence begins: `acme/newsletter`, `gmail`, `acme, campaign spring`."""
    if line.type is not None and line.tenant is not None:
        return f"{line.tenant}/{line.type}"
    if line.by == "campaign":
        return messages.part_of(tenant=line.tenant or "", what="campaign", name=line.campaign)
    if line.by == "list":
        return messages.part_of(tenant=line.tenant or "", what="list", name=line.list)
    if line.by == "pool":
        return messages.pool_named(line.pool)
    provider = None if line.provider is None else line.provider.word
    named = (line.tenant, line.type, provider, line.domain)
    words = next((one for one in named if one), None)
    if words is None and line.class_ is not None:
        words = line.class_.word
    return words or messages.all_mail()


def _rate_item(rate: Rate, usual: Rate | None, fleet: Rate | None) -> RateItem:
    standing: Standing = rates.standing(rate, usual).value
    return RateItem(
        events=rate.events,
        mails=rate.sent,
        exposure=round(rate.exposure, 3),
        rate=rate.rate,
        low=rate.low,
        high=rate.high,
        young=rate.young,
        left_out=rate.left_out,
        usual=None if usual is None else usual.rate,
        standing=standing,
        fleet=None if fleet is None else fleet.rate,
    )


def _keeping(one: view.Keeping) -> KeepingItem:
    return KeepingItem(
        one.what, one.id, one.sentence, shapes.iso_ms(one.since), shapes.iso_ms_or_none(one.until)
    )


def _flow_item(flow: view.Flow) -> FlowItem:
    counts = asdict(flow)
    for name in ("since", "tenant", "type", "class_"):
        del counts[name]
    return FlowItem(since=shapes.iso_ms_or_none(flow.since), **counts)
