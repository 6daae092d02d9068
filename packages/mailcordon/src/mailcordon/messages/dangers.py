"""What `mailcordon assess` finds dangerous in an account: what is so, whom it concerns, and what to do."""

from collections.abc import Mapping, Sequence
from datetime import date

from mailcordon.messages import phrases
from mailcordon.messages.catalogue import example

_MOST_NAMED = 5


def _percent(share: float) -> str:
    digits = 2 if share < 0.01 else 1
    return f"{share * 100:.{digits}f} %"


def _who(tenants: Sequence[str]) -> str:
    """`acme, zen and 3 more tenants`."""
    named = list(tenants[:_MOST_NAMED])
    if (rest := len(tenants) - len(named)) > 0:
        named.append(phrases.count(rest, "more tenant"))
    return phrases.listed(named) or "no known tenant"


def _of(tenants: Sequence[str]) -> str:
    return f" It concerns {_who(tenants)}." if tenants else ""


def _entries(number: int | None) -> str:
    return (
        "" if number is None else f", which has {number:,} entries" if number != 1 else ", which has 1 entry"
    )


@example(tenants=12)
def account_stopped(*, tenants: int) -> str:
    """GetAccount says that sending is off, or that the account is shut down."""
    return f"SES sends nothing for this account: it is stopped, for all {tenants:,} tenants at once."


@example(tenants=12)
def account_under_review(*, tenants: int) -> str:
    """GetAccount says PROBATION."""
    return f"SES reviews the account: if rates stay high it pauses all {tenants:,} tenants at once."


@example()
def sandbox() -> str:
    """GetAccount says that there is no production access."""
    return "The account is in the sandbox: 200 mails a day, to verified addresses only."


@example(share=0.9, most=50_000)
def quota_nearly_used(*, share: float, most: int) -> str:
    """SentLast24Hours is near Max24HourSend."""
    return (
        f"{_percent(share)} of the {most:,} recipients of 24 hours are used. The quota is the account's: "
        "one tenant's large mailing leaves the others none."
    )


@example(["BOUNCE"])
@example(["BOUNCE", "COMPLAINT"])
def account_suppression_off(reasons: Sequence[str]) -> str:
    """The account's suppression list does not take entries of a reason."""
    what = {"BOUNCE": "addresses that bounced", "COMPLAINT": "people who complained"}
    return f"The account's suppression list takes no {phrases.listed([what[each] for each in reasons])}: they are mailed again."


@example(kind="bounces", rate=0.034, days=14, review=0.05)
@example(kind="complaints", rate=0.0012, days=14, review=0.001)
def account_rate(*, kind: str, rate: float, days: int, review: float) -> str:
    """The account's own rate of the last days is above what SES asks for (ses.md 8.1)."""
    return (
        f"The account's rate of {kind} was {_percent(rate)} over the last {days} days. SES reviews an account at "
        f"{_percent(review)}, whoever caused it."
    )


@example(kind="bounces", rate=0.034, review=0.05)
def account_reputation(*, kind: str, rate: float, review: float) -> str:
    """SES's own rate of the account, as it tells CloudWatch, is above what SES asks for (ses.md 8.1)."""
    return (
        f"SES's own rate of {kind} for the account is {_percent(rate)} (CloudWatch). It reviews an account at "
        f"{_percent(review)}, whoever caused it."
    )


@example(name="main", kind="complaints", rate=0.0021, review=0.001, tenants=["acme", "zen"])
def set_rate(*, name: str, kind: str, rate: float, review: float, tenants: Sequence[str]) -> str:
    """SES's own rate of a set, as it tells CloudWatch, is above the limit at which it reviews an account."""
    return (
        f"SES's own rate of {kind} for configuration set {name} is {_percent(rate)} (CloudWatch). It reviews an account at "
        f"{_percent(review)}.{_of(tenants)}"
    )


