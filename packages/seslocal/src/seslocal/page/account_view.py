"""The page `/account`: what holds mail at this SES, faults that are on, and the tenants by name."""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import quote, urlencode

from seslocal.page import labels, messages
from seslocal.page.holds import Hold, admin, holds
from seslocal.state.account import Account
from seslocal.state.faults import ON_CALLS, ON_MANAGEMENT_EVENTS, Fault
from seslocal.state.name_faults import NameFault
from seslocal.state.tenants import Tenant

MOST: Final = 200  #: of each list
_OF_OPERATIONS: Final = (*ON_CALLS, *ON_MANAGEMENT_EVENTS)  #: other kinds do not look at the operation
_STATUSES: Final = {
    "ENABLED": ("good", "sending"), "REINSTATED": ("good", "reinstated"), "DISABLED": ("bad", "paused"),
}  # fmt: skip


def account_page(account: Account, url: str) -> str:
    """`url` is that of this server, as the reader's browser calls it."""
    now = account.clock.now()
    found = sorted(holds(account, url), key=lambda hold: hold.colour)  # bad before slow
    faults = [_fault(fault, url, now) for fault in account.faults.active.values()]
    faults += [_name_fault(fault, url) for fault in account.faults.names]
    tenants = sorted(account.tenants.values(), key=lambda tenant: tenant.name)
    all_off = ""
    if len(account.faults.active) > 1:
        command = escape(admin("DELETE", "/faults", url))
        all_off = f'<p class="plain">{messages.ALL_FAULTS_OFF} <code>{command}</code></p>'
    return (
        f'<main class="detail account"><a class="back" href="/">All mail</a><h1>Account</h1>'
        f"<h2>Holds</h2>{_items([_hold(hold, now) for hold in found], messages.NO_HOLDS)}"
        f"<h2>Faults</h2>{_items(faults, messages.NO_FAULTS)}{all_off}"
        f"<h2>Tenants</h2>{_tenants(tenants, now)}</main>"
    )


def _items(items: list[str], none: str) -> str:
    if not items:
        return f'<p class="plain">{none}</p>'
    more = f'<p class="plain">{messages.and_more(len(items) - MOST)}</p>' if len(items) > MOST else ""
    return f'<ul class="holds">{"".join(items[:MOST])}</ul>{more}'


def _hold(hold: Hold, now: float) -> str:
    since = labels.time(hold.since, now) if hold.since is not None else ""
    word = "hold" if hold.colour == "bad" else "warning"
    return (
        f"<li>{labels.badge(hold.colour, word)} {escape(hold.what)}"
        + labels.facts(
            [
                ("Cause", escape(hold.cause)),
                ("Since", since),
                ("End it", f"<code>{escape(hold.ends)}</code>"),
            ]
        )
        + "</li>"
    )


def _fault(fault: Fault, url: str, now: float) -> str:
    left = "" if fault.left is None else f"{fault.left:,} more time{'' if fault.left == 1 else 's'}"
    operation = fault.operation if fault.kind in _OF_OPERATIONS and fault.operation != "*" else ""
    rows = [
        ("Tenant", escape(fault.tenant or "")),
        ("Set", escape(fault.configuration_set or "")),
        ("Operation", escape(operation)),
        ("Events", escape(", ".join(sorted(fault.events)))),
        (
            "Answers",
            escape(f"{fault.status} {fault.code}: {fault.message}") if fault.kind == "refuse" else "",
        ),
        ("Seconds", f"{fault.seconds:g}" if fault.seconds else ""),
        ("Share", f"{fault.share:.0%}" if fault.share < 1 else ""),
        ("Applied", f"{fault.used:,} time{'' if fault.used == 1 else 's'}"),
        ("Left", left),
        ("Until", labels.time(fault.until, now) if fault.until is not None else ""),
        ("End it", f"<code>{escape(admin('DELETE', f'/faults/{fault.id}', url))}</code>"),
    ]
    return f"<li>{labels.badge('slow', fault.kind)}{labels.facts(rows)}</li>"


def _name_fault(fault: NameFault, url: str) -> str:
    says = [fault.rcode or "", f"{fault.delay:g} s late" if fault.delay else ""]
    says += [
        word for word, on in (("cut", fault.truncate), ("no TCP", fault.no_tcp), ("lame", fault.lame)) if on
    ]
    rows = [
        ("Name", escape(fault.name)),
        ("Answers", escape(", ".join(filter(None, says)))),
        ("End it", f"<code>{escape(admin('DELETE', f'/dns/faults/{quote(fault.name)}', url))}</code>"),
    ]
    return f"<li>{labels.badge('slow', 'DNS')}{labels.facts(rows)}</li>"


def _tenants(tenants: list[Tenant], now: float) -> str:
    if not tenants:
        return f'<p class="plain">{messages.NO_TENANTS}</p>'
    rows = "".join(_tenant(tenant, now) for tenant in tenants[:MOST])
    more = f'<p class="plain">{messages.and_more(len(tenants) - MOST)}</p>' if len(tenants) > MOST else ""
    return (
        '<div class="scroll"><table class="tenants"><thead><tr><th>Tenant<th>Status<th>Mailed<th>Bounced<th>Complained'
        f'</tr></thead><tbody>{rows}</tbody></table></div><p class="plain">{messages.TENANT_COUNTS}</p>{more}'
    )


def _tenant(tenant: Tenant, now: float) -> str:
    counts = tenant.counts
    counts.forget(now)
    link = escape(f"/?{urlencode({'tenant': tenant.name})}")
    return (
        f'<tr><th><a href="{link}">{escape(tenant.name)}</a></th><td>{labels.badge(*_STATUSES[tenant.status])}</td>'
        f"<td>{counts.mailed:,}</td><td>{_rate(counts.bounced, counts.mailed)}</td>"
        f"<td>{_rate(counts.complained, counts.with_loop)}</td></tr>"
    )


def _rate(part: int, whole: int) -> str:
    return f"{part:,} <small>{part / whole:.1%}</small>" if part and whole else f"{part:,}"
