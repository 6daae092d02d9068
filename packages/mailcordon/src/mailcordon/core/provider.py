"""Mailbox providers, recognised by the domains that they offer to the public.

Custom domains hosted there are "other": there is no MX look-up yet.
"""

from enum import IntEnum

from mailcordon.messages import api


class Provider(IntEnum):
    OTHER = 0
    GMAIL = 1
    MICROSOFT = 2
    YAHOO = 3
    APPLE = 4
    GMX = 5
    COMCAST = 6
    PROTON = 7
    ZOHO = 8
    MAILRU = 9
    YANDEX = 10
    QQ = 11
    NETEASE = 12
    FASTMAIL = 13
    TELEKOM = 14
    ORANGE = 15

    @property
    def word(self) -> str:
        return self.name.lower()


_DOMAINS: dict[Provider, str] = {
    Provider.GMAIL: "gmail.com googlemail.com",
    Provider.MICROSOFT: "outlook.com hotmail.com live.com msn.com hotmail.co.uk hotmail.fr hotmail.de hotmail.it hotmail.es "
    "live.co.uk live.nl live.de live.fr outlook.de outlook.fr outlook.es outlook.jp passport.com windowslive.com",
    Provider.YAHOO: "yahoo.com yahoo.co.uk yahoo.fr yahoo.de yahoo.it yahoo.es yahoo.ca yahoo.com.br yahoo.co.in yahoo.in "
    "ymail.com rocketmail.com aol.com aim.com verizon.net sky.com netscape.net att.net sbcglobal.net bellsouth.net",
    Provider.APPLE: "icloud.com me.com mac.com",
    Provider.GMX: "gmx.de gmx.net gmx.com gmx.at gmx.ch web.de mail.com email.com 1und1.de",
    Provider.COMCAST: "comcast.net xfinity.com",
    Provider.PROTON: "proton.me protonmail.com protonmail.ch pm.me",
    Provider.ZOHO: "zoho.com zohomail.com zoho.eu zohomail.eu zoho.in",
    Provider.MAILRU: "mail.ru bk.ru inbox.ru list.ru internet.ru",
    Provider.YANDEX: "yandex.ru yandex.com ya.ru yandex.kz yandex.by",
    Provider.QQ: "qq.com foxmail.com vip.qq.com",
    Provider.NETEASE: "163.com 126.com yeah.net vip.163.com",
    Provider.FASTMAIL: "fastmail.com fastmail.fm messagingengine.com",
    Provider.TELEKOM: "t-online.de magenta.de",
    Provider.ORANGE: "orange.fr wanadoo.fr",
}
_OTHER = Provider.OTHER
_BY_DOMAIN = {domain: provider for provider, names in _DOMAINS.items() for domain in names.split()}


def of(domain: str) -> Provider:
    return _BY_DOMAIN.get(domain, _OTHER)


def parse_provider(word: str) -> Provider:
    """Raises ValueError, whose message lists the providers."""
    try:
        return Provider[word.upper()]
    except KeyError:
        raise ValueError(api.not_one_of([each.word for each in Provider])) from None
