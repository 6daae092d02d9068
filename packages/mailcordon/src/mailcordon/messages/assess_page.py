"""The report of `mailcordon assess` as text for people: its parts, and a line for each tenant, provider and danger."""

from collections.abc import Sequence

from mailcordon.messages import phrases
from mailcordon.messages.catalogue import example


@example(region="eu-west-1", on="2026-11-30", tenants=12, events=0)
@example(region="eu-west-1", on="2026-11-30", tenants=12, events=4_000)
def title(*, region: str, on: str, tenants: int, events: int) -> str:
    """The first line of the report."""
    more = f", {events:,} events" if events else ""
    return f"SES account in {region} on {on}: {phrases.count(tenants, 'tenant')}{more}"


@example("dangers")
@example("whom")
@example("providers")
@example("tenant-providers")
@example("differ")
@example("reputation")
@example("order")
@example("calendar")
@example("drivers")
@example("unknown")
def heading(part: str) -> str:
    """Above a part of the report."""
    return {
        "dangers": "Dangers",
        "whom": "Who endangers whom",
        "providers": "Mailbox providers, eight weeks",
        "tenant-providers": "Tenants by mailbox provider, eight weeks",
        "differ": "Sources that differ, in the weeks that both have (the first one counts)",
        "reputation": "SES's own rates (CloudWatch)",
        "order": "Order",
        "calendar": "Calendar",
        "drivers": "What takes the time",
        "unknown": "Not known",
    }[part]


@example(severity="now", code="set-shared", number=3, guess=False)
@example(severity="look", code="ip-idle", number=1, guess=True)
def danger_kind(*, severity: str, code: str, number: int, guess: bool) -> str:
    """Above the dangers of one kind."""
    times = f", {number:,} times" if number > 1 else ""
    return f"{severity}  {code}{times}{' (rests on a guess)' if guess else ''}"


@example(number=17)
def more_dangers(*, number: int) -> str:
    """Below the dangers of one kind that are shown."""
    return f"and {number:,} more like it: --json has all"


@example(number=0)
def no_dangers(*, number: int) -> str:
    """No danger was found."""
    return "None found." if not number else f"{number:,} found."


@example(
    slug="acme",
    weekly=12_000,
    source="observed",
    types=["invoice"],
    shared=["set main with 11 others"],
    bad="9.1 % bounced",
)
@example(slug="zen", weekly=None, source="nothing", types=[], shared=[], bad="")
def portrait(
    *, slug: str, weekly: int | None, source: str, types: Sequence[str], shared: Sequence[str], bad: str
) -> str:
    """A line of a tenant: how much it sends and who counted it, what is critical, what it shares, and its worst week."""
    by = f" ({counted_by(source)})" if source != "nothing" else ""
    parts = ["mail not counted" if weekly is None else f"{weekly:,} mails a week{by}"]
    if types:
        parts.append(f"revenue-critical: {phrases.listed(list(types))}")
    parts.append(f"shares {phrases.listed(list(shared))}" if shared else "shares the account only")
    if bad:
        parts.append(f"worst week: {bad}")
    return f"{slug}: {'; '.join(parts)}"


@example("ses-tenant")
@example("cloudwatch")
@example("observed")
@example("events")
@example("cloudwatch-tag")
@example("own")
@example("cloudwatch-own")
def counted_by(source: str) -> str:
    """Who counted a tenant's mail."""
    return {
        "ses-tenant": "VDM",
        "cloudwatch": "CloudWatch",
        "observed": "Mailcordon",
        "events": "events",
        "cloudwatch-tag": "CloudWatch, by tag",
        "own": "VDM, of what is its own",
        "cloudwatch-own": "CloudWatch, of what is its own",
    }[source]


@example(slug="acme", figures=[("ses-tenant", 4_000), ("cloudwatch", 3_100)])
def figures_differ(*, slug: str, figures: Sequence[tuple[str, int]]) -> str:
    """Two sources say different numbers of a tenant's mail; the first is the one that counts."""
    return (
        f"{slug}: {phrases.listed([f'{sent:,} mails by {counted_by(source)}' for source, sent in figures])}"
    )


@example(slug="acme", source="observed", providers=["gmail: 900 mails, 0.4 % bounced"])
def tenant_providers(*, slug: str, source: str, providers: Sequence[str]) -> str:
    """What a tenant sent to each mailbox provider."""
    return f"{slug} ({counted_by(source)}): {'; '.join(providers)}"


@example(name="", bounces=0.012, complaints=0.0004)
@example(name="main", bounces=None, complaints=0.0021)
def reputation(*, name: str, bounces: float | None, complaints: float | None) -> str:
    """SES's own rates of the account or of a set, as it tells CloudWatch."""
    said = [] if bounces is None else [f"{bounces * 100:.1f} % bounced"]
    said += [] if complaints is None else [f"{complaints * 100:.2f} % complained"]
    return f"{f'set {name}' if name else 'account'}: {phrases.listed(said)}"


@example(what="set", name="main", others=11)
@example(what="suppression", name="", others=1)
def share(*, what: str, name: str, others: int) -> str:
    """One thing that a tenant shares."""
    words = {
        "identity": f"domain {name}",
        "organisation": f"organisational domain {name}",
        "set": f"set {name}",
        "pool": f"pool {name}",
        "suppression": "the suppression list",
        "account": "the account",
    }
    return f"{words[what]} with {phrases.count(others, 'other')}"


@example(kind="bounces", rate=0.091, monday="2026-11-02")
@example(kind="complaints", rate=0.0021, monday="2026-11-02")
def worst_week(*, kind: str, rate: float, monday: str) -> str:
    """The worst week of a tenant, in a line."""
    digits = 2 if rate < 0.01 else 1
    return f"{rate * 100:.{digits}f} % {'bounced' if kind == 'bounces' else 'complained'} in that of {monday}"


@example(name="Yahoo", sent=12_000, bounced=120, complained=9)
@example(name="Gmail", sent=30_000, bounced=90, complained=0)
@example(name="UNKNOWN_ISP", sent=100, bounced=0, complained=0)
def provider(*, name: str, sent: int, bounced: int, complained: int) -> str:
    """What the account sent to a mailbox provider, as SES counts it."""
    who = "all others" if name == "UNKNOWN_ISP" else name
    complaints = (
        "reports no complaints" if name.lower() == "gmail" else f"{complained / sent * 100:.2f} % complained"
    )
    return f"{who}: {sent:,} mails, {bounced / sent * 100:.1f} % bounced, {complaints}"


@example(number=1_980)
def more_tenants(*, number: int) -> str:
    """Below the tenants that are shown."""
    return f"and {phrases.count(number, 'more tenant')}: --json has all"
