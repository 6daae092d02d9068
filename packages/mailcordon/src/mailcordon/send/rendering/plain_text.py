"""Derives the text of a mail from its HTML: what a reader without HTML needs, in the order it is read in.

Links keep their address, lists their dashes, headings and paragraphs their lines, cells of a row stand beside each other. Style,
script, what is hidden and images without an alternative text are left out. Hostile HTML takes linear time, which the standard
library's parser does not promise.
"""

import html as entities
import re
from collections.abc import Mapping
from typing import Final

_SKIPPED: Final = frozenset(("head", "noscript", "template", "object", "svg"))
_RAW: Final = {
    name: re.compile(rf"</{name}\b[^>]*>?", re.IGNORECASE) for name in ("style", "script", "title", "xmp")
}
_BLOCKS: Final = frozenset(
    (
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "center",
            "dd",
            "div",
            "dl",
            "dt",
            "figure",
            "footer",
            "form",
        ),
        *(
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "header",
            "main",
            "nav",
            "ol",
            "p",
            "pre",
            "section",
            "table",
            "tr",
            "ul",
        ),
    )
)
_SPACED: Final = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "pre", "dl"))
_VOID: Final = frozenset(
    ("br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "source", "wbr")
)
_LONGEST_TAG: Final = 8192  #: characters in which a `>` between quotes does not end it
_TAG: Final = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9:-]*+)((?>(?:[^>"']++|"[^"]*+"|'[^']*+')*))>""")
_OPEN: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*+)")
_ATTRIBUTE: Final = re.compile(r"""([a-zA-Z-]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")
_READ: Final = frozenset(("href", "alt", "style", "hidden"))
_SPACE: Final = re.compile(r"[ \t\r\n\f\v]+")
_HIDDEN: Final = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
#: How an address begins that is worth reading; the last one is where the recipient's own link will be (send/texts.py).
_SCHEMES: Final = ("http://", "https://", "mailto:", "tel:", "{{unsubscribe_url}}")
#: Spaces that only widen the preview of a mail.
_FILL: Final = re.compile("[\u200b\u200c\u200d\u034f\u00ad\ufeff]")


def from_html(html: str) -> str:
    """Returns the text, with LF as line break and without one at the end. Empty for HTML without words."""
    reader = _Reader()
    at = 0
    while (begin := html.find("<", at)) >= 0:
        reader.data(html[at:begin])
        at = _read_markup(html, begin, reader)
    reader.data(html[at:])
    return reader.text()


def _read_markup(html: str, begin: int, reader: "_Reader") -> int:
    """Reads what begins with a `<`. Returns where the rest begins."""
    if html.startswith(("<!", "<?"), begin):
        mark = "-->" if html.startswith("<!--", begin) else ">"
        end = html.find(mark, begin + 2)
        return len(html) if end < 0 else end + len(mark)
    found = _TAG.match(html, begin, begin + _LONGEST_TAG)
    if found is not None:
        end, attributes = found.end(), found[3]
    else:
        found = _OPEN.match(html, begin)
        if found is None:
            reader.data("<")
            return begin + 1
        end = html.find(">", found.end()) + 1
        if end == 0:
            return len(html)
        attributes = html[found.end() : end - 1]
    name = found[2].lower()
    if found[1]:
        reader.end(name)
    elif (closing := _RAW.get(name)) is not None:
        close = closing.search(html, end)
        return len(html) if close is None else close.end()
    else:
        reader.start(name, _attributes(attributes))
    return end


def _attributes(text: str) -> dict[str, str]:
    return {
        name: entities.unescape(value[1:-1] if value[:1] in ("'", '"') else value)
        for found in _ATTRIBUTE.finditer(text)
        if (name := found[1].lower()) in _READ
        for value in (found[2] or "",)
    }


class _Reader:
    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._breaks = 2  #: line breaks that are at the end already
        self._wanted = 0  #: line breaks that come before the next words
        self._space = False  #: white space comes before the next words
        self._skipped = ""  #: the element that is left out
        self._depth = 0  #: how many of its name are open
        self._links: list[tuple[str, int]] = []  #: the address, and where its words begin
        self._lists: list[int] = []  #: the number of the last item; -1: not numbered
        self._pre = 0

    def text(self) -> str:
        return "".join(self._pieces).strip("\n ")

    def start(self, tag: str, found: Mapping[str, str]) -> None:
        if self._skipped:
            self._depth += tag == self._skipped
            return
        if tag in _SKIPPED or "hidden" in found or _HIDDEN.search(found.get("style", "")):
            if tag not in _VOID:
                self._skipped, self._depth = tag, 1
            return
        if tag == "br":
            self._break(min(self._wanted + 1, 2) if self._wanted or self._breaks else 1)
        elif tag == "hr":
            self._break(1)
            self._words("-" * 40)
            self._break(1)
        elif tag == "img":
            self._words(_SPACE.sub(" ", found.get("alt", "")).strip())
        elif tag == "a":
            self._links.append((found.get("href", "").strip(), len(self._pieces)))
        elif tag == "li":
            self._item()
        elif tag in ("td", "th"):
            self._space = True
        elif tag in _BLOCKS:
            self._break(2 if tag in _SPACED and not self._lists else 1)
            if tag in ("ul", "ol"):
                self._lists.append(-1 if tag == "ul" else 0)
        self._pre += tag == "pre"

    def end(self, tag: str) -> None:
        if self._skipped:
            self._depth -= tag == self._skipped
            self._skipped = self._skipped if self._depth else ""
            return
        if tag == "a" and self._links:
            self._link(*self._links.pop())
        elif tag in ("td", "th"):
            self._space = True
        elif tag == "li":
            self._break(1)
        elif tag in _BLOCKS:
            if tag in ("ul", "ol") and self._lists:
                self._lists.pop()
            self._break(2 if tag in _SPACED and not self._lists else 1)
        self._pre = max(self._pre - (tag == "pre"), 0)

    def data(self, raw: str) -> None:
        if self._skipped or not raw:
            return
        data = _FILL.sub("", entities.unescape(raw).replace("\u00a0", " "))
        if self._pre:
            self._words(data.replace("\r\n", "\n"))
            return
        words = _SPACE.sub(" ", data)
        if words.startswith(" "):
            self._space = True
        if words.strip():
            self._words(words.strip())
            self._space = words.endswith(" ")

    def _item(self) -> None:
        self._break(1)
        mark = "-"
        if self._lists and self._lists[-1] >= 0:
            self._lists[-1] += 1
            mark = f"{self._lists[-1]}."
        self._words("  " * min(len(self._lists) - 1, 8) + mark)
        self._space = True

    def _link(self, address: str, begin: int) -> None:
        words = "".join(self._pieces[begin:]).strip()
        same = words in (address, address.removeprefix("mailto:"), address.removeprefix("tel:"))
        if not address.lower().startswith(_SCHEMES) or (words and same):
            return
        self._space = bool(words)
        self._words(f"({address})" if words else address)

    def _break(self, count: int) -> None:
        self._wanted = max(self._wanted, count)
        self._space = False

    def _words(self, words: str) -> None:
        if not words:
            return
        if self._wanted > self._breaks:
            self._pieces.append("\n" * (self._wanted - self._breaks))
        elif self._space and not self._breaks and not self._wanted:
            self._pieces.append(" ")
        self._pieces.append(words)
        self._breaks = self._wanted = 0
        self._space = False
