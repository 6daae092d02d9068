"""The page's HTML. Everything from a mail is escaped where it is inserted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from seslocal.clock import iso
from seslocal.mail import list_management
from seslocal.mail.mime import File
from seslocal.mail.parts import Parts, UsedTemplate, read_parts, template_of
from seslocal.page import labels, messages, timeline
from seslocal.page.account_view import account_page
from seslocal.page.fates import GROUPS, Fate, fates
from seslocal.page.holds import holds
from seslocal.state.account import Account
from seslocal.state.event_log import Entry
from seslocal.state.ledger import LedgerEntry

_VIEWS: Final = (
    ("html", "HTML"),
    ("text", "Text"),
    ("headers", "Headers"),
    ("source", "Source"),
    ("events", "Events"),
)
_MOST_SOURCE: Final = 256 * 1024  # bytes shown; the rest is in the download
_MOST_DATA: Final = 16 * 1024  # characters of a template's data shown
_MOST_EVENTS: Final = 20  # shown for one mail
_MOST_TENANTS: Final = 500  # to choose from; the search finds the others


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request for the page: the search and the mails it found."""

    account: Account
    text: str  #: the search
    tenant: str
    fate: str  #: one of fates.GROUPS; "": any
    before: int | None  #: the list starts after the mail of this number
    view: str
    remote: bool
    entries: list[LedgerEntry]
    events: Mapping[str, list[Entry]]  #: by MessageId, oldest first
    more: bool
    base: str

    def query(self, **changes: str | None) -> str:
        """Returns the query string of this request with some parameters changed."""
        now = {"q": self.text, "tenant": self.tenant, "fate": self.fate, "before": str(self.before or "")}
        pairs = {name: value for name, value in {**now, **changes}.items() if value}
        return "?" + urlencode(pairs) if pairs else ""


def listing(page: PageRequest, chosen: LedgerEntry | None) -> str:
    """The list, with one mail next to it if one is chosen."""
    detail = _detail(page, chosen) if chosen else _nothing_selected(page)
    title = _facts(chosen)["subject"] or "(no subject)" if chosen else "Mail"
    return _layout(page, f"{_list(page, chosen)}{detail}", title, has_detail=chosen is not None)


def account(page: PageRequest) -> str:
    """What holds mail, faults and tenants."""
    return _layout(
        page, _list(page, None) + account_page(page.account, page.base), "Account", has_detail=True
    )


def missing(page: PageRequest, message_id: str) -> str:
    text = (
        '<main class="detail"><a class="back" href="/">All mail</a><div class="hint">'
        f"<h1>{messages.MAIL_NOT_FOUND}</h1><p>{messages.not_in_ledger(f'<code>{escape(message_id)}</code>')}</p></div></main>"
    )
    return _layout(page, _list(page, None) + text, messages.MAIL_NOT_FOUND, has_detail=True)


def _layout(page: PageRequest, inner: str, title: str, *, has_detail: bool) -> str:
    ledger = page.account.mail.ledger
    kept = f"{len(ledger):,} of {ledger.total:,}" if len(ledger) < ledger.total else f"{ledger.total:,}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{
        escape(title)
    } · seslocal</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/assets/page.css">
<script src="/assets/page.js" defer></script></head>
<body class="{"has-detail" if has_detail else ""}" data-total="{ledger.total}">
<header><a class="name" href="/">seslocal</a><span class="state">{kept} mail{
        "" if ledger.total == 1 else "s"
    }{_conditions(page.account)}</span><a id="new" href="/" hidden></a>
<form class="search" action="/" role="search"><input type="search" name="q" value="{
        escape(page.text)
    }" placeholder="Recipient, subject, tenant" aria-label="Search">{_hidden(page, "tenant", "fate")}</form>
<form class="clear" action="/clear" method="post"><button>Clear</button></form></header>
<div class="panes">{inner}</div></body></html>"""


def _hidden(page: PageRequest, *names: str) -> str:
    """What one form keeps of the other's filters."""
    values = {"q": page.text, "tenant": page.tenant, "fate": page.fate}
    return "".join(
        f'<input type="hidden" name="{name}" value="{escape(values[name])}">'
        for name in names
        if values[name]
    )


