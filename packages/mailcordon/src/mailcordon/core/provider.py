"""Mailbox providers: who receives the mail of a recipient's domain (docs/providers.md).

A domain that a provider offers to the public is known by its name. Whose a company's domain is, its MX records say: they are
looked up in the background, so a domain is UNKNOWN until that was done.
"""

from enum import IntEnum
from pathlib import Path

from mailcordon.messages import api


class Provider(IntEnum):
    """Numbers are stored: they are never changed or given again."""

    UNKNOWN = -1  #: not looked up yet, or no look-up has been answered
    OTHER = 0  #: looked up, and none of those below

    # Who has the mailboxes.
    GMAIL = 1  #: Google: gmail.com and Workspace
    MICROSOFT = 2  #: outlook.com and its families, and Microsoft 365
    YAHOO = 3
    APPLE = 4
    GMX = 5  #: United Internet's mailboxes for people: gmx, web.de, mail.com
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
    BIGPOND = 16
    BLUEWIN = 17
    BT = 18
    CHARTER = 19
    FREE = 20
    HEY = 21
    KPN = 22
    LIBERO = 23
    NAVER = 24
    ONET = 25
    POSTEO = 26
    PROXIMUS = 27
    RAMBLER = 28
    SEZNAM = 29
    TUTA = 30
    UOL = 31
    ZIGGO = 32
    ALIYUN = 33
    DAUM = 34
    DOCOMO = 35
    FREENET = 36
    INTERIA = 37
    LAPOSTE = 38
    MAILBOX_ORG = 39
    REDIFF = 40
    SFR = 41
    TELENET = 42
    TISCALI = 43
    WP = 44
    AWS = 45  #: WorkMail, and mail that SES receives
    YAHOO_JAPAN = 46  #: has nothing in common with Yahoo but the name
    VIRGIN_MEDIA = 47

    # Who has the mailboxes of companies' domains beside web sites.
    ALL_INKL = 100
    ARUBA = 101
    DREAMHOST = 102
    GANDI = 103
    GODADDY = 104
    HETZNER = 105
    HOSTINGER = 106
    INFOMANIAK = 107
    IONOS = 108
    LOCAWEB = 109
    LOOPIA = 110
    MIGADU = 111
    NAMECHEAP = 112
    NETCUP = 113
    ONE_COM = 114
    OPENSRS = 115
    OVH = 116
    RACKSPACE = 117
    STRATO = 118
    TITAN = 119

    # Gateways: they receive the mail, and pass on what they let through.
    ABXSEC = 200
    APPRIVER = 201
    BARRACUDA = 202
    CISCO = 203
    CLOUDFLARE = 204
    FORCEPOINT = 205
    FORTINET = 206
    HORNETSECURITY = 207
    MIMECAST = 208
    N_ABLE = 209
    NOSPAMPROXY = 210
    PROOFPOINT = 211
    SEPPMAIL = 212
    SOPHOS = 213
    SYMANTEC = 214
    TRENDMICRO = 215
    VADE = 216
    VIPRE = 217
    ZEROSPAM = 218
    TRELLIX = 219
    MAILROUTE = 220
    RETARUS = 221

    # Forwarders: they pass all mail on to an address elsewhere.
    IMPROVMX = 300
    FORWARDEMAIL = 301
    SIMPLELOGIN = 302
    DUCKDUCKGO = 303
    ADDY = 304
    MAILGUN = 305
    SENDGRID = 306
    POSTMARK = 307

    @property
    def word(self) -> str:
        return _WORDS[self]

    @property
    def kind(self) -> str:
        """mailbox, hosting, gateway or forwarder; "" if it is none of those that are told apart."""
        return "" if self <= 0 else ("mailbox", "hosting", "gateway", "forwarder")[self // 100]

    @property
    def known(self) -> bool:
        return self is not Provider.UNKNOWN

    @property
    def named(self) -> bool:
        """Whether it is one of those that are told apart."""
        return self > Provider.OTHER


_WORDS = {each: each.name.lower().replace("_", "-") for each in Provider}
#: Other names that people use for the same.
_ALSO = {
    "google": Provider.GMAIL,
    "mail.ru": Provider.MAILRU,
    "one.com": Provider.ONE_COM,
    "t-online": Provider.TELEKOM,
    "mailbox.org": Provider.MAILBOX_ORG,
}
_BY_WORD = {word: each for each, word in _WORDS.items()} | _ALSO
#: Families of domains under names of their own that belong to one provider: one system receives their mail.
_FAMILIES = {
    "aol": Provider.YAHOO,
    "att": Provider.YAHOO,
    "mail.com": Provider.GMX,
    "web.de": Provider.GMX,
    "virgilio": Provider.LIBERO,
}


def _read(text: str) -> tuple[dict[str, Provider], frozenset[str]]:
    """Of mailbox_domains.txt: the provider of each domain, and the domains that are not offered to the public."""
    providers: dict[str, Provider] = {}
    institutions: set[str] = set()
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        family, *domains = line.split()
        name = family.removesuffix("*")
        providers.update(dict.fromkeys(domains, _FAMILIES.get(name) or _BY_WORD[name]))
        if name != family:
            institutions.update(domains)
    return providers, frozenset(institutions)


_UNKNOWN = Provider.UNKNOWN
_BY_DOMAIN, _INSTITUTIONS = _read(Path(__file__).with_name("mailbox_domains.txt").read_text())


def of(domain: str) -> Provider:
    """Of a domain in DNS form, by its name alone. UNKNOWN: no provider is known to have it, and its MX records decide."""
    return _BY_DOMAIN.get(domain, _UNKNOWN)


def offered_to_the_public(domain: str) -> bool:
    """Whether anybody can get an address there."""
    return domain in _BY_DOMAIN and domain not in _INSTITUTIONS


def parse_provider(word: str) -> Provider:
    """Raises ValueError, whose message lists the providers."""
    try:
        return _BY_WORD[word.lower()]
    except KeyError:
        raise ValueError(api.not_one_of([each.word for each in Provider])) from None