@example(tenants=["acme", "zen"], entries=1_200)
@example(tenants=["acme"], entries=None)
def suppression_shared(*, tenants: Sequence[str], entries: int | None) -> str:
    """A tenant uses the account's suppression list."""
    verb = "uses" if len(tenants) == 1 else "use"
    return (
        f"{_who(tenants)} {verb} the account's suppression list{_entries(entries)}: an address that bounced or complained "
        "for one tenant gets no mail of any."
    )


@example(name="acme", entries=1_200)
def feels_migrated(*, name: str, entries: int | None) -> str:
    """A SES tenant has identities and sets of its own, and still the account's suppression list."""
    return (
        f"SES tenant {name} looks as if it were isolated, with identities and sets of its own, and still uses the account's "
        f"suppression list{_entries(entries)}: other tenants' bounces stop its mail."
    )


@example(name="shared-events", events=["BOUNCE", "COMPLAINT"], tenants=["acme"])
@example(name="news", events=["COMPLAINT"], tenants=[])
def set_without_feedback(*, name: str, events: Sequence[str], tenants: Sequence[str]) -> str:
    """No enabled destination of a set that names addresses takes bounces or complaints."""
    what = phrases.listed([f"{each.lower()}s" for each in events])
    return f"Nobody gets the {what} of configuration set {name} with their addresses.{_of(tenants)}"


@example(name="shared", tenants=["acme", "zen"])
def set_suppression_off(*, name: str, tenants: Sequence[str]) -> str:
    """A set overrides the suppression reasons with none."""
    return f"Configuration set {name} switches suppression off: addresses that bounced are mailed again.{_of(tenants)}"


@example(name="acme-news", tenants=["acme"])
def set_breaks_isolation(*, name: str, tenants: Sequence[str]) -> str:
    """A set overrides a tenant's own suppression list with the account's."""
    return (
        f"Configuration set {name} uses the account's suppression list although its tenants have their own: "
        f"a set beats its tenant.{_of(tenants)}"
    )


@example(name="shared", tenants=["acme", "zen"])
def set_stopped(*, name: str, tenants: Sequence[str]) -> str:
    """A set has sending switched off."""
    return f"Configuration set {name} is stopped: mail through it is refused.{_of(tenants)}"


@example(name="shared", tenants=["acme", "zen"], bad=["acme"])
@example(name="shared", tenants=["acme", "zen"], bad=[])
def set_shared(*, name: str, tenants: Sequence[str], bad: Sequence[str]) -> str:
    """Several tenants send through one set."""
    return (
        f"{_who(tenants)} send through configuration set {name}: whoever stops one of them there stops all."
        f"{_bad(bad)}"
    )


def _bad(bad: Sequence[str]) -> str:
    return f" A week of {_who(bad)} was over a limit of SES." if bad else ""


@example(name="mail.platform.example", tenants=["acme", "zen"], bad=["acme"])
@example(name="mail.platform.example", tenants=["acme", "zen"], bad=[])
def identity_shared(*, name: str, tenants: Sequence[str], bad: Sequence[str]) -> str:
    """Several tenants send from one identity."""
    return (
        f"{_who(tenants)} send from {name}: mailbox providers keep one reputation of it, and the worst of them makes it."
        f"{_bad(bad)}"
    )


@example(name="platform.example", tenants=["acme", "zen"])
def organisation_shared(*, name: str, tenants: Sequence[str]) -> str:
    """Tenants have different domains below one organisational domain."""
    return f"{_who(tenants)} send from subdomains of {name}: providers partly judge them together, and DMARC is one."


@example(name="acme.example", tenants=["acme"])
def identity_unverified(*, name: str, tenants: Sequence[str]) -> str:
    """An identity of a tenant is not verified."""
    return f"{name} is not verified, so nothing can be sent from it.{_of(tenants)}"


