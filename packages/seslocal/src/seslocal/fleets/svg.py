"""Elements of a picture in SVG. Coordinates are written with one decimal at most, so equal pictures are equal bytes."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

Point = tuple[float, float]
Box = tuple[float, float, float, float]  #: left, top, width, height

_DARK: Final = "#24292f"
_ANCHOR: Final = "start"
_SIZE: Final = 11


class Canvas:
    def __init__(self, width: float) -> None:
        self.width = width
        self._parts: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        content: str,
        *,
        size: int = _SIZE,
        anchor: str = _ANCHOR,
        color: str = _DARK,
        bold: bool = False,
    ) -> None:
        more = f' font-size="{size}"' if size != _SIZE else ""
        more += f' text-anchor="{anchor}"' if anchor != _ANCHOR else ""
        more += f' fill="{color}"' if color != _DARK else ""
        more += ' font-weight="600"' if bold else ""
        self._parts.append(f'<text x="{_short(x)}" y="{_short(y)}"{more}>{escape(content)}</text>')

    def texts(self, all_of: Iterable[tuple[float, float, str]], *, size: int, anchor: str) -> None:
        """Many of one kind."""
        self._parts.append(f'<g font-size="{size}" text-anchor="{anchor}">')
        self._parts += [
            f'<text x="{_short(x)}" y="{_short(y)}">{escape(said)}</text>' for x, y, said in all_of
        ]
        self._parts.append("</g>")

    def boxes(self, boxes: Iterable[Box], color: str, *, opacity: float = 1.0) -> None:
        """Many of one color, as one element."""
        path = "".join(
            f"M{_short(x)} {_short(y)}h{_short(width)}v{_short(height)}h{_short(-width)}z"
            for x, y, width, height in boxes
        )
        if path:
            faint = f' fill-opacity="{opacity:.2f}"' if opacity != 1.0 else ""
            self._parts.append(f'<path fill="{color}"{faint} d="{path}"/>')

    def line(
        self,
        points: Iterable[Point],
        color: str,
        *,
        width: float = 1.0,
        dashes: str = "",
        opacity: float = 1.0,
    ) -> None:
        path = " ".join(f"{_short(x)},{_short(y)}" for x, y in points)
        more = f' stroke-dasharray="{dashes}"' if dashes else ""
        more += f' stroke-opacity="{opacity:.2f}"' if opacity != 1.0 else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{_short(width)}"{more}/>'
        )

    def badge(self, x: float, y: float, content: str, color: str) -> None:
        """A filled circle with a number in it."""
        self._parts.append(
            f'<circle cx="{_short(x)}" cy="{_short(y)}" r="7" fill="{color}"/><text x="{_short(x)}" y="{_short(y + 3)}" '
            f'font-size="9" text-anchor="middle" fill="#fff" font-weight="600">{escape(content)}</text>'
        )

    def written(self, height: float, title: str, description: str) -> str:
        """Returns the picture."""
        return "\n".join(
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:.0f} {height:.0f}" width="{self.width:.0f}" '
                f'height="{height:.0f}" font-family="system-ui, sans-serif" font-size="{_SIZE}" fill="{_DARK}" role="img">',
                f"<title>{escape(title)}</title>",
                f"<desc>{escape(description)}</desc>",
                f'<rect width="{self.width:.0f}" height="{height:.0f}" fill="#fff"/>',
                *self._parts,
                "</svg>",
                "",
            )
        )


def _short(value: float) -> str:
    text = f"{value:.1f}"
    return "0" if text == "-0.0" else text.removesuffix(".0")


def blend(share: float, low: tuple[int, int, int], high: tuple[int, int, int]) -> str:
    """Returns a color between two, for a share from 0 to 1, in eight steps."""
    share = round(min(1.0, max(0.0, share)) * 8) / 8
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(low, high, strict=True))
