"""The report as text for people: what is worst first, and of many alike the first few. Pure."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from mailcordon.control.assess.account import Count
from mailcordon.control.assess.forecast import METRIC_CALLS
from mailcordon.control.assess.report import Report
from mailcordon.control.assess.tenants import Counted, Portrait, What
from mailcordon.messages import assess_page as messages

MOST_ALIKE = 3  #: dangers of one kind
MOST_TENANTS = 20
MOST_PROVIDERS = 5  #: of a tenant


def lines(report: Report) -> Iterator[str]:
    account = report.account
    yield messages.title(
        region=account.region, on=account.on.isoformat(), tenants=len(report.tenants), events=report.events
    )
    yield from ("", report.verdict.says, *(f"  {reason}" for reason in report.verdict.reasons))
    yield from ("", messages.heading("dangers"), *_dangers(report))
    if report.tenants:
        yield from ("", messages.heading("whom"), *_tenants(report))
    for part, of in (
        ("reputation", _reputation(report)),
        ("providers", _lines(report.account.by_provider)),
        ("tenant-providers", _tenant_providers(report)),
        ("differ", _differing(report)),
        ("order", [each.says for each in report.schedule.moves]),
        ("calendar", [each.says for each in report.schedule.calendar]),
        ("drivers", [each.says for each in report.schedule.drivers]),
        ("unknown", list(report.unknown)),
    ):
        if of:
            yield from ("", messages.heading(part))
            shown = of[:MOST_TENANTS]
            yield from (
                f"  {place}. {says}" if part == "order" else f"  {says}" for place, says in _numbered(shown)
            )
            if len(of) > len(shown):
                yield f"  {messages.more_tenants(number=len(of) - len(shown))}"
            if part == "calendar" and report.schedule.too_long is not None:
                yield f"  {report.schedule.too_long}"


def _numbered(of: list[str]) -> Iterator[tuple[int, str]]:
    return iter(enumerate(of, 1))


def _dangers(report: Report) -> Iterator[str]:
    if not report.dangers:
        yield f"  {messages.no_dangers(number=0)}"
    for (severity, code), of in groupby(report.dangers, key=lambda one: (one.severity, one.code)):
        alike = list(of)
        guess = any(each.guess for each in alike)
        yield f"  {messages.danger_kind(severity=severity.value, code=code, number=len(alike), guess=guess)}"
        yield from (f"    {each.says}" for each in alike[:MOST_ALIKE])
        if len(alike) > MOST_ALIKE:
            yield f"    {messages.more_dangers(number=len(alike) - MOST_ALIKE)}"
        yield f"    -> {alike[0].do}"


def _lines(of: Mapping[str, Count]) -> list[str]:
    found = sorted(of.items(), key=lambda one: (-one[1].sent, one[0]))
    return [
        messages.provider(name=name, sent=count.sent, bounced=count.bounced, complained=count.complained)
        for name, count in found
        if count.sent
    ]


def _reputation(report: Report) -> list[str]:
    return [
        messages.reputation(name=name, bounces=of.bounces, complaints=of.complaints)
        for name, of in sorted(report.account.watched.rates.items())
    ]


def _tenant_providers(report: Report) -> list[str]:
    """Those that endanger others first, then those with most mail."""
    known = [each for each in report.tenants if any(count.sent for count in each.providers.values())]
    return [
        messages.tenant_providers(
            slug=each.slug,
            source=each.providers_by.value,
            providers=_lines(each.providers)[:MOST_PROVIDERS],
        )
        for each in sorted(known, key=lambda one: (not one.endangers, -one.sent, one.slug))
    ]


def _differing(report: Report) -> list[str]:
    return [
        messages.figures_differ(slug=each.slug, figures=[(name.value, sent) for name, sent in each.differing])
        for each in report.tenants
        if each.differing
    ]


def _tenants(report: Report) -> Iterator[str]:
    """Those that endanger others first, then those who share most."""
    ordered = sorted(
        report.tenants, key=lambda one: (not one.endangers, -len(one.shares), -one.sent, one.slug)
    )
    # Where SES counts, a tenant without counts sent nothing.
    counted = report.account.knows(METRIC_CALLS)
    yield from (f"  {_tenant(each, counted=counted)}" for each in ordered[:MOST_TENANTS])
    if len(ordered) > MOST_TENANTS:
        yield f"  {messages.more_tenants(number=len(ordered) - MOST_TENANTS)}"


def _tenant(each: Portrait, *, counted: bool) -> str:
    harm = each.harm if each.endangers else None
    bad = ""
    if harm is not None:
        bad = messages.worst_week(kind=harm.kind.value, rate=harm.rate, monday=harm.monday.isoformat())
    return messages.portrait(
        slug=each.slug,
        weekly=each.weekly if counted or each.counted is not Counted.NOTHING else None,
        source=each.counted.value,
        types=each.critical,
        shared=[
            messages.share(what=one.what.value, name=one.name, others=one.others)
            for one in each.shares
            if one.what is not What.ACCOUNT
        ],
        bad=bad,
    )
