"""GET /v1/account: the limits of the account at SES, and the budget of management calls.

It is about the whole installation, so only a platform key may read it.
"""

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import Time
from mailcordon.control import account
from mailcordon.core.principal import READ
from mailcordon.guard.policy.forecast import Forecast


class LimitsItem(msgspec.Struct):
    """What GetAccount said last."""

    cell: str
    polled_at: Time
    max_send_rate: float  #: recipients a second
    max_24h: float  #: recipients; negative: unlimited
    sent_24h: float
    sending_enabled: bool
    enforcement: str


class ShareItem(msgspec.Struct):
    """One kind of work that shares the calls."""

    work: str
    share: float  #: of all calls, while every kind waits
    used_last_minute: int  #: calls
    waiting: int  #: resources or addresses; each needs a call at least
    tenants: int  #: whose resources wait
    since: Time | None  #: the oldest


class NewcomerItem(msgspec.Struct):
    """A tenant with one domain, if it were onboarded now."""

    calls: int
    seconds: float  #: until it is set up at SES


class ScanItem(msgspec.Struct):
    """The rolling scan. Times in seconds."""

    resources: int
    period: float  #: in which each resource is read again
    longest_period: float  #: the same while everything else uses its share of the calls
    shared_period: float  #: for what all tenants share
    oldest_read_at: Time | None


class CallsItem(msgspec.Struct):
    per_second: float | None  #: null: no limit
    per_second_now: float | None  #: less after SES has refused calls for their rate
    slowed_at: Time | None  #: when SES last refused one
    shares: list[ShareItem]
    newcomer: NewcomerItem
    scan: ScanItem


class ForecastItem(msgspec.Struct):
    """What becomes of the quota of 24 hours, if mail goes on leaving as it did in the last 15 minutes."""

    pace: int  #: recipients an hour
    ends_at: Time | None  #: null: it lasts
    says: str


class ReviewItem(msgspec.Struct):
    """One of the account's rates of the last 24 hours, and where AWS acts on it."""

    signal: str  #: bounces or complaints
    mails: int  #: sent; for complaints, to mailbox providers that report them
    events: int
    rate: float | None  #: null: fewer than 1,000 mails say nothing
    review_at: float  #: the rate at which AWS reviews an account
    pause_at: float  #: the rate at which AWS may pause it


class AccountView(msgspec.Struct):
    limits: list[LimitsItem]  #: one a cell; empty until SES was asked
    calls: CallsItem | None  #: null: no control process reports
    forecast: ForecastItem | None = (
        None  #: null: nothing leaves, there is no quota, or there are several accounts
    )
    review: list[ReviewItem] = []


def routes(reader: account.Reader) -> list[HTTPRouteHandler]:
    @get("/v1/account", summary="Show the account's limits at SES and the budget of calls", tags=["system"])
    async def get_account(request: AnyRequest) -> AccountView:
        platform_principal(request, READ)
        return _view(account.of(await reader.facts()))

    return [get_account]


def _view(found: account.Account) -> AccountView:
    return AccountView(
        limits=[
            LimitsItem(
                cell=one.cell,
                polled_at=shapes.iso_ms(one.polled_at),
                max_send_rate=one.max_send_rate,
                max_24h=one.max_24h,
                sent_24h=one.sent_24h,
                sending_enabled=one.sending_enabled,
                enforcement=one.enforcement,
            )
            for one in found.limits
        ],
        calls=None if found.budget is None else _calls(found.budget),
        forecast=None if found.forecast is None else _forecast(found.forecast),
        review=[
            ReviewItem(str(one.signal), one.mails, one.events, one.rate, one.line, one.pause)
            for one in found.reviewed
        ],
    )


def _forecast(found: Forecast) -> ForecastItem:
    return ForecastItem(found.pace, shapes.iso_ms_or_none(found.ends_at), found.sentence)


def _calls(budget: account.Budget) -> CallsItem:
    scan = budget.scan
    return CallsItem(
        per_second=budget.per_second,
        per_second_now=budget.per_second_now,
        slowed_at=shapes.iso_ms_or_none(budget.slowed_at),
        shares=[
            ShareItem(
                work=one.work,
                share=one.share,
                used_last_minute=one.used,
                waiting=one.waiting,
                tenants=one.tenants,
                since=shapes.iso_ms_or_none(one.since),
            )
            for one in budget.shares
        ],
        newcomer=NewcomerItem(calls=budget.newcomer_calls, seconds=round(budget.newcomer_seconds, 1)),
        scan=ScanItem(
            resources=scan.resources,
            period=scan.period,
            longest_period=scan.longest_period,
            shared_period=scan.shared_period,
            oldest_read_at=shapes.iso_ms_or_none(scan.oldest_read),
        ),
    )
