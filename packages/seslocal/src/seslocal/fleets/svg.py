"""Elements of a picture in SVG. Coordinates are written with one decimal, so equal pictures are equal bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

Point = tuple[float, float]


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
        size: int = 11,
        anchor: str = "start",
        color: str = "#24292f",
        bold: bool = False,
    ) -> None:
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{color}"{weight}>'
            f"{escape(content)}</text>"
        )

    def rect(self, x: float, y: float, width: float, height: float, color: str, title: str = "") -> None:
        """`title` is shown by browsers when the pointer is on it."""
        shape = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"'
        self._parts.append(f"{shape}><title>{escape(title)}</title></rect>" if title else f"{shape}/>")

    def line(self, points: Iterable[Point], color: str, *, width: float = 1.0, dashes: str = "") -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width:.1f}"{dashed}/>'
        )

    def written(self, height: float, title: str, description: Sequence[str]) -> str:
        """Returns the picture."""
        return "\n".join(
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:.0f} {height:.0f}" '
                f'width="{self.width:.0f}" height="{height:.0f}" font-family="system-ui, sans-serif" role="img">',
                f"<title>{escape(title)}</title>",
                f"<desc>{escape(' '.join(description))}</desc>",
                f'<rect width="{self.width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
                *self._parts,
                "</svg>",
                "",
            )
        )


def blend(share: float, low: tuple[int, int, int], high: tuple[int, int, int]) -> str:
    """Returns a color between two, for a share from 0 to 1."""
    share = min(1.0, max(0.0, share))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(low, high, strict=True))