def _conditions(account: Account) -> str:
    """Notes on unusual conditions: a clock that differs from real time, holds and faults."""
    notes: list[str] = []
    if (move := account.clock.moving) is not None:
        notes.append(messages.clock_moving(iso(move.to)[:19].replace("T", " ")))
    elif account.clock.frozen:
        notes.append(messages.clock_frozen(iso(account.clock.now())[:19].replace("T", " ")))
    elif account.clock.speed != 1:
        notes.append(messages.clock_speed(account.clock.speed))
    shown = "".join(f'<span class="note">{escape(note)}</span>' for note in notes)
    found = [hold.colour for hold in holds(account, "")]
    links = [("bad", messages.held(found.count("bad")))] if "bad" in found else []
    if "slow" in found:
        links.append(("slow", messages.watched(found.count("slow"))))
    if count := len(account.faults.active) + sum(1 for _ in account.faults.names):
        links.append(("slow", messages.active_faults(count)))
    links = links or [("off", "account")]
    return shown + "".join(
        f'<a class="note {colour}" href="/account">{escape(word)}</a>' for colour, word in links
    )


def _list(page: PageRequest, chosen: LedgerEntry | None) -> str:
    rows = "".join(_row(page, entry, entry is chosen) for entry in page.entries)
    if not rows:
        words = messages.NO_MATCHES if page.text or page.tenant or page.fate else messages.NO_MAIL
        rows = f'<li class="none">{words}</li>'
    narrowed = ""
    if page.text or page.tenant or page.fate:
        terms = " · ".join(
            [f"“{escape(page.text)}”"] * bool(page.text)
            + [f"tenant {escape(page.tenant)}"] * bool(page.tenant)
            + [GROUPS.get(page.fate, "").lower()] * bool(page.fate)
        )
        narrowed = f'<p class="narrowed"><span>{terms}</span><a href="/">Show all</a></p>'
    pages = f'<a href="/{page.query(before=None)}">Newest</a>' if page.before else "<span></span>"
    if page.more:
        pages += f'<a href="/{page.query(before=str(page.entries[-1].number))}">Older</a>'
    foot = f'<nav class="pages">{pages}</nav>' if page.more or page.before else ""
    return f'<aside class="list">{_filter(page)}{narrowed}<ol>{rows}</ol>{foot}</aside>'


def _filter(page: PageRequest) -> str:
    """Chooses a tenant by name, and a fate. Left out while there is nothing to filter."""
    if not page.account.mail.ledger.total and not page.tenant and not page.fate:
        return ""
    names = sorted(page.account.tenants)[:_MOST_TENANTS]
    if page.tenant and page.tenant not in names:
        names.append(page.tenant)
    tenants = _choice("tenant", "All tenants", [(name, name) for name in names], page.tenant) if names else ""
    chosen = _choice("fate", "All fates", list(GROUPS.items()), page.fate)
    return (
        f'<form class="filter" action="/">{_hidden(page, "q")}{tenants}{chosen}<button>Filter</button></form>'
    )


def _choice(name: str, every: str, values: list[tuple[str, str]], chosen: str) -> str:
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(word)}</option>'
        for value, word in values
    )
    return f'<select name="{name}" aria-label="{name.capitalize()}"><option value="">{every}</option>{options}</select>'


def _row(page: PageRequest, entry: LedgerEntry, is_chosen: bool) -> str:
    facts = _facts(entry)
    to = ", ".join(entry.recipients)
    tenant = f'<span class="tenant">{escape(entry.tenant)}</span>' if entry.tenant else ""
    link = f"/mail/{quote(entry.message_id)}{page.query()}"
    found = fates(page.account, entry, facts, page.events.get(entry.message_id, ())).values()
    looks = {(fate.colour, fate.word) for fate in found}
    badge = labels.badge(*next(iter(looks))) if len(looks) == 1 else labels.badge("slow", "mixed")
    return (
        f'<li{" class=chosen" if is_chosen else ""}><a href="{escape(link)}"><span class=line><span class=to>{escape(to)}</span>'
        f"{labels.time(entry.at, page.account.clock.now())}</span><span class=line><span class=subject>"
        f"{escape(facts['subject']) or '<i>no subject</i>'}</span>"
        f"<span class=marks>{tenant}{badge}</span></span></a></li>"
    )


