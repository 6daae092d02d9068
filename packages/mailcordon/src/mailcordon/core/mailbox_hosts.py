"""Tells from a domain's DNS records who receives its mail, and who has the mailboxes behind a gateway. Pure.

A rule is the end of a host name, from one label to the next: `google.com` covers `aspmx.l.google.com`, and neither
`notgoogle.com` nor `google.com.evil.example`. The rules are ours, written from what the providers ask their customers to publish
(docs/providers.md).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from mailcordon.core.provider import Provider


class Found(IntEnum):
    """What the look-up of a domain's MX records brought. Numbers are stored."""

    FAILED = 0  #: no answer: nothing is known of the domain
    RECORDS = 1
    IMPLICIT = 2  #: no MX, and an address that receives the mail instead (RFC 5321, 5.1)
    NULL_MX = 3  #: the domain takes no mail (RFC 7505)
    NO_NAME = 4
    NOTHING = 5  #: neither MX nor address


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What a domain publishes. Names are in lower case, without a final dot."""

    mx: tuple[tuple[int, str], ...] = ()  #: preference and host
    spf: str | None = None
    autodiscover: tuple[
        str, ...
    ] = ()  #: where mail programs are sent to: targets of the CNAME or SRV records


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    provider: Provider
    behind: Provider | None = None  #: who has the mailboxes, if it is somebody else and that is known
    hosts: tuple[str, ...] = ()  #: that decided it


#: `*` is any one label. The most labels win.
_HOSTS: dict[Provider, str] = {
    Provider.GMAIL: "google.com googlemail.com psmtp.com",
    Provider.MICROSOFT: "outlook.com mx.microsoft hotmail.com protection.office365.us partner.outlook.cn messaging.microsoft.com",
    Provider.YAHOO: "yahoodns.net yahoo.com aol.com",
    Provider.YAHOO_JAPAN: "yahoo.co.jp",
    Provider.APPLE: "icloud.com mail.me.com",
    Provider.GMX: "gmx.net gmx.com web.de mail.com",
    Provider.COMCAST: "comcast.net",
    Provider.PROTON: "protonmail.ch proton.me proton.ch",
    Provider.ZOHO: "zoho.com zoho.eu zoho.in zoho.com.au zoho.com.cn zoho.jp zoho.sa zoho.uk zohocloud.ca zohomail.com",
    Provider.MAILRU: "mail.ru",
    Provider.YANDEX: "yandex.net yandex.ru",
    Provider.QQ: "qq.com",
    Provider.NETEASE: "163.com 126.com netease.com",
    Provider.FASTMAIL: "messagingengine.com",
    Provider.TELEKOM: "t-online.de",
    Provider.ORANGE: "orange.fr wanadoo.fr",
    Provider.BIGPOND: "bigpond.com",
    Provider.BLUEWIN: "bluewin.ch",
    Provider.BT: "btinternet.com bt.com",
    Provider.CHARTER: "charter.net spectrum.net",
    Provider.FREE: "free.fr",
    Provider.HEY: "hey.com",
    Provider.KPN: "kpnmail.nl",
    Provider.LIBERO: "libero.it",
    Provider.NAVER: "naver.com worksmobile.com",
    Provider.ONET: "onet.pl onet.eu",
    Provider.POSTEO: "posteo.de",
    Provider.PROXIMUS: "proximus.be skynet.be",
    Provider.RAMBLER: "rambler.ru",
    Provider.SEZNAM: "seznam.cz",
    Provider.TUTA: "tutanota.de tutanota.com tuta.com",
    Provider.UOL: "uol.com.br",
    Provider.ZIGGO: "ziggo.nl",
    Provider.ALIYUN: "mxhichina.com qiye.aliyun.com mxw.aliyun.com",
    Provider.DAUM: "hanmail.net daum.net kakao.com",
    Provider.DOCOMO: "docomo.ne.jp",
    Provider.FREENET: "freenet.de",
    Provider.INTERIA: "interia.pl",
    Provider.LAPOSTE: "laposte.net",
    Provider.MAILBOX_ORG: "mailbox.org",
    Provider.REDIFF: "rediffmail.com rediff.com",
    Provider.SFR: "sfr.fr",
    Provider.TELENET: "telenet-ops.be telenet.be",
    Provider.TISCALI: "tiscali.it",
    Provider.WP: "wp.pl",
    Provider.AWS: "inbound-smtp.*.amazonaws.com inbound-smtp.*.awsapps.com",
    Provider.ALL_INKL: "kasserver.com",
    Provider.ARUBA: "aruba.it",
    Provider.DREAMHOST: "dreamhost.com",
    Provider.GANDI: "mail.gandi.net",
    Provider.GODADDY: "smtp.secureserver.net mailstore1.secureserver.net smtp.*.secureserver.net mailstore1.*.secureserver.net",
    Provider.HETZNER: "your-server.de",
    Provider.HOSTINGER: "hostinger.com hostinger.mx hostinger.in hostinger.co hostinger.es hostinger.fr "
    "hostinger.co.uk hostinger.com.br",
    Provider.INFOMANIAK: "infomaniak.ch infomaniak.com",
    Provider.IONOS: "ionos.de ionos.com ionos.es ionos.mx ionos.fr ionos.it ionos.co.uk ionos.at ionos.ca ionos.us "
    "kundenserver.de 1and1.com 1and1.co.uk 1and1.fr 1and1.es 1and1.it 1und1.de perfora.net schlund.de",
    Provider.LOCAWEB: "locaweb.com.br",
    Provider.LOOPIA: "loopia.se",
    Provider.MIGADU: "migadu.com",
    Provider.NAMECHEAP: "privateemail.com registrar-servers.com jellyfish.systems",
    Provider.NETCUP: "netcup.net",
    Provider.ONE_COM: "one.com",
    Provider.OPENSRS: "hostedemail.com",
    Provider.OVH: "mail.ovh.net mail.ovh.ca mx0.ovh.net mx1.ovh.net mx2.ovh.net mx3.ovh.net mx4.ovh.net mxb.ovh.net",
    Provider.RACKSPACE: "emailsrvr.com",
    Provider.STRATO: "rzone.de",
    Provider.TITAN: "titan.email flockmail.com",
    Provider.ABXSEC: "abxsec.com",
    Provider.APPRIVER: "arsmtp.com appriver.com",
    Provider.BARRACUDA: "barracudanetworks.com",
    Provider.CISCO: "iphmx.com",
    Provider.CLOUDFLARE: "mx.cloudflare.net mxrecord.io mxrecord.mx area1security.com",
    Provider.FORCEPOINT: "mailcontrol.com",
    Provider.FORTINET: "fortimailcloud.com fortimail.com",
    Provider.HORNETSECURITY: "hornetsecurity.com antispameurope.com",
    Provider.MIMECAST: "mimecast.com mimecast.co.za mimecast-offshore.com",
    Provider.N_ABLE: "mtaroutes.com spamexperts.com spamexperts.eu spamexperts.net antispamcloud.com",
    Provider.NOSPAMPROXY: "nospamproxy.com",
    Provider.PROOFPOINT: "pphosted.com ppe-hosted.com gpphosted.com ppops.net",
    Provider.SEPPMAIL: "seppmail.cloud",
    Provider.SOPHOS: "sophos.com reflexion.net",
    Provider.SYMANTEC: "messagelabs.com messagelabs.net",
    Provider.TRENDMICRO: "trendmicro.com trendmicro.eu trendmicro.co.jp",
    Provider.VADE: "vadesecure.com",
    Provider.VIPRE: "mailanyone.net mx25.net",
    Provider.ZEROSPAM: "zerospam.ca",
    Provider.TRELLIX: "fireeyecloud.com fireeyegov.com mxlogic.net",
    Provider.MAILROUTE: "mailroute.net",
    Provider.RETARUS: "retarus.com",
    Provider.IMPROVMX: "improvmx.com",
    Provider.FORWARDEMAIL: "forwardemail.net",
    Provider.SIMPLELOGIN: "simplelogin.co",
    Provider.DUCKDUCKGO: "duckduckgo.com",
    Provider.ADDY: "anonaddy.com anonaddy.me addy.io",
    Provider.MAILGUN: "mailgun.org",
    Provider.SENDGRID: "sendgrid.net",
    Provider.POSTMARK: "inbound.postmarkapp.com",
}
#: Below a rule, and still nobody's mail service: servers that the provider's customers rent.
_RENTED = ("clients.your-server.de", "invalid")
#: Where mail programs find the mailboxes, and whom SPF lets send for a domain: of those whom companies put gateways before.
_MAILBOXES: dict[Provider, tuple[str, str]] = {
    Provider.MICROSOFT: (
        "outlook.com office365.us partner.outlook.cn",
        "spf.protection.outlook.com spf.protection.office365.us",
    ),
    Provider.GMAIL: ("google.com googlehosted.com", "_spf.google.com"),
    Provider.AWS: ("awsapps.com", ""),
    Provider.INFOMANIAK: ("infomaniak.com infomaniak.ch", "spf.infomaniak.ch"),
    Provider.IONOS: ("ionos.info 1and1.info", "_spf.kundenserver.de _spf.perfora.net _spf.ionos.com"),
    Provider.OVH: ("mail.ovh.net", "mx.ovh.com"),
    Provider.RACKSPACE: ("emailsrvr.com", "emailsrvr.com"),
    Provider.ZOHO: ("zoho.com zoho.eu", "zoho.com zoho.eu zohomail.com"),
}
_MOST_HOSTS = 10  #: that are kept as the reason


def _by_end(rules: Iterable[tuple[Provider, str]]) -> dict[str, Provider]:
    return {end: provider for provider, ends in rules for end in ends.split()}


_ENDS = _by_end(_HOSTS.items())
_AUTODISCOVER = _by_end((provider, ends) for provider, (ends, _) in _MAILBOXES.items())
_SPF = {end: provider for provider, (_, ends) in _MAILBOXES.items() for end in ends.split()}


def of_host(host: str) -> Provider | None:
    """Who runs a mail server, by its name."""
    host = host.removesuffix(".").lower()
    if _below(host, _RENTED):
        return None
    return _longest(host, _ENDS)


def hosting(records: Records) -> Hosting:
    """Who receives the mail of a domain with these MX records: of the hosts with the best preference, most decide."""
    real = [(preference, host) for preference, host in records.mx if host and not _below(host, ("invalid",))]
    if not real:
        return Hosting(provider=Provider.OTHER, behind=_mailboxes(records, Provider.OTHER))
    best = min(preference for preference, _ in real)
    first = sorted(host for preference, host in real if preference == best)
    known = {host: whose for host in first if (whose := of_host(host)) is not None}
    if not known:
        return Hosting(
            provider=Provider.OTHER,
            behind=_mailboxes(records, Provider.OTHER),
            hosts=tuple(first[:_MOST_HOSTS]),
        )
    count = Counter(known.values())
    # A gateway beside mailboxes is meant to be passed by all mail; the highest numbers are theirs.
    provider = max(count, key=lambda one: (one.kind == "gateway", count[one], -one))
    return Hosting(
        provider=provider,
        behind=_mailboxes(records, provider),
        hosts=tuple(host for host, whose in known.items() if whose is provider)[:_MOST_HOSTS],
    )


def _mailboxes(records: Records, provider: Provider) -> Provider | None:
    """Who has the mailboxes, if the MX records name somebody else: where mail programs are sent to; else another MX host; else
    the only one of those with mailboxes that SPF lets send."""
    if provider.kind == "mailbox":
        return None
    told = {whose for name in records.autodiscover if (whose := _longest(name, _AUTODISCOVER)) is not None}
    if not told:
        others = (of_host(host) for _, host in records.mx)
        told = {whose for whose in others if whose is not None and whose.kind == "mailbox"}
    if not told:
        told = {whose for name in _included(records.spf) if (whose := _SPF.get(name)) is not None}
    return told.pop() if len(told) == 1 and provider not in told else None


def _included(spf: str | None) -> Sequence[str]:
    """The names that a record of SPF refers to by `include` or `redirect` (RFC 7208)."""
    parts = [word.lstrip("+?~") for word in (spf or "").lower().split()]
    named = [part.removeprefix("include:").removeprefix("redirect=") for part in parts]
    return [name.removesuffix(".") for name, part in zip(named, parts, strict=True) if name != part]


def _longest(name: str, ends: dict[str, Provider]) -> Provider | None:
    labels = name.split(".")
    for start in range(len(labels) - 1):
        end = ".".join(labels[start:])
        if (whose := ends.get(end)) is not None:
            return whose
        if (
            start + 2 < len(labels)
            and (whose := ends.get(f"{labels[start]}.*.{'.'.join(labels[start + 2 :])}")) is not None
        ):
            return whose
    return None


def _below(name: str, ends: Sequence[str]) -> bool:
    return any(name == end or name.endswith("." + end) for end in ends)