@example(name="acme.example", signing=True, status="FAILED", tenants=["acme"])
@example(name="acme.example", signing=False, status="SUCCESS", tenants=[])
def dkim_off(*, name: str, signing: bool, status: str, tenants: Sequence[str]) -> str:
    """A verified domain's mail has no DKIM signature of its own."""
    why = f"its DKIM records are not found (SES says {status})" if signing else "DKIM signing is off"
    return f"Mail from {name} has no DKIM signature of its domain: {why}. Gmail and Yahoo refuse such bulk mail.{_of(tenants)}"


@example(name="acme.example", mail_from="bounce.acme.example", status="FAILED", tenants=["acme"])
def mail_from_fallen_back(*, name: str, mail_from: str, status: str, tenants: Sequence[str]) -> str:
    """The custom MAIL FROM domain's records are gone."""
    return (
        f"{name} has fallen back to SES's own MAIL FROM, because the MX record of {mail_from} is not found (SES says {status}): "
        f"SPF is not aligned any more.{_of(tenants)}"
    )


@example(name="acme.example", tenants=["acme"])
def mail_from_missing(*, name: str, tenants: Sequence[str]) -> str:
    """A domain has no custom MAIL FROM."""
    return f"{name} has no MAIL FROM domain of its own, so SPF is not aligned and DMARC rests on DKIM alone.{_of(tenants)}"


@example(name="acme.example", tenants=["acme"])
def identity_without_set(*, name: str, tenants: Sequence[str]) -> str:
    """An identity has no default set."""
    return (
        f"{name} has no default configuration set: mail that names none has no events at all.{_of(tenants)}"
    )


@example(name="acme.example", tenants=["acme"])
def no_feedback(*, name: str, tenants: Sequence[str]) -> str:
    """An identity has neither a default set nor bounces by mail."""
    return (
        f"{name} has no default configuration set and no feedback by mail: nobody learns of bounces and complaints of mail that "
        f"names no set.{_of(tenants)}"
    )


@example(name="billing@acme.example", domain="acme.example", tenants=["acme"])
def address_beside_domain(*, name: str, domain: str, tenants: Sequence[str]) -> str:
    """An address is an identity beside its domain."""
    return (
        f"{name} is an identity beside {domain}: SES takes the address first, with its own settings, and a tenant needs both "
        f"associated.{_of(tenants)}"
    )


@example(name="acme.example", policies=["partner"], tenants=["acme"])
def others_may_send(*, name: str, policies: Sequence[str], tenants: Sequence[str]) -> str:
    """An identity has policies of sending authorization."""
    return (
        f"{phrases.sentence(phrases.count(len(policies), 'policy'))[:-1]} ({phrases.listed(list(policies))}) "
        + (f"on {name} may let other accounts send as it.{_of(tenants)}")
    )


@example(name="legacy.example")
def untenanted_identity(*, name: str) -> str:
    """A verified identity that belongs to no SES tenant, in an account that has some."""
    return f"{name} belongs to no SES tenant: mail from it counts for the account alone, and SES stops the account for it."


@example(name="acme")
def tenant_stopped(*, name: str) -> str:
    """A SES tenant is disabled."""
    return f"SES tenant {name} is stopped: its mail is refused."


@example(name="acme")
def policy_none(*, name: str) -> str:
    """A SES tenant has the reputation policy none."""
    return f"SES tenant {name} has the reputation policy none: SES never stops it by itself, but may stop the account."


@example(name="acme")
def tenant_cannot_send(*, name: str) -> str:
    """A SES tenant lacks an identity or a set."""
    return f"SES tenant {name} has no identity or no configuration set, so nothing can be sent through it."


