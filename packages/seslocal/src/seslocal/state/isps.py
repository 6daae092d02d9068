"""Mailbox providers (ISPs) by recipient domain, in Virtual Deliverability Manager's names. SES identifies them by the receiving
server. A domain that is not in the table has SES's value for an unknown provider."""

from __future__ import annotations

from pathlib import Path
from typing import Final

UNKNOWN: Final = "UNKNOWN_ISP"
GMAIL: Final = "Gmail"
#: Families of mailbox_domains.txt and SES's names for them. The others are unknown to SES.
_NAMES: Final = {
    "gmail": GMAIL,
    "yahoo": "Yahoo",
    "aol": "AOL",
    "microsoft": "Microsoft",
    "apple": "Apple",
    "comcast": "Comcast",
    "att": "ATT",
    "gmx": "GMX",
    "web.de": "WEB_DE",
    "telekom": "T-Online",
    "orange": "Orange",
    "free": "Free",
    "libero": "Libero",
    "mailru": "Mail_Ru",
    "yandex": "Yandex",
    "qq": "QQ",
    "netease": "NetEase",
    "naver": "Naver",
    "yahoo-japan": "Yahoo_Japan",
    "uol": "UOL",
    "proton": "Proton",
    "zoho": "Zoho",
}


def _read(text: str) -> dict[str, str]:
    by_domain = {"cox.net": "Cox"}
    for line in text.splitlines():
        family, *domains = line.split() or [""]
        if (name := _NAMES.get(family.removesuffix("*"))) is not None:
            by_domain.update(dict.fromkeys(domains, name))
    return by_domain


_BY_DOMAIN: Final = _read(Path(__file__).with_name("mailbox_domains.txt").read_text(encoding="utf-8"))


def isp_of(recipient: str) -> str:
    return _BY_DOMAIN.get(recipient.rpartition("@")[2].lower(), UNKNOWN)


def has_feedback_loop(isp: str) -> bool:
    """Gmail has no feedback loop that SES is part of (ses.md 8.1)."""
    return isp != GMAIL
