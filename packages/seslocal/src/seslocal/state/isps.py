"""Mailbox providers (ISPs) by recipient domain, in Virtual Deliverability Manager's names. SES identifies them by the receiving
server. A domain that is not in the table has SES's value for an unknown provider."""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = "UNKNOWN_ISP"
GMAIL: Final = "Gmail"
_DOMAINS: Final = {
    GMAIL: "gmail.com googlemail.com",
    "Yahoo": "yahoo.com yahoo.co.uk yahoo.co.in yahoo.ca yahoo.com.br yahoo.de yahoo.es yahoo.fr ymail.com rocketmail.com",
    "AOL": "aol.com aim.com",
    "Microsoft": "outlook.com hotmail.com hotmail.co.uk hotmail.de hotmail.es hotmail.fr hotmail.it live.com live.co.uk msn.com",
    "Apple": "icloud.com me.com mac.com",
    "Comcast": "comcast.net",
    "ATT": "att.net sbcglobal.net bellsouth.net",
    "Cox": "cox.net",
    "GMX": "gmx.com gmx.net gmx.de gmx.at gmx.ch",
    "WEB_DE": "web.de",
    "T-Online": "t-online.de",
    "Orange": "orange.fr wanadoo.fr",
    "Free": "free.fr",
    "Libero": "libero.it",
    "Mail_Ru": "mail.ru bk.ru inbox.ru list.ru",
    "Yandex": "yandex.ru yandex.com ya.ru",
    "QQ": "qq.com foxmail.com",
    "NetEase": "163.com 126.com yeah.net",
    "Naver": "naver.com",
    "Yahoo_Japan": "yahoo.co.jp",
    "UOL": "uol.com.br bol.com.br",
    "Proton": "proton.me protonmail.com pm.me",
    "Zoho": "zoho.com zohomail.com",
}
_BY_DOMAIN: Final = {domain: isp for isp, domains in _DOMAINS.items() for domain in domains.split()}


def isp_of(recipient: str) -> str:
    return _BY_DOMAIN.get(recipient.rpartition("@")[2].lower(), UNKNOWN)


def has_feedback_loop(isp: str) -> bool:
    """Gmail has no feedback loop that SES is part of (ses.md 8.1)."""
    return isp != GMAIL
