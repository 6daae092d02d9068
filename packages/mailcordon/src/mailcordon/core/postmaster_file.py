"""Reads the spam rates of Gmail Postmaster Tools from a file: its API's answer as JSON, or a CSV file.

JSON is what `domains.trafficStats.list` or `get` of the API (v1) answers. CSV has the columns `domain`, `date` (2026-11-28) and
`spam_rate` (`0.0012`, or `0.12%`), in any order; others are left out.
"""

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import Any, cast

from mailcordon.core.outside_signal import OutsideSignal, Source, Trust, day_of
from mailcordon.core.provider import Provider
from mailcordon.messages import outside_signals as messages

MOST_BYTES = 10 << 20
MOST_ROWS = 20_000
COLUMNS = ("domain", "date", "spam_rate")
_NAME = re.compile(r"domains/([^/]{1,253})/trafficStats/([0-9]{8})")
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")


class Unreadable(ValueError):
    """With a sentence for whoever brought the file."""


@dataclass(frozen=True, slots=True)
class Read:
    signals: list[OutsideSignal]
    without_rate: int  #: days on which Gmail had too little mail to say one


def read(data: bytes, trust: Trust | None = None) -> Read:
    """Raises Unreadable. `trust`: without it, of the API's answer high, and of a CSV file, which people write, medium."""
    if len(data) > MOST_BYTES:
        raise Unreadable(messages.too_large(MOST_BYTES))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(messages.no_text()) from None
    if text.lstrip().startswith(("{", "[")):
        return _of_json(text, trust or Trust.HIGH)
    return _of_csv(text, trust or Trust.MEDIUM)


def _of_json(text: str, trust: Trust) -> Read:
    try:
        given: Any = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise Unreadable(messages.no_json(str(problem)[:200])) from None
    rows = given
    if isinstance(given, dict):
        rows = cast("dict[str, Any]", given).get("trafficStats", [given])
    if not isinstance(rows, list):
        raise Unreadable(messages.no_postmaster_file(COLUMNS))
    found: list[OutsideSignal] = []
    without = 0
    for number, each in enumerate(cast("list[Any]", rows), 1):
        row = cast("dict[str, Any]", each) if isinstance(each, dict) else {}
        name = _NAME.fullmatch(str(row.get("name", "")))
        if name is None:
            raise Unreadable(messages.no_postmaster_file(COLUMNS))
        if "userReportedSpamRatio" not in row:
            without += 1
            continue
        day = f"{name[2][:4]}-{name[2][4:6]}-{name[2][6:]}"
        found.append(_signal(number, name[1], day, row["userReportedSpamRatio"], trust))
    return Read(_once(found), without)


def _of_csv(text: str, trust: Trust) -> Read:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[OutsideSignal] = []
    without = 0
    try:
        header = [name.strip().lower().replace(" ", "_") for name in next(rows, cast("list[str]", []))]
        if any(header.count(name) != 1 for name in COLUMNS):
            raise Unreadable(messages.no_postmaster_file(COLUMNS))
        places = [header.index(name) for name in COLUMNS]
        for row in rows:
            if not any(each.strip() for each in row):
                continue
            if len(row) <= max(places):
                raise Unreadable(messages.bad_row(rows.line_num, messages.columns_missing()))
            domain, day, rate = (row[place].strip() for place in places)
            if not rate:
                without += 1
                continue
            share: object = rate
            if rate.endswith("%"):
                share = _percent(rate)
            found.append(_signal(rows.line_num, domain, day, share, trust))
    except csv.Error as problem:
        raise Unreadable(messages.bad_row(rows.line_num, str(problem))) from None
    return Read(_once(found), without)


def _percent(text: str) -> float | str:
    try:
        return float(text[:-1]) / 100
    except ValueError:
        return text


def _signal(row: int, domain: str, day: str, rate: object, trust: Trust) -> OutsideSignal:
    domain = domain.lower().rstrip(".")
    if _DOMAIN.fullmatch(domain) is None:
        raise Unreadable(messages.bad_row(row, messages.no_domain(domain[:100])))
    try:
        number = day_of(day)
    except ValueError as problem:
        raise Unreadable(messages.bad_row(row, str(problem))) from None
    try:
        share = float(cast("str", rate))
    except (TypeError, ValueError):
        share = -1.0
    if isinstance(rate, bool) or not 0 <= share <= 1:
        raise Unreadable(messages.bad_row(row, messages.no_share(str(rate)[:40])))
    return OutsideSignal(
        source=Source.POSTMASTER,
        domain=domain,
        day=number,
        rate=share,
        trust=trust,
        provider=Provider.GMAIL,
    )


def _once(found: list[OutsideSignal]) -> list[OutsideSignal]:
    """The last row of a domain and day counts."""
    if len(found) > MOST_ROWS:
        raise Unreadable(messages.too_many_rows(MOST_ROWS))
    return list({(one.domain, one.day): one for one in found}.values())
