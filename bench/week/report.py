"""The figures of the week as a table for people and as a line for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from bench.week.measures import Figures, Others
from bench.week.setups import Setup

NAMES = {
    Setup.NAIVE: "one SES account",
    Setup.SES: "SES tenants",
    Setup.MAILCORDON: "Mailcordon",
}
_ACCOUNT = {"": "healthy", "account_probation": "under review", "account_paused": "paused"}


def table(title: str, found: Sequence[Figures]) -> str:
    """In Markdown, as in the README."""
    lines = [
        f"{title}.",
        "",
        "| | " + " | ".join(NAMES[one.setup] for one in found) + " |",
        "|---" * (len(found) + 1) + "|",
    ]

    def row(what: str, value: Callable[[Figures], str]) -> None:
        lines.append(f"| {what} | " + " | ".join(value(one) for one in found) + " |")

    for index, each in enumerate(found[0].others):
        who = _who(each)
        row(f"{who}: delivered", lambda one, i=index: _share(one.others[i].delivered, one.others[i].wanted))
        row("... in the inbox", lambda one, i=index: _share(one.others[i].inbox, one.others[i].wanted))
        row("... inbox mails lost to the culprit", lambda one, i=index: _lost(one.others[i]))
        row("... later than an hour", lambda one, i=index: _late(one.others[i]))
    row("the culprit's own customers: in the inbox", lambda one: _share(one.own_inbox, one.own_wanted))
    row("guilty mails sent", lambda one: f"{one.guilty_out:,} of {one.guilty_wanted:,}")
    row("culprit identified after", lambda one: _seconds(one.identified))
    row("its list named first", lambda one: "-" if one.named_first is None else _yes(one.named_first))
    row("mitigated after", lambda one: _seconds(one.mitigated))
    row("by", lambda one: one.by)
    row("false stops (and without the culprit)", lambda one: f"{one.false_stops} ({one.stops_without})")
    row("false warnings", lambda one: str(one.false_warnings))
    row("mails of others that waited", lambda one: f"{one.held:,}")
    row("the account at SES", lambda one: _ACCOUNT[one.account])
    return "\n".join(lines)


def json_line(found: Sequence[Figures], *, scenario: str, days: int, scale: float) -> str:
    return json.dumps(
        {
            "scenario": scenario,
            "days": days,
            "scale": scale,
            "setups": {one.setup: _document(one) for one in found},
        }
    )


def _document(one: Figures) -> dict[str, object]:
    return {
        "others": {
            each.relation: {
                "tenants": each.tenants,
                "wanted": each.wanted,
                "delivered": each.delivered,
                "inbox": each.inbox,
                "late": each.late,
                "delivered_without_culprit": each.had_delivered,
                "inbox_without_culprit": each.had_inbox,
                "late_without_culprit": each.had_late,
                "inbox_lost": each.lost,
                "equal_to_the_mail": each.equal,
            }
            for each in one.others
        },
        "guilty_wanted": one.guilty_wanted,
        "guilty_out": one.guilty_out,
        "guilty_inbox": one.guilty_inbox,
        "last_guilty_seconds": one.last_guilty,
        "identify_seconds": one.identified,
        "mitigate_seconds": one.mitigated,
        "named_first": one.named_first,
        "by": one.by,
        "culprits_own_wanted": one.own_wanted,
        "culprits_own_inbox": one.own_inbox,
        "false_stops": one.false_stops,
        "false_stops_without_culprit": one.stops_without,
        "false_warnings": one.false_warnings,
        "others_waited": one.held,
        "account": _ACCOUNT[one.account],
        "mails": one.mails,
        "cpu_seconds": round(one.cpu, 1),
    }


def _who(one: Others) -> str:
    who = {
        "shares domain": "share its domain",
        "shares pool": "share its IP pool",
        "shares SES's pool": "share SES's pool with it",
        "stranger": "share neither domain nor pool",
    }[one.relation]
    return f"{one.tenants} tenants that {who}"


def _lost(one: Others) -> str:
    if one.equal:
        return "0, equal to the mail"
    return f"{one.lost:,} ({_share(one.lost, one.had_inbox)})"


def _late(one: Others) -> str:
    return f"{one.late:,}" if one.late == one.had_late else f"{one.late:,} (else {one.had_late:,})"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
