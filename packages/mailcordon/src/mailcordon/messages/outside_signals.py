"""What others say of our mail: Gmail Postmaster Tools and DMARC reports (docs/signals.md)."""

import shlex
from collections.abc import Sequence

from mailcordon.messages import example, phrases, times

_DAY_MS = 86_400_000
_A_DAY = 20_785


@example(0.0012)
@example(0.25)
def share(rate: float) -> str:
    """A share of mail, in per cent."""
    return _percent(rate)


def _percent(share: float) -> str:
    text = f"{100 * share:.2f}" if share < 0.01 else f"{100 * share:.1f}"
    return f"{text.rstrip('0').rstrip('.')} %"


def _day(day: int) -> str:
    return times.day(day * _DAY_MS)


# What follows ---------------------------------------------------------------------------------------------------------------


@example(domain="news.acme.example", rate=0.0042, day=_A_DAY, since=_A_DAY - 2, slowed=True)
@example(domain="news.acme.example", rate=0.0014, day=_A_DAY, since=_A_DAY, slowed=False)
def spam_rate(*, domain: str, rate: float, day: int, since: int, slowed: bool) -> str:
    """An alarm: Gmail says that its users report too much of a domain's mail as spam. It tells no single complaint."""
    days = f"on {_day(day)}" if since == day else f"on {_day(day)}, and too much since {_day(since)}"
    what = "Gmail wants less than 0.1 %, and never 0.3 %."
    return f"Gmail's users reported {_percent(rate)} of the mail of {domain} as spam {days}. {what}" + (
        " So mail to Gmail is slowed." if slowed else ""
    )


@example(domain="news.acme.example", slowed=True, tenants=1)
@example(domain="news.acme.example", slowed=False, tenants=1)
@example(domain="mail.platform.example", slowed=False, tenants=12)
def spam_rate_next(*, domain: str, slowed: bool, tenants: int) -> str:
    """What to do about Gmail's spam rate."""
    look = "Look which list or campaign was new in these days, and mail people who read it."
    if slowed:
        return f"{look} Mail to Gmail is slowed until a later day is below 0.3 %, or seven days after the last figure."
    if tenants > 1:
        return (
            f"{look} {phrases.count(tenants, 'tenant')} send from this domain, so none of them is slowed: "
            "whose mail it was, nobody says."
        )
    return look


@example(domain="news.acme.example", bad=40, of=120, since=_A_DAY, day=_A_DAY, reporters=["google.com"])
@example(
    domain="news.acme.example",
    bad=40,
    of=120,
    since=_A_DAY - 3,
    day=_A_DAY,
    reporters=["comcast.net", "google.com"],
)
def failing_dmarc(*, domain: str, bad: int, of: int, since: int, day: int, reporters: Sequence[str]) -> str:
    """An alarm: receivers say that mail of a domain came through SES and failed DMARC."""
    days = f"on {_day(day)}" if since == day else f"from {_day(since)} to {_day(day)}"
    return (
        f"{bad} of {phrases.count(of, 'mail')} from {domain} that came through SES failed DMARC {days} "
        f"({_percent(bad / of)}), say reports of {phrases.listed(reporters)}."
    )


@example()
def failing_dmarc_next() -> str:
    """What to do about mail through SES that fails DMARC."""
    return (
        "Check the domain's DKIM records and its MAIL FROM. If they are right, somebody else's account at SES sends from it, "
        "or a mailing list changes the mail on its way."
    )


@example(domain="news.acme.example", rate=0.0042, day=_A_DAY, cap=1200)
def slowed(*, domain: str, rate: float, day: int, cap: int) -> str:
    """Why a limit on a domain's mail to Gmail is there."""
    return (
        f"{phrases.count(cap, 'mail')} a day from {domain} to Gmail, half of the usual: "
        f"its users reported {_percent(rate)} as spam on {_day(day)}"
    )


@example("news.acme.example")
def list_command(domain: str) -> str:
    """Shows what was imported about a domain."""
    return f"mailcordon signal list --domain {shlex.quote(domain)}"


@example("news.acme.example")
def check_command(domain: str) -> str:
    """Checks a domain's records."""
    return f"mailcordon identity check {shlex.quote(domain)}"


# Import and list --------------------------------------------------------------------------------------------------------------


@example(new=12, changed=1, known=3)
@example(new=0, changed=0, known=3)
def imported(*, new: int, changed: int, known: int) -> str:
    """The result of `mailcordon signal import`."""
    return f"{phrases.count(new, 'new signal')}, {changed} changed, {known} known before"


@example(["postmaster.csv"])
@example(["a.xml", "b.xml", "c.xml", "d.xml"])
def because_of_files(names: Sequence[str]) -> str:
    """In the audit trail: which files somebody imported."""
    shown = [name[:60] for name in names[:3]]
    more = len(names) - len(shown)
    return f"from {phrases.listed([*shown, f'{more} more'] if more else shown)}"


@example(["other.example"])
def not_ours(domains: Sequence[str]) -> str:
    """Signals about domains that no lane sends from are kept and change nothing."""
    return f"No lane sends from {phrases.listed(domains)}: nothing follows of what is said of it"


