"""A run as a picture in SVG: what became of the mail of the culprits and of the others over time, the share that reached the
inbox at each provider, and each tenant at each provider: accepted, inbox, complaints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from seslocal.fleets.relations import RELATIONS, Relation, relations
from seslocal.fleets.result import Action, Counts, Row, Run
from seslocal.fleets.svg import Canvas, Point, blend
from seslocal.fleets.tables import moment, share

_WIDTH: Final = 1180.0
_LEFT: Final = 70.0
_RIGHT: Final = 20.0
_MOST_TENANTS: Final = 36
_LEAST_MAILS: Final = 5  # of a step, below which its share says nothing
_GREY: Final = "#6e7781"
_COLORS: Final[dict[Relation, str]] = {
    "culprit": "#c93c37",
    "shares domain": "#bc6a00",
    "shares pool": "#2563c9",
    "stranger": "#2a7f3f",
}
_WORDS: Final[dict[Relation, str]] = {
    "culprit": "culprits",
    "shares domain": "share their domain",
    "shares pool": "share their IP pool",
    "stranger": "share neither",
}
#: what became of a mail, from the bottom of a bar to its top
_FATES: Final = (
    ("inbox", "#57ab5a"),
    ("spam folder", "#e0b83c"),
    ("refused or given up", "#d9534f"),
    ("not sent: paused, suppressed or held", "#c8ccd1"),
)


def svg(run: Run) -> str:
    """Returns the picture: the same run has the same bytes."""
    return _Picture(run).drawn()


class _Picture:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._canvas = Canvas(_WIDTH)
        self._relations = relations(run)
        self._steps = max(1, run.days * 86_400 // run.step)
        self._providers = sorted({row.provider for row in run.rows})
        self._present: list[Relation] = [one for one in RELATIONS if one in self._relations.values()]
        self._y = 30.0

    def drawn(self) -> str:
        run = self._run
        total = run.total()
        self._canvas.text(20, self._y, run.title, size=18, bold=True)
        self._y += 20
        said = (
            f"{len(run.tenants):,} tenants, {total.wanted:,} mails in {run.days} days, seed {run.seed}. "
            f"Inbox {share(total.inbox, total.submitted)} of what was sent."
        )
        self._canvas.text(20, self._y, said, size=12, color=_GREY)
        self._y += 26
        self._legend()
        for relation in self._present:
            self._volume(relation)
        self._inbox_over_time()
        self._matrix()
        return self._canvas.written(self._y + 20, run.title, [said])

    # over time

    def _x(self, at: float) -> float:
        """The place of a time in seconds since the start."""
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * at / (self._steps * self._run.step)

    def _legend(self) -> None:
        x = _LEFT
        for name, color in _FATES:
            self._canvas.rect(x, self._y - 9, 10, 10, color)
            self._canvas.text(x + 14, self._y, name)
            x += 30 + 6.2 * len(name)
        self._y += 14

    def _volume(self, relation: Relation) -> None:
        """Bars of what became of the mail of each step."""
        height = 84.0
        bars = [_fates(_sum(self._rows(relation), step)) for step in range(self._steps)]
        most = max(1, *(sum(bar) for bar in bars))
        count = sum(one == relation for one in self._relations.values())
        top = self._y + 20
        self._canvas.text(
            _LEFT, top - 6, f"{count} {_words(relation, count)}", size=12, bold=True, color=_COLORS[relation]
        )
        self._canvas.text(_LEFT - 6, top + 9, f"{most:,}", anchor="end", color=_GREY, size=10)
        self._canvas.text(_LEFT - 6, top + height, "0", anchor="end", color=_GREY, size=10)
        for step, bar in enumerate(bars):
            left, right = self._x(step * self._run.step), self._x((step + 1) * self._run.step)
            y = top + height
            for number, (name, color) in zip(bar, _FATES, strict=True):
                tall = height * number / most
                if number:
                    y -= tall
                    when = moment(step * self._run.step)
                    self._canvas.rect(
                        left + 0.5, y, right - left - 1, tall, color, f"{when}: {number:,} {name}"
                    )
        self._canvas.line(((_LEFT, top + height), (_WIDTH - _RIGHT, top + height)), "#afb8c1")
        self._marks(top, height, named=relation == self._present[0])
        self._y = top + height + 4
        if relation == self._present[-1]:
            for day in range(self._run.days):
                self._canvas.text(
                    self._x(day * 86_400.0) + 2, self._y + 9, f"day {day + 1}", size=10, color=_GREY
                )
            self._y += 16

    def _marks(self, top: float, height: float, *, named: bool) -> None:
        """Lines where incidents start and end and where SES or the operator stops somebody."""
        last = -1e9
        for at, label, color in _moments(self._run.actions):
            x = self._x(at)
            self._canvas.line(((x, top - 2), (x, top + height)), color, dashes="3 2")
            if named and x - last > 90:
                self._canvas.text(x + 3, top - 4, label, size=9, color=color)
                last = x

    def _inbox_over_time(self) -> None:
        """For each provider the share of the submitted mail that reached the inbox."""
        self._y += 26
        self._canvas.text(20, self._y, "Reached the inbox, of what was sent", size=13, bold=True)
        self._relation_legend()
        columns, gap = 4, 26.0
        width = (_WIDTH - 20 - _RIGHT - gap * columns) / columns
        height = 92.0
        for index, provider in enumerate(self._providers):
            left = 20 + gap + (index % columns) * (width + gap)
            if index % columns == 0:
                self._y += 18 if index == 0 else height + 34
            top = self._y + 12
            self._canvas.text(left, top - 4, provider, bold=True)
            for part in (0.0, 0.5, 1.0):
                y = top + height * (1 - part)
                self._canvas.line(((left, y), (left + width, y)), "#e6e9ed")
                self._canvas.text(left - 4, y + 3, f"{part:.0%}", anchor="end", size=9, color=_GREY)
            for relation in self._present:
                self._share_line(relation, provider, left, top, width, height)
        self._y += height + 34

    def _share_line(
        self, relation: Relation, provider: str, left: float, top: float, width: float, height: float
    ) -> None:
        points: list[Point] = []
        rows = [row for row in self._rows(relation) if row.provider == provider]
        for step in range(self._steps):
            counts = _sum(rows, step)
            if counts.submitted >= _LEAST_MAILS:
                x = left + width * (step + 0.5) / self._steps
                points.append((x, top + height * (1 - counts.inbox / counts.submitted)))
        if points:
            self._canvas.line(points, _COLORS[relation], width=2.0 if relation == "culprit" else 1.5)

    def _relation_legend(self) -> None:
        x = 300.0
        for relation in self._present:
            self._canvas.line(((x, self._y - 4), (x + 18, self._y - 4)), _COLORS[relation], width=2)
            self._canvas.text(x + 23, self._y, _WORDS[relation])
            x += 50 + 6.2 * len(_WORDS[relation])

    # tenants by providers

    def _matrix(self) -> None:
        names = self._chosen()
        left, gap = 190.0, 16.0
        block = (_WIDTH - left - _RIGHT - 2 * gap) / 3
        cell = block / max(1, len(self._providers))
        self._y += 8
        more = len(self._run.tenants) - len(names)
        note = f"; {more:,} tenants that lost less are left out" if more else ""
        self._canvas.text(20, self._y, f"Tenants at providers{note}", size=13, bold=True)
        self._y += 20
        for index, head in enumerate(("accepted", "inbox", "complaints per 1,000 accepted")):
            x = left + index * (block + gap)
            self._canvas.text(x, self._y, head, bold=True)
            for column, provider in enumerate(self._providers):
                self._canvas.text(
                    x + cell * (column + 0.5),
                    self._y + 13,
                    provider[:8],
                    size=8,
                    anchor="middle",
                    color=_GREY,
                )
        self._y += 18
        rows = {(row.tenant, row.provider): row.counts for row in self._run.rows}
        for name in names:
            color = _COLORS[self._relations[name]]
            self._canvas.text(left - 8, self._y + 10, name[:28], size=10, anchor="end", color=color)
            for column, provider in enumerate(self._providers):
                counts = rows.get((name, provider))
                if counts is not None:
                    self._cells(counts, f"{name}, {provider}", left + cell * column, block + gap, cell)
            self._y += 14

    def _cells(self, counts: Counts, where: str, x: float, apart: float, cell: float) -> None:
        sent, accepted = counts.submitted, counts.accepted
        complaints = 1000 * counts.complaints / accepted if accepted else 0.0
        for index, (said, color) in enumerate(
            (
                (_percent(accepted, sent), _bad(1 - accepted / sent if sent else 0.0, 0.3)),
                (_percent(counts.inbox, sent), _bad(1 - counts.inbox / sent if sent else 0.0, 0.6)),
                (f"{complaints:.1f}" if counts.complaints else "", _bad(complaints, 5.0)),
            )
        ):
            left = x + index * apart
            title = f"{where}: {sent:,} sent, {accepted:,} accepted, {counts.inbox:,} inbox, {counts.complaints:,} complaints"
            self._canvas.rect(left + 0.5, self._y, cell - 1, 13, color, title)
            self._canvas.text(left + cell / 2, self._y + 10, said, size=8, anchor="middle")

    def _chosen(self) -> list[str]:
        """The culprits, then those whose mail reached the inbox least, up to a number."""
        sums: dict[str, Counts] = {}
        for row in self._run.rows:
            sums.setdefault(row.tenant, Counts()).add(row.counts)

        def rank(name: str) -> tuple[bool, float, str]:
            counts = sums[name]
            part = counts.inbox / counts.submitted if counts.submitted else 0.0
            return self._relations[name] != "culprit", part, name

        ranked = sorted(sums, key=rank)
        guilty = [name for name in ranked if self._relations[name] == "culprit"][: _MOST_TENANTS // 2]
        others = [name for name in ranked if self._relations[name] != "culprit"]
        return guilty + others[: _MOST_TENANTS - len(guilty)]

    def _rows(self, relation: Relation) -> list[Row]:
        return [row for row in self._run.rows if self._relations[row.tenant] == relation]


def _words(relation: Relation, count: int) -> str:
    if count != 1:
        return _WORDS[relation]
    words = {
        "culprit": "culprit",
        "shares domain": "shares their domain",
        "shares pool": "shares their IP pool",
    }
    return words.get(relation, "shares neither")


def _sum(rows: Iterable[Row], step: int) -> Counts:
    total = Counts()
    for row in rows:
        if (counts := row.steps.get(step)) is not None:
            total.add(counts)
    return total


def _fates(counts: Counts) -> tuple[int, int, int, int]:
    gone = counts.refused + counts.returned + counts.expired + counts.under_way
    return counts.inbox, counts.spam, gone, counts.paused + counts.suppressed + counts.held


def _moments(actions: Sequence[Action]) -> list[tuple[float, str, str]]:
    """Time, label and color of what is marked."""
    found: list[tuple[float, str, str]] = []
    for action in actions:
        if action.who == "incident":
            found.append((action.at, f"{action.why.replace('_', ' ')} {action.what}s", "#8250df"))
        elif action.what.endswith(("paused", "probation", "stopped", "cordoned")):
            who = action.tenant or "account"
            found.append(
                (action.at, f"{action.who.upper()}: {who} {action.what.rpartition('_')[2]}", "#24292f")
            )
    return found


def _percent(part: int, whole: int) -> str:
    if not whole:
        return ""
    value = 100 * part / whole
    return "100" if part == whole else f"{value:.1f}" if value >= 10 else f"{value:.0f}"


def _bad(value: float, worst: float) -> str:
    return blend(value / worst, (233, 246, 233), (240, 128, 120))
