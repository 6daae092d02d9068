"""The figures of a move as tables for people and as a line for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from bench.migration.measures import DELIVERED_MARGIN, INBOX_MARGIN, Figures
from bench.migration.setups import Played, Setup

NAMES: Final = {
    Setup.STAYS: "stays, nobody watches",
    Setup.APART: "apart from the start, nobody watches",
    Setup.MOVES: "moves, behind Mailcordon",
}


def table(found: Figures) -> str:
    """In Markdown."""
    setups = [setup for setup in Setup if any(setup in one.inbox for one in found.stages)]
    lines = [
        "| share on their own paths | days | "
        + " | ".join(f"{NAMES[setup]}: inbox, and lost to the culprit" for setup in setups)
        + " |",
        "|---" * (len(setups) + 2) + "|",
    ]
    for one in found.stages:
        cells = [
            f"{one.inbox[setup]:.1%}" + (f", {100 * one.lost[setup]:.2f} points" if setup in one.lost else "")
            for setup in setups
        ]
        days = f"{one.since / 86_400 + 1:.1f} to {one.until / 86_400 + 1:.1f}"
        lines.append(f"| {one.share} % | {days} | " + " | ".join(cells) + " |")
    worst, beside = found.worst, sorted(one.beside for one in found.tenants)
    lines += [
        "",
        f"Of {len(found.tenants)} tenants with enough mail, {len(found.beyond)} lost more than {100 * INBOX_MARGIN:.0f} points "
        f"of inbox share or {100 * DELIVERED_MARGIN:.0f} of delivered share to the move. Median {100 * found.median:.1f} points "
        f"of inbox share; worst {100 * worst.inbox:.1f} ({worst.name}, {worst.wanted:,} mails).",
        f"Beside the culprit on the shared path the median tenant would have lost "
        f"{100 * beside[len(beside) // 2]:.1f} points.",
        f"Ways back: {found.backs}. Guilty mails that left: "
        + ", ".join(f"{NAMES[setup]} {out:,}" for setup, out in found.guilty_out.items())
        + ".",
    ]
    return "\n".join(lines)


def steps(played: Played) -> str:
    """When each rollout took which step."""
    lines = [
        f"day {one.at / 86_400 + 1:5.2f}  {one.rollout}: {one.share} %"
        + (f"  {one.decision.sentence}" if one.share == 0 else "")
        for one in played.looks
    ]
    lines += [f"at the end  {name}: {said}" for name, said in sorted(played.waits.items())]
    return "\n".join(lines)


def json_line(found: Figures, played: Mapping[tuple[Setup, bool], Played], **of: object) -> str:
    return json.dumps(
        {
            **of,
            "stages": [
                {
                    "share": one.share,
                    "since": one.since,
                    "until": one.until,
                    "wanted": one.wanted,
                    "inbox": {str(setup): share for setup, share in one.inbox.items()},
                    "lost": {str(setup): points for setup, points in one.lost.items()},
                }
                for one in found.stages
            ],
            "tenants": len(found.tenants),
            "beyond_margin": [one.name for one in found.beyond],
            "inbox_lost": {"median": found.median, "worst": found.worst.inbox},
            "backs": found.backs,
            "breaker_stops": found.stops,
            "guilty_wanted": found.guilty_wanted,
            "guilty_out": {str(setup): out for setup, out in found.guilty_out.items()},
            "cpu_seconds": round(sum(one.cpu for one in played.values()), 1),
        }
    )