@example(2)
def without_rate(days: int) -> str:
    """Gmail tells no rate of days with little mail."""
    return f"{phrases.count(days, 'day')} without a spam rate left out: Gmail tells none of days with little mail"


@example()
def none_there() -> str:
    """`mailcordon signal list` has nothing to show."""
    return "No signals of this kind. Import some: mailcordon signal import FILE"


@example("report.xml", "It has a document type, which no report needs")
def file_refused(file: str, why: str) -> str:
    """A file of `mailcordon signal import` cannot be read. Nothing of any file was imported."""
    return f"{file} cannot be read: {why}. Nothing was imported"


@example("dmarc")
def trust_too_high(source: str) -> str:
    """A signal with more trust than its source can have."""
    return f"A signal of {source} has at most medium trust: nothing proves who wrote the report, so it slows no mail"


@example()
def future_day() -> str:
    """A signal about a day that is not over anywhere."""
    return "This day has not come yet"


@example()
def counts_do_not_fit() -> str:
    """A signal whose counts contradict each other."""
    return "There are more bad mails than mails"


@example(500)
def too_many_signals(most: int) -> str:
    """One request has too many signals."""
    return f"One request takes {most} signals at most"


# Files that cannot be read ----------------------------------------------------------------------------------------------------


@example(10 << 20)
def too_large(most: int) -> str:
    """A file of signals is too large."""
    return f"It has more than {most >> 20} MB"


@example(20 << 20)
def too_large_unpacked(most: int) -> str:
    """A report is small, and large once unpacked."""
    return f"It has more than {most >> 20} MB once unpacked"


@example()
def no_report() -> str:
    """A file is neither XML nor zip, gzip or a mail."""
    return "It is no DMARC report: neither XML, nor gzip or zip, nor a mail with one"


@example(3)
def files_in_archive(files: int) -> str:
    """A zip archive with several files, or none."""
    return f"The archive has {phrases.count(files, 'file')} instead of one"


@example(0)
def reports_in_mail(reports: int) -> str:
    """A mail with several attached reports, or none."""
    return f"The mail has {phrases.count(reports, 'attached report')} instead of one"


@example("Bad CRC-32")
def broken_archive(why: str) -> str:
    """A compressed report is damaged."""
    return f"It cannot be unpacked: {why}"


@example()
def ends_early() -> str:
    """A compressed report is cut off."""
    return "it ends early"


@example("syntax error: line 1, column 0")
def no_xml(why: str) -> str:
    """A report is no well-formed XML."""
    return f"Its XML is broken: {why}"


@example()
def document_type() -> str:
    """A report with a DTD, which could define entities."""
    return "It has a document type, which no report needs"


@example(16)
def too_deep(most: int) -> str:
    """A report with elements in elements without end."""
    return f"Its elements are nested more than {most} deep"


@example("html")
def not_a_dmarc_report(name: str) -> str:
    """XML of another kind."""
    return f"It is no DMARC report: it begins with <{name}> instead of <feedback>"


@example(50_000)
def too_many_records(most: int) -> str:
    """A report with too many records."""
    return f"It has more than {most} records"


@example("count", "-1")
def no_number(name: str, text: str) -> str:
    """A member of a report that must be a number."""
    return f'Its {name} is "{text}", which is no number that can be'


@example("not a domain")
def no_domain(text: str) -> str:
    """A domain in a file of signals cannot be one."""
    return f'"{text}" is no domain'


@example(8)
def bad_days(most: int) -> str:
    """A report about an impossible time."""
    return f"It ends before it begins, or covers more than {most} days"


@example()
def no_name_of_report() -> str:
    """A report that does not say whose it is."""
    return "It does not say who made it, or has no report_id"


@example()
def no_text() -> str:
    """A CSV or JSON file in another encoding."""
    return "It is no text in UTF-8"


@example("Expecting value: line 1 column 2 (char 1)")
def no_json(why: str) -> str:
    """A JSON file that is broken."""
    return f"Its JSON is broken: {why}"


@example(("domain", "date", "spam_rate"))
def no_postmaster_file(columns: Sequence[str]) -> str:
    """A file of Postmaster Tools without what is needed."""
    return (
        f"It is no file of Gmail Postmaster Tools: neither what its API answers for trafficStats, nor CSV with the columns "
        f"{', '.join(columns)}"
    )


@example(7, "the day is no date like 2026-11-28")
def bad_row(row: int, why: str) -> str:
    """A row of a file of signals cannot be read."""
    return f"Row {row}: {why}"


@example()
def columns_missing() -> str:
    """A row with too few columns."""
    return "columns are missing"


@example()
def no_day() -> str:
    """A row whose day cannot be read."""
    return "the day is no date like 2026-11-28"


@example("12")
def no_share(text: str) -> str:
    """A row whose rate cannot be read."""
    return f'"{text}" is no share like 0.0012 or 0.12%'


@example(20_000)
def too_many_rows(most: int) -> str:
    """A file with too many rows."""
    return f"It has more than {most} rows"
