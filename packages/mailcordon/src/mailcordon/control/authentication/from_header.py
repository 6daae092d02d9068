"""The domain that DMARC is about in a From header as it arrived: somebody else wrote it, so it may break every rule.

What the platform sends is read by core/address.py, which refuses what is not plain.
"""

import re

_MASKED = "\x00"  #: in place of what is quoted or a comment, which names no address
_IN_ANGLES = re.compile(r"<([^<>]*@[^<>]*)>")
_PLAIN = re.compile(r"[^\s<>,;:]+@([^\s<>,;:@\x00]+)")
_DOMAIN = re.compile(r"[^\s<>()\[\]\\,;:@\"\x00]+")


def domain_of(header: str) -> str | None:
    """The domain of the first address, in lower case. None if there is no address."""
    for mailbox in _mailboxes(_masked(header)):
        in_angles = _IN_ANGLES.findall(mailbox)
        address = in_angles[0] if in_angles else mailbox
        found = _PLAIN.search(address) if not in_angles else None
        domain = found[1] if found else address.rpartition("@")[2].strip() if in_angles else ""
        if _DOMAIN.fullmatch(domain):
            return domain.removesuffix(".").lower()
    return None


def _masked(text: str) -> str:
    """Without quoted strings and comments, which may be nested (RFC 5322 3.2.2)."""
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for character in text:
        inside = quoted or depth > 0
        if escaped:
            escaped = False
        elif character == "\\" and inside:
            escaped = True
        elif character == '"' and depth == 0:
            quoted = not quoted
        elif character == "(" and not quoted:
            depth += 1
        elif character == ")" and not quoted and depth:
            depth -= 1
        elif not inside:
            kept.append(character)
            continue
        kept.append(_MASKED)
    return "".join(kept)


def _mailboxes(text: str) -> list[str]:
    """Parts between commas, except for commas in angle brackets (an obsolete route: `<@a,@b:kim@c.example>`)."""
    parts, depth = [""], 0
    for character in text:
        depth = max(0, depth + (character == "<") - (character == ">"))
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