def _detail(page: PageRequest, entry: LedgerEntry) -> str:
    facts, parts = _facts(entry), read_parts(entry)
    made = template_of(entry)
    views = _views(parts)
    view = page.view if page.view in views else views[0]
    base = f"/mail/{quote(entry.message_id)}"
    tabs = "".join(
        f'<a href="{escape(base + page.query(view=name))}"{" aria-current=page" if name == view else ""}>{word}</a>'
        for name, word in _VIEWS
        if name in views
    )
    return f"""<main class="detail"><a class="back" href="/{page.query()}">All mail</a>
<h1>{escape(facts["subject"]) or "<i>no subject</i>"}</h1>
<dl class="facts">{_facts_shown(page, entry, facts)}{_template(made)}</dl>
{_files(base, parts.files) if parts else ""}
<nav class="tabs">{tabs}<a class="save" href="{escape(base)}/source" download>Save</a></nav>
{_shown(page, entry, facts, parts, view, base)}</main>"""


def _facts_shown(page: PageRequest, entry: LedgerEntry, facts: Any) -> str:
    rows = [("From", escape(facts["from"]))]
    happened = page.events.get(entry.message_id, [])
    found = fates(page.account, entry, facts, happened)
    to = "".join(
        f"<li>{escape(recipient)} {_fate(found.get(recipient))}</li>" for recipient in entry.recipients
    )
    rows.append(("To", f"<ul>{to}</ul>"))
    if entry.tenant:
        link = f"/?{urlencode({'tenant': entry.tenant})}"
        rows.append(("Tenant", f'<a href="{escape(link)}">{escape(entry.tenant)}</a>'))
    if entry.configuration_set:
        rows.append(("Set", escape(entry.configuration_set)))
    if facts["tags"]:
        tags = "".join(
            f'<span class="tag">{escape(name)}<b>{escape(", ".join(values))}</b></span>'
            for name, values in facts["tags"].items()
        )
        rows.append(("Tags", tags))
    if out := _unsubscribe(page, facts):
        rows.append(("Unsubscribe", out))
    if events := timeline.chips(happened, page.account.clock.now()) or _events(page, entry):
        rows.append(("Events", events))
    rows.append(("Accepted", f"{iso(entry.at)[:19].replace('T', ' ')} UTC · {_size(facts['size'])}"))
    rows.append(("MessageId", f"<code>{escape(entry.message_id)}</code>"))
    return "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)


def _unsubscribe(page: PageRequest, facts: Any) -> str:
    """The mail's List-Unsubscribe. Only SES's own is shown as a link: others are untrusted."""
    value = next((one["value"] for one in facts["headers"] if one["name"].lower() == "list-unsubscribe"), "")
    token = value.partition(">")[0].rpartition("/")[2]
    if token in page.account.contact_lists.managed:
        return f'<a href="{escape(list_management.PATH + token)}">{messages.UNSUBSCRIBE_PAGE}</a>'
    return escape(value)


def _events(page: PageRequest, entry: LedgerEntry) -> str:
    """The mail's events as Virtual Deliverability Manager recorded them, which outlive the log; empty while that is off."""
    found = page.account.mail.insights.get(entry.message_id)
    if found is None:
        return ""
    events = found.events
    shown = [
        f"{escape(event.type.replace('_', ' ').capitalize())} <small>{labels.time(event.at, page.account.clock.now())}</small>"
        for event in events[:_MOST_EVENTS]
    ]
    more = f"<span>and {len(events) - _MOST_EVENTS} more</span>" if len(events) > _MOST_EVENTS else ""
    return f'<span class="events">{"".join(f"<span>{one}</span>" for one in shown)}{more}</span>'