@example(
    slug="acme",
    kind="bounces",
    monday=date(2026, 11, 2),
    sent=12_000,
    rate=0.091,
    at_least=0.087,
    with_it=0.056,
    without_it=0.011,
    tipped="review",
    others=11,
    others_sent=88_000,
)
@example(
    slug="zen",
    kind="complaints",
    monday=date(2026, 11, 9),
    sent=20_000,
    rate=0.002,
    at_least=0.0016,
    with_it=0.0004,
    without_it=0.0001,
    tipped=None,
    others=1,
    others_sent=80_000,
)
def tenant_endangers(
    *,
    slug: str,
    kind: str,
    monday: date,
    sent: int,
    rate: float,
    at_least: float,
    with_it: float,
    without_it: float,
    tipped: str | None,
    others: int,
    others_sent: int,
) -> str:
    """A tenant's worst week was over a limit of SES: what it did to the account, and what that could have cost the others."""
    word = "bounced" if kind == "bounces" else "led to complaints"
    cost = f"{others_sent:,} mails of {phrases.count(others, 'other tenant')}"
    end = {
        "pause": f"That is where SES pauses an account: {cost} would have stopped with it.",
        "review": f"That is where SES reviews an account, and a pause after it stops {cost} as well.",
        None: f"It did not tip the account that week; {cost} went the same way out.",
    }[tipped]
    return (
        f"In the week of {monday:%Y-%m-%d} {slug} sent {sent:,} mails and {_percent(rate)} {word} (at least {_percent(at_least)} "
        f"with 95 % confidence). The account had {_percent(with_it)}; without {slug} it had {_percent(without_it)}. {end}"
    )


@example(name="dedicated", tenants=["acme", "zen"])
def pool_shared(*, name: str, tenants: Sequence[str]) -> str:
    """Several tenants send from the IPs of one pool."""
    return f"{_who(tenants)} send from the dedicated IPs of pool {name}: one bad mailing puts all of them on a blocklist."


@example(name="dedicated", sets=["acme-marketing", "acme-receipts"])
def pool_mixes_classes(*, name: str, sets: Sequence[str]) -> str:
    """Sets of marketing and of transactional mail have one pool."""
    return (
        f"Pool {name} carries marketing and transactional mail ({phrases.listed(list(sets[:_MOST_NAMED]))}): "
        "a newsletter's complaints delay receipts."
    )


@example(name="dedicated", tenants=["acme"])
def pool_empty(*, name: str, tenants: Sequence[str]) -> str:
    """A standard pool that sets use has no IPs."""
    return f"Pool {name} has no IPs, so its mail leaves from the shared ones: the pool isolates nothing.{_of(tenants)}"


@example(name="dedicated", daily=140, ips=2, least=1_000)
def pool_too_quiet(*, name: str, daily: int, ips: int, least: int) -> str:
    """A standard pool carries too little for its IPs."""
    return (
        f"Each of the {phrases.count(ips, 'IP')} of pool {name} carries {daily:,} mails a day. Below about {least:,} a day and "
        "provider an IP has no reputation, and shared IPs deliver better."
    )


@example(ip="198.51.100.1", pool="dedicated", percentage=40)
def ip_warming(*, ip: str, pool: str, percentage: int) -> str:
    """A dedicated IP is not warm yet."""
    return f"{ip} of pool {pool} is warm to {percentage} %: the rest of its mail leaves from shared IPs."


@example(ip="198.51.100.1", pool="old")
def ip_idle(*, ip: str, pool: str) -> str:
    """No set uses the pool of a dedicated IP."""
    return f"No configuration set uses pool {pool} of {ip}: the IP costs money every month and cools."


@example(domain="mail.acme.example", set_name="main", tenants=["acme"])
@example(domain="mail.acme.example", set_name="", tenants=["acme"])
def mixed_stream(*, domain: str, set_name: str, tenants: Sequence[str]) -> str:
    """Marketing and other mail come from one domain through one set."""
    through = f"through configuration set {set_name}" if set_name else "without a configuration set"
    return (
        f"Marketing and other mail leave from {domain} {through}: a newsletter's complaints reach password resets and "
        f"invoices, and the one cannot be stopped without the other.{_of(tenants)}"
    )


@example(name="acme", type="BOUNCE", impact="HIGH", text="The bounce rate exceeded 15.0%.")
@example(name="acme", type="", impact="LOW", text="")
def ses_finding(*, name: str, type: str, impact: str, text: str) -> str:
    """SES's advisor has an open finding."""
    what = f" ({type})" if type else ""
    return f"SES itself has a finding of {impact.lower()} impact about {name}{what}" + (
        f": {text}" if text else "."
    )


