"""Small pieces of HTML that several views show: badges, times and lists of facts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from seslocal.clock import iso


def badge(colour: str, word: str, more: str = "") -> str:
    """`colour` is a class of page.css: good, bad, slow or off."""
    small = f" <small>{escape(more)}</small>" if more else ""
    return f'<span class="fate {colour}">{escape(word)}{small}</span>'


def time(at: float, now: float) -> str:
    moment, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    text = f"{moment:%H:%M:%S}" if moment.date() == today.date() else f"{moment.day} {moment:%b %H:%M}"
    return f'<time datetime="{iso(at)}" title="{iso(at)}">{text}</time>'


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A list of names and values. The values are HTML; empty ones are left out."""
    shown = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in rows if value)
    return f'<dl class="facts">{shown}</dl>' if shown else ""
