"""What others say of our mail over HTTP: signals that a person imports, and a list of them."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.outside_signals import OutsideSignals, Shown, SignalReads
from mailcordon.core import domain as domains
from mailcordon.core import text as texts
from mailcordon.core.errors import Fault, Invalid, parse_field, parse_into
from mailcordon.core.outside_signal import OutsideSignal, Source, Trust, day_of, text_of_day
from mailcordon.core.principal import OPERATE
from mailcordon.core.provider import parse_provider
from mailcordon.messages import outside_signals as messages

MOST_SIGNALS = 500  #: of one request
_MOST_MAILS = 10**12
_LONGEST = 200  #: characters of a name

T = TypeVar("T")
Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST_MAILS)]
Name = Annotated[str, msgspec.Meta(max_length=_LONGEST)]


class SignalBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    source: Literal["postmaster", "dmarc"]
    domain: str
    day: str  #: UTC: 2026-11-28
    rate: Annotated[
        float, msgspec.Meta(ge=0, le=1)
    ]  #: share of the mail that users reported as spam, or that failed DMARC
    trust: Literal["low", "medium", "high"]
    provider: str | None = None  #: whose mailboxes, as in `GET /v1/providers`
    reporter: Name = ""
    report: Name = ""
    bad: Count | None = None
    of: Count | None = None
    elsewhere: Count | None = None
    elsewhere_bad: Count | None = None


class ImportSignals(msgspec.Struct, forbid_unknown_fields=True):
    signals: list[SignalBody]
    because: str


class ImportedSignals(msgspec.Struct):
    detail: str
    new: int
    changed: int
    known: int
    not_ours: list[str]  #: domains that no lane sends from: nothing follows of what is said of them


class SignalItem(msgspec.Struct):
    id: int
    source: str
    tenant: str | None  #: the one that alone sent from the domain when it was imported
    domain: str
    day: str
    provider: str | None
    reporter: str | None
    report: str | None
    rate: float
    bad: int | None
    of: int | None
    elsewhere: int | None  #: DMARC: mails that did not come through SES
    elsewhere_bad: int | None
    trust: str
    counts: bool  #: it is young enough that something can follow from it
    imported_at: Time
    imported_by: str


class SignalPage(msgspec.Struct):
    items: list[SignalItem]
    next: str | None


def routes(reads: SignalReads, service: OutsideSignals) -> list[HTTPRouteHandler]:
    @post(
        "/v1/signals",
        status_code=200,
        summary="Import what others say of our mail: spam rates of Gmail, DMARC reports",
        tags=["control"],
    )
    async def import_signals(request: AnyRequest, data: JSONBody[ImportSignals]) -> ImportedSignals:
        actor = platform_principal(request, OPERATE).actor
        if len(data.signals) > MOST_SIGNALS:
            raise Invalid(Fault("signals", messages.too_many_signals(MOST_SIGNALS)))
        because = shapes.reason(data.because)
        faults: list[Fault] = []
        signals = [_signal(number, one, faults) for number, one in enumerate(data.signals)]
        if faults:
            raise Invalid(*faults)
        added = await service.add(signals, because=because, actor=actor)
        return ImportedSignals(
            detail=messages.imported(new=added.new, changed=added.changed, known=added.known),
            new=added.new,
            changed=added.changed,
            known=added.known,
            not_ours=list(added.not_ours),
        )

    @get("/v1/signals", summary="List what others say of our mail, newest first", tags=["control"])
    async def list_signals(
        request: AnyRequest,
        tenant: AnyTenant = None,
        domain: Annotated[str | None, QueryParameter(description="Only of this domain of From.")] = None,
        source: FromQuery[Literal["postmaster", "dmarc"] | None] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> SignalPage:
        viewer = await lookup.viewer(reads, principal_of(request), tenant)
        found = await reads.page(
            viewer,
            domain=None if domain is None else parse_field("domain", domains.parse, domain),
            source=None if source is None else Source(source),
            before=None if after is None else shapes.id32(after),
            limit=limit,
        )
        return SignalPage([_item(one) for one in found], shapes.next_of([one.id for one in found], limit))

    return [import_signals, list_signals]


def _signal(number: int, given: SignalBody, faults: list[Fault]) -> OutsideSignal:
    def checked(name: str, read: Callable[[str], T], text: str) -> T | None:
        return parse_into(faults, f"signals[{number}].{name}", read, text)

    domain = checked("domain", domains.parse, given.domain)
    day = checked("day", day_of, given.day)
    provider = None if given.provider is None else checked("provider", parse_provider, given.provider)
    for name, text in (("reporter", given.reporter), ("report", given.report)):
        checked(name, texts.check_shown, text)
    return OutsideSignal(
        source=Source(given.source),
        domain=domain or "",
        day=day or 0,
        rate=given.rate,
        trust=Trust(given.trust),
        provider=provider,
        reporter=given.reporter,
        report=given.report,
        bad=given.bad,
        of=given.of,
        elsewhere=given.elsewhere,
        elsewhere_bad=given.elsewhere_bad,
    )


def _item(one: Shown) -> SignalItem:
    signal = one.signal
    return SignalItem(
        id=one.id,
        source=str(signal.source),
        tenant=one.tenant,
        domain=signal.domain,
        day=text_of_day(signal.day),
        provider=None if signal.provider is None else signal.provider.word,
        reporter=signal.reporter or None,
        report=signal.report or None,
        rate=signal.rate,
        bad=signal.bad,
        of=signal.of,
        elsewhere=signal.elsewhere,
        elsewhere_bad=signal.elsewhere_bad,
        trust=str(signal.trust),
        counts=one.counts,
        imported_at=shapes.iso_ms(one.imported_at),
        imported_by=one.imported_by,
    )
