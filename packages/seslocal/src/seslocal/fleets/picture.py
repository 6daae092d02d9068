"""A run as a picture in SVG: what became of the mail of the culprits and of the others over time, the share that reached the
inbox at each provider with and without the culprits, the same as numbers, and each tenant at each provider: accepted, inbox,
complaints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from seslocal.fleets import marks
from seslocal.fleets.marks import Mark
from seslocal.fleets.relations import RELATIONS, Relation, relations, words
from seslocal.fleets.result import Counts, Row, Run
from seslocal.fleets.svg import Box, Canvas, Point, blend
from seslocal.fleets.tables import share

_WIDTH: Final = 1180.0
_LEFT: Final = 64.0
_RIGHT: Final = 20.0
_MOST_BARS: Final = 40  # over the length of the run
_MOST_POINTS: Final = 28  # of a line
_MOST_TENANTS: Final = 26
_LEAST_MAILS: Final = 25  # of a point of a line, below which its share says nothing
_LEAST_COMPLAINTS: Final = 3  # for a color
_GREY: Final = "#6e7781"
_COLORS: Final[dict[Relation, str]] = {
    "culprit": "#c93c37",
    "shares domain": "#b35c00",
    "shares pool": "#2563c9",
    "shares SES's pool": "#8250df",
    "stranger": "#2a7f3f",
}
#: what became of a mail, from the bottom of a bar to its top
_FATES: Final = (
    ("inbox", "#57ab5a"),
    ("inbox, over an hour late", "#7cc7e8"),
    ("spam folder", "#e0b83c"),
    ("refused, returned or given up", "#d9534f"),
    ("not sent: paused, suppressed or held", "#c8ccd1"),
)
_HEADS: Final = (
    "mails sent",
    "accepted",
    "inbox",
    "spam folder",
    "late, of inbox",
    "complaints per 1,000",
    "inbox without culprits",
    "lost to them",
)


def svg(run: Run, without: Run | None = None) -> str:
    """Returns the picture; the same runs have the same bytes. `without`: the same run without the culprits, if it was played."""
    return _Picture(run, without).drawn()


class _Picture:
    def __init__(self, run: Run, without: Run | None) -> None:
        self._run = run
        self._without = without
        self._canvas = Canvas(_WIDTH)
        self._relations = relations(run)
        self._length = max(1, run.days) * 86_400.0
        self._providers = sorted({row.provider for row in run.rows})
        self._present: list[Relation] = [one for one in RELATIONS if one in self._relations.values()]
        self._rows = {one: self._rows_of(run, one) for one in self._present}
        self._rows_without = {one: self._rows_of(without, one) for one in self._present} if without else {}
        self._y = 28.0

    def drawn(self) -> str:
        run = self._run
        total = run.total()
        self._canvas.text(20, self._y, run.title, size=18, bold=True)
        self._y += 18
        said = (
            f"{len(run.tenants):,} tenants, {total.wanted:,} mails in {run.days} days, seed {run.seed}; "
            f"inbox {share(total.inbox, total.submitted)} of what was sent"
        )
        self._canvas.text(20, self._y, said, color=_GREY)
        found = marks.marks(run.actions, self._length * 14 / (_WIDTH - _LEFT - _RIGHT))
        self._events(found)
        self._legend()
        for relation in self._present:
            self._volume(relation, found)
        self._days()
        self._inbox_over_time(found)
        self._numbers()
        self._matrix()
        return self._canvas.written(self._y + 14, run.title, said)

    # over time

    def _x(self, at: float) -> float:
        """The place of a time in seconds since the start."""
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * at / self._length

    def _events(self, found: Sequence[Mark]) -> None:
        self._y += 8
        for mark in found:
            self._y += 17
            self._canvas.badge(28, self._y - 4, str(mark.number), mark.color)
            self._canvas.text(42, self._y, mark.said)

    def _legend(self) -> None:
        self._y += 26
        x = _LEFT
        for name, color in _FATES:
            self._canvas.boxes([(x, self._y - 9, 10, 10)], color)
            self._canvas.text(x + 14, self._y, name)
            x += 34 + 6 * len(name)
        self._y += 6

    def _volume(self, relation: Relation, found: Sequence[Mark]) -> None:
        """Bars of what became of the mail of each span."""
        height = 62.0
        bars = [_fates(one) for one in self._sums(self._rows[relation], _MOST_BARS)]
        most = max(1, *(sum(bar) for bar in bars))
        count = sum(one == relation for one in self._relations.values())
        top = self._y + 22
        who = f"{count} {words(relation, count)}"
        self._canvas.text(_LEFT, top - 6, who, size=12, bold=True, color=_COLORS[relation])
        self._canvas.text(_LEFT - 6, top + 9, f"{most:,}", anchor="end", color=_GREY, size=10)
        self._canvas.text(_LEFT - 6, top + height, "0", anchor="end", color=_GREY, size=10)
        wide = (_WIDTH - _LEFT - _RIGHT) / len(bars)
        boxes: list[list[Box]] = [[] for _ in _FATES]
        for number, bar in enumerate(bars):
            y = top + height
            for fate, mails in enumerate(bar):
                if mails:
                    tall = height * mails / most
                    y -= tall
                    boxes[fate].append((_LEFT + number * wide + 0.5, y, wide - 1, tall))
        for of_fate, (_, color) in zip(boxes, _FATES, strict=True):
            self._canvas.boxes(of_fate, color)
        self._canvas.line(((_LEFT, top + height), (_WIDTH - _RIGHT, top + height)), "#afb8c1")
        for mark in found:
            x = self._x(mark.at)
            self._canvas.line(((x, top - 2), (x, top + height)), mark.color, dashes="3 2")
            if relation == self._present[0]:
                self._canvas.badge(x, top - 9, str(mark.number), mark.color)
        self._y = top + height

    def _days(self) -> None:
        for day in range(self._run.days):
            x = self._x(day * 86_400.0)
            self._canvas.line(((x, self._y), (x, self._y + 4)), "#afb8c1")
            if self._run.days <= 31 or day % 7 == 0:
                self._canvas.text(x + 3, self._y + 12, f"day {day + 1}", size=10, color=_GREY)
        self._y += 12

    def _inbox_over_time(self, found: Sequence[Mark]) -> None:
        """For each provider the share of the submitted mail that reached the inbox in time."""
        self._y += 30
        self._canvas.text(20, self._y, "Inbox within the hour", size=13, bold=True)
        self._relation_legend()
        columns, gap, height = 4, 30.0, 92.0
        width = (_WIDTH - 20 - _RIGHT - gap * columns) / columns
        for index, provider in enumerate(self._providers):
            left = 20 + gap + (index % columns) * (width + gap)
            if index % columns == 0:
                self._y += 18 if index == 0 else height + 26
            self._panel(provider, left, self._y + 12, width, height, found)
        self._y += height + 40

    def _panel(
        self, provider: str, left: float, top: float, width: float, height: float, found: Sequence[Mark]
    ) -> None:
        self._canvas.text(left, top - 4, provider, bold=True)
        for part in (0.0, 0.5, 1.0):
            y = top + height * (1 - part)
            self._canvas.line(((left, y), (left + width, y)), "#e6e9ed")
            self._canvas.text(left - 4, y + 3, f"{part:.0%}", anchor="end", size=9, color=_GREY)
        for mark in found:
            x = left + width * mark.at / self._length
            self._canvas.line(((x, top), (x, top + height)), mark.color, dashes="2 3", opacity=0.5)
        # The farthest first, so that the culprits' lines lie on top.
        for relation in reversed(self._present):
            if self._without is not None and relation != "culprit":
                rows = self._rows_without[relation]
                points = self._points(rows, provider, left, top, width, height)
                self._canvas.line(points, _COLORS[relation], dashes="2 2", opacity=0.6)
            points = self._points(self._rows[relation], provider, left, top, width, height)
            self._canvas.line(points, _COLORS[relation], width=2.0 if relation == "culprit" else 1.5)

    def _points(
        self, rows: Sequence[Row], provider: str, left: float, top: float, width: float, height: float
    ) -> list[Point]:
        sums = self._sums([row for row in rows if row.provider == provider], _MOST_POINTS)
        return [
            (
                left + width * (number + 0.5) / len(sums),
                top + height * (1 - (one.inbox - one.late) / one.submitted),
            )
            for number, one in enumerate(sums)
            if one.submitted >= _LEAST_MAILS
        ]

    def _relation_legend(self) -> None:
        x = 220.0
        for relation in self._present:
            said = words(relation, 2)
            self._canvas.line(((x, self._y - 4), (x + 18, self._y - 4)), _COLORS[relation], width=2)
            self._canvas.text(x + 22, self._y, said)
            x += 38 + 5.8 * len(said)
        if self._without is not None:
            self._canvas.line(((x, self._y - 4), (x + 18, self._y - 4)), _GREY, dashes="2 2")
            self._canvas.text(x + 22, self._y, "without the culprits")

    # as numbers

    def _numbers(self) -> None:
        left, wide = 210.0, 118.0
        heads = _HEADS if self._without is not None else _HEADS[:-2]
        for column, head in enumerate(heads):
            self._canvas.text(left + wide * (column + 0.6), self._y, head, anchor="end", size=10, color=_GREY)
        for relation in self._present:
            self._y += 16
            total = _total(self._rows[relation])
            count = sum(one == relation for one in self._relations.values())
            self._canvas.text(
                20, self._y, f"{count} {words(relation, count)}", color=_COLORS[relation], bold=True
            )
            cells = _cells(total, _total(self._rows_without[relation]) if self._without is not None else None)
            for column, cell in enumerate(cells):
                self._canvas.text(left + wide * (column + 0.6), self._y, cell, anchor="end")
        self._y += 34

    # tenants by providers

    def _matrix(self) -> None:
        names = self._chosen()
        left, gap = 150.0, 16.0
        block = (_WIDTH - left - _RIGHT - 2 * gap) / 3
        cell = block / max(1, len(self._providers))
        more = len(self._run.tenants) - len(names)
        note = f"; {more:,} others are left out" if more else ""
        self._canvas.text(
            20, self._y, f"Tenants at providers, in percent of what was sent{note}", size=13, bold=True
        )
        self._y += 20
        for index, head in enumerate(("accepted", "inbox", "complaints per 1,000 accepted")):
            self._canvas.text(left + index * (block + gap), self._y, head, bold=True)
        self._canvas.texts(
            (
                (left + index * (block + gap) + cell * (column + 0.5), self._y + 13, provider[:9])
                for index in range(3)
                for column, provider in enumerate(self._providers)
            ),
            size=8,
            anchor="middle",
        )
        self._y += 18
        rows = {(row.tenant, row.provider): row.counts for row in self._run.rows}
        boxes: dict[str, list[Box]] = {}
        texts: list[tuple[float, float, str]] = []
        for name in names:
            color = _COLORS[self._relations[name]]
            self._canvas.text(left - 8, self._y + 10, name[:22], size=10, anchor="end", color=color)
            for column, provider in enumerate(self._providers):
                counts = rows.get((name, provider))
                for index, (said, shade) in enumerate(_shades(counts) if counts is not None else ()):
                    x = left + index * (block + gap) + cell * column
                    boxes.setdefault(shade, []).append((x + 0.5, self._y, cell - 1, 13))
                    texts.append((x + cell / 2, self._y + 10, said))
            self._y += 14
        for shade in sorted(boxes):
            self._canvas.boxes(boxes[shade], shade)
        self._canvas.texts(texts, size=8, anchor="middle")

    def _chosen(self) -> list[str]:
        """Of each relation, in this order, those whose mail reached the inbox least: as many of each, if there are as many."""
        sums: dict[str, Counts] = {}
        for row in self._run.rows:
            sums.setdefault(row.tenant, Counts()).add(row.counts)

        def rank(name: str) -> tuple[float, str]:
            counts = sums[name]
            return (counts.inbox / counts.submitted if counts.submitted else 0.0), name

        left: dict[Relation, list[str]] = {
            one: sorted((name for name in sums if self._relations[name] == one), key=rank)
            for one in self._present
        }
        chosen: dict[Relation, int] = dict.fromkeys(self._present, 0)
        room = _MOST_TENANTS
        while room and any(chosen[one] < len(left[one]) for one in left):
            for one in left:
                if room and chosen[one] < len(left[one]):
                    chosen[one] += 1
                    room -= 1
        return [name for one in self._present for name in left[one][: chosen[one]]]

    def _rows_of(self, run: Run | None, relation: Relation) -> list[Row]:
        return [row for row in run.rows if self._relations.get(row.tenant) == relation] if run else []

    def _sums(self, rows: Sequence[Row], most: int) -> list[Counts]:
        """Returns the counts of spans of equal length: whole steps, as many as do not make more than `most`."""
        step = self._run.step
        steps = max(1, int(self._length // step))
        # Spans that a day is a multiple of, or days: a day's rhythm looks the same in each.
        a_day = max(1, 86_400 // step)
        together = next((n for n in range(1, a_day + 1) if a_day % n == 0 and steps / n <= most), a_day)
        while steps / together > most:
            together += a_day
        sums = [Counts() for _ in range(-(-steps // together))]
        for row in rows:
            for number, counts in row.steps.items():
                sums[min(number // together, len(sums) - 1)].add(counts)
        return sums


def _total(rows: Iterable[Row]) -> Counts:
    total = Counts()
    for row in rows:
        total.add(row.counts)
    return total


def _cells(counts: Counts, without: Counts | None) -> list[str]:
    found = [
        f"{counts.submitted:,}",
        share(counts.accepted, counts.submitted),
        share(counts.inbox, counts.submitted),
        share(counts.spam, counts.submitted),
        share(counts.late, counts.inbox),
        f"{1000 * counts.complaints / counts.accepted:.2f}" if counts.accepted else "-",
    ]
    if without is not None and without.submitted:
        lost = without.inbox - counts.inbox
        found += [f"{without.inbox:,}", f"{lost:,} ({share(lost, without.inbox)})" if lost else "0"]
    return found


def _fates(counts: Counts) -> tuple[int, int, int, int, int]:
    gone = counts.refused + counts.returned + counts.expired + counts.under_way
    return (
        counts.inbox - counts.late,
        counts.late,
        counts.spam,
        gone,
        counts.paused + counts.suppressed + counts.held,
    )


def _shades(counts: Counts) -> tuple[tuple[str, str], ...]:
    """Text and color of the three cells of a tenant at a provider."""
    sent, accepted = counts.submitted, counts.accepted
    if not sent:
        return ()
    complaints = 1000 * counts.complaints / accepted if accepted else 0.0
    return (
        (_percent(accepted, sent), _bad(1 - accepted / sent, 0.3)),
        (_percent(counts.inbox, sent), _bad(1 - counts.inbox / sent, 0.6)),
        # One or two say nothing.
        (
            f"{complaints:.1f}" if counts.complaints else "",
            _bad(complaints if counts.complaints >= _LEAST_COMPLAINTS else 0.0, 5.0),
        ),
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}"


def _bad(value: float, worst: float) -> str:
    return blend(value / worst, (233, 246, 233), (240, 128, 120))