_NO_OVERRIDE = "Delete the override: aws sesv2 put-configuration-set-suppression-options --configuration-set-name {about}"
REMEDIES: Mapping[str, str] = {  #: by the danger's code
    "account-stopped": "Ask AWS support what it needs; nothing else helps before. Then move the tenant that caused it first.",
    "account-under-review": "Answer AWS's mail, hold the tenant that caused it, and begin the migration with it.",
    "sandbox": "Ask for production access (docs/aws.md, 8).",
    "quota-nearly-used": "Ask AWS for more, and give tenants limits of their own: mailcordon policy set.",
    "account-suppression-off": (
        "aws sesv2 put-account-suppression-attributes --suppressed-reasons BOUNCE COMPLAINT"
    ),
    "account-bounces": "Find who causes it in the table of tenants, and stop mailing that list.",
    "account-complaints": "Find who causes it in the table of tenants, and stop mailing that list.",
    "suppression-shared": "Take the list apart, so that an entry stops one tenant only: mailcordon suppression split start",
    "feels-migrated": "Take its part of the list apart before you call it migrated: mailcordon suppression split start",
    "set-without-feedback": "Add an SNS destination with bounces and complaints to the set.",
    "set-suppression-off": _NO_OVERRIDE,
    "set-breaks-isolation": _NO_OVERRIDE,
    "set-stopped": "Find out who stopped it and why. Delete it if nobody misses it.",
    "set-bounces": "Find who sends through the set in the table of tenants, and stop mailing that list.",
    "set-complaints": "Find who sends through the set in the table of tenants, and stop mailing that list.",
    "set-shared": "Give each tenant sets of its own: the tenants file of this report has them.",
    "identity-shared": "Give each tenant a domain of its own: the tenants file of this report has a place for each.",
    "organisation-shared": "Let those who send most, or worst, send from a domain that is not yours.",
    "identity-unverified": "Publish its DKIM records, or delete the identity.",
    "dkim-off": "Publish the records of `aws sesv2 get-email-identity --email-identity {about}`, and switch signing on.",
    "mail-from-fallen-back": "Publish its MX and SPF records again (docs/identities.md).",
    "mail-from-missing": "Set one when the domain moves; it takes two DNS records.",
    "identity-without-set": "Give the identity a default configuration set.",
    "no-feedback": "Give the identity a default configuration set with a destination.",
    "address-beside-domain": "Delete the identity of the address: the domain's covers it.",
    "others-may-send": "Delete those that nobody needs: aws sesv2 get-email-identity --email-identity {about}",
    "untenanted-identity": "Associate it with its tenant, or delete it.",
    "tenant-stopped": "Find out why: aws sesv2 get-reputation-entity. Fix its list before it sends again.",
    "policy-none": "Set the policy standard.",
    "tenant-cannot-send": "Associate an identity and a configuration set, or delete the tenant.",
    "tenant-endangers": "Move it first, with limits in force and warm-up: docs/migration.md.",
    "pool-shared": "Ask whether each of them needs dedicated IPs at all: docs/ip-pools.md.",
    "pool-mixes-classes": "Give marketing a pool of its own, or the shared IPs.",
    "pool-empty": "Lease IPs for it, or take the pool from its sets.",
    "pool-too-quiet": "Go back to shared IPs: docs/ip-pools.md.",
    "ip-warming": "Let it warm up before more mail moves to it.",
    "ip-idle": "Use it or return it.",
    "mixed-stream": "Give marketing a domain and a configuration set of its own.",
    "ses-finding": "Fix the cause; SES closes the finding by itself.",
}


@example(code="set-shared", about="main")
@example(code="set-suppression-off", about="main")
def remedy(*, code: str, about: str) -> str:
    """What to do about a danger."""
    return REMEDIES[code].format(about=about)
