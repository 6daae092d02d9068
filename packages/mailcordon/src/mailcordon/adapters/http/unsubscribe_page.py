"""The page behind a link to unsubscribe: HTML without scripts, pictures or anything from elsewhere."""

import base64
import hashlib
from html import escape

from mailcordon.messages import unsubscribe as messages
from mailcordon.observe.unsubscribing import Subscription, Subscriptions

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}"
    "h1{font-size:1.25rem}button{font:inherit;padding:.5rem 1.25rem}ul{list-style:none;padding:0}li{margin:.5rem 0}"
    "small{color:#555;display:block;margin-left:1.6rem}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}

DO = "do"  #: the field that says which form it is
UNSUBSCRIBE, CHOOSE = "unsubscribe", "choose"
SHOWN, WANTED = "shown", "wanted"  #: message types: of every mailing in the list, of those with a tick


def page(found: Subscriptions, said: str | None = None) -> bytes:
    """`said`: what has just been done."""
    parts = [f"<p><strong>{escape(said)}</strong></p>"] if said else []
    linked = found.linked
    if linked.unsubscribed:
        parts.append(f"<p>{escape(messages.unsubscribed(linked.type, found.sender))}</p>")
    else:
        parts.append(f"<p>{escape(messages.question(linked.type, linked.description))}</p>")
        label = escape(messages.unsubscribe_button())
        parts.append(f'<form method="post"><button name="{DO}" value="{UNSUBSCRIBE}">{label}</button></form>')
    if found.marketing:
        rows = "".join(_row(one) for one in found.marketing)
        parts.append(
            f'<hr><form method="post"><p>{escape(messages.preferences())}</p><ul>{rows}</ul>'
            f'<button name="{DO}" value="{CHOOSE}">{escape(messages.save_button())}</button></form>'
        )
    return _whole(messages.title(found.sender), "".join(parts))


def notice(text: str) -> bytes:
    """A page that says one thing."""
    return _whole(text, f"<p>{escape(text)}</p>")


def _row(one: Subscription) -> str:
    type = escape(one.type)
    if one.stopped:
        note = escape(messages.stopped_otherwise())
        return f'<li><label><input type="checkbox" disabled> {type}</label><small>{note}</small></li>'
    tick = "" if one.unsubscribed else " checked"
    return (
        f'<li><input type="hidden" name="{SHOWN}" value="{type}">'
        f'<label><input type="checkbox" name="{WANTED}" value="{type}"{tick}> {type}</label>'
        f"<small>{escape(one.description)}</small></li>"
    )


def _whole(title: str, body: str) -> bytes:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    ).encode()