def _template(made: UsedTemplate | None) -> str:
    """The template and data that the mail was rendered from, and why it failed."""
    if made is None:
        return ""
    rows = [("Template", escape(made.name or "inline"))]
    if made.failure:
        rows.append(("Failure", escape(made.failure)))
    if made.data:
        rows.append(("Data", f'<pre class="data">{escape(_formatted(made.data))}</pre>'))
    return "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)


def _formatted(data: str) -> str:
    if len(data) > _MOST_DATA:
        return data[:_MOST_DATA] + " …"
    try:
        return msgspec.json.format(data.encode("utf-8", "replace"), indent=2).decode()
    except (msgspec.DecodeError, RecursionError):
        return data


def _views(parts: Parts | None) -> list[str]:
    if parts is None:
        return ["headers", "events"]
    views = [name for name, part in (("html", parts.html), ("text", parts.text)) if part is not None]
    return [*views, "headers", "source", "events"]


def _shown(
    page: PageRequest, entry: LedgerEntry, facts: Any, parts: Parts | None, view: str, base: str
) -> str:
    if view == "events":
        return timeline.timeline(page.events.get(entry.message_id, []), page.account.clock.now())
    if view == "headers":
        rows = "".join(
            f"<tr><th>{escape(header['name'])}</th><td>{escape(header['value'])}</td></tr>"
            for header in facts["headers"]
        )
        dropped = "" if parts else '<p class="narrowed">' + messages.CONTENT_DROPPED + "</p>"
        return f'{dropped}<div class="scroll"><table class="headers">{rows}</table></div>'
    assert parts is not None
    if view == "text":
        return f'<pre class="text">{escape(parts.text or "")}</pre>'
    if view == "source":
        source = parts.source[:_MOST_SOURCE].decode("utf-8", "replace")
        more = f"<p>{messages.SOURCE_TRUNCATED}</p>" if len(parts.source) > _MOST_SOURCE else ""
        return f'<pre class="source">{escape(source)}</pre>{more}'
    remote = "?remote=1" if page.remote else ""
    if page.remote:
        note = f"<span>{messages.REMOTE_LOADED}</span>"
        link = f'<a href="{escape(base + page.query(view="html"))}">Stop</a>'
    else:
        note = f"<span>{messages.REMOTE_BLOCKED}</span>"
        link = f'<a href="{escape(base + page.query(view="html", remote="1"))}">Load pictures</a>'
    tracked = f" {messages.LINKS_TRACKED}" if entry.message_id in page.account.mail.tracking else ""
    return (
        f'<p class="remote">{note}{tracked} {link}</p><iframe title="The mail" src="{escape(base)}/body{remote}" '
        'sandbox="allow-popups allow-popups-to-escape-sandbox" referrerpolicy="no-referrer"></iframe>'
    )


def _files(base: str, files: list[File]) -> str:
    if not files:
        return ""
    rows = "".join(
        f'<li><a href="{escape(base)}/files/{number}" download>{escape(file.name)}</a> '
        f"<span>{escape(file.kind)} · {_size(len(file.data))}</span></li>"
        for number, file in enumerate(files)
    )
    return f'<ul class="files" aria-label="Attachments">{rows}</ul>'


def _nothing_selected(page: PageRequest) -> str:
    if page.entries:
        inner = f"<p>{messages.SELECT_A_MAIL}</p>"
    elif page.text or page.tenant or page.fate:
        inner = ""
    else:
        code = (
            f'import boto3\nses = boto3.client("sesv2", endpoint_url="{page.base}",\n'
            f'                   region_name="{page.account.region}",\n'
            '                   aws_access_key_id="test", aws_secret_access_key="test")'
        )
        inner = (
            f"<h1>{messages.MAIL_APPEARS_HERE}</h1><p>{messages.USE_ANY_CLIENT}</p><pre>{escape(code)}</pre>"
        )
    return f'<main class="detail empty"><div class="hint">{inner}</div></main>'


def _fate(fate: Fate | None) -> str:
    return labels.badge(fate.colour, fate.word, fate.more) if fate else ""


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.1f} KB" if count < 1024 * 1024 else f"{count / 1024 / 1024:.1f} MB"


def _facts(entry: LedgerEntry | None) -> Any:
    return msgspec.json.decode(entry.facts) if entry else {}
