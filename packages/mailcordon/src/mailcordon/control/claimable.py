"""Domains that no tenant can ever have: one rule for every way in which a domain is added (REST, command line, documents). Pure.

A public suffix is above the domains of many owners. A mailbox provider's domain is in the From of millions of people's own mail.
A name of SES is Amazon's. What no mail can be delivered to at all is `core/reserved_domains.py`'s.
"""

from dataclasses import dataclass

from mailcordon.control.authentication.alignment import Suffixes
from mailcordon.core import provider, reserved_domains
from mailcordon.messages import identities as words

#: Mailbox providers of the public beside those that are told apart (core/mailbox_domains.txt): the largest of each country
#: by their own pages, November 2026.
_MORE_MAILBOXES = frozenset(
    [
        "arcor.de",
        "kabelmail.de",
        "vodafone.de",
        "o2online.de",
        "hispeed.ch",
        "sunrise.ch",
        "aon.at",
        "chello.at",
        "bbox.fr",
        "talktalk.net",
        "tiscali.co.uk",
        "alice.it",
        "tim.it",
        "tin.it",
        "aruba.it",
        "fastwebnet.it",
        "telefonica.net",
        "terra.es",
        "movistar.es",
        "sapo.pt",
        "xs4all.nl",
        "centrum.cz",
        "azet.sk",
        "freemail.hu",
        "citromail.hu",
        "abv.bg",
        "mail.bg",
        "ukr.net",
        "i.ua",
        "meta.ua",
        "online.no",
        "telia.com",
        "bredband.net",
        "nate.com",
        "ezweb.ne.jp",
        "softbank.ne.jp",
        "i.softbank.jp",
        "nifty.com",
        "sina.com",
        "sina.cn",
        "sohu.com",
        "139.com",
        "189.cn",
        "21cn.com",
        "tom.com",
        "sify.com",
        "optusnet.com.au",
        "iinet.net.au",
        "xtra.co.nz",
        "terra.com.br",
        "ig.com.br",
        "globo.com",
        "cox.net",
        "earthlink.net",
        "juno.com",
        "netzero.net",
        "centurylink.net",
        "frontier.com",
        "optonline.net",
        "rogers.com",
        "bell.net",
        "shaw.ca",
        "telus.net",
        "sympatico.ca",
        "videotron.ca",
        "hushmail.com",
        "mailfence.com",
        "startmail.com",
        "runbox.com",
        "disroot.org",
        "riseup.net",
        "mozmail.com",
    ]
)
_OF_AMAZON = frozenset({"amazonses.com", "amazonaws.com"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    code: str
    sentence: str


def refusal(domain: str, *, local: bool, suffixes: Suffixes | None) -> Refusal | None:
    """Why the domain can be nobody's, or None. `domain` is in DNS form; `local` says whether the local SES is used. `suffixes`
    None: public suffixes are not known, and the caller leaves them to the server."""
    if (reserved := reserved_domains.find(domain, local)) is not None:
        return Refusal(code="reserved-domain", sentence=reserved.as_sender)
    if suffixes is not None and suffixes.registrable(domain) is None:
        return Refusal(code="public-suffix", sentence=words.public_suffix(domain))
    for name in _upwards(domain):
        if provider.offered_to_the_public(name) or name in _MORE_MAILBOXES:
            return Refusal(code="mailbox-provider", sentence=words.mailbox_providers_domain(domain, name))
        if name in _OF_AMAZON:
            return Refusal(code="domain-of-amazon", sentence=words.domain_of_amazon(domain, name))
    return None


def _upwards(domain: str) -> list[str]:
    """The domain and those above it, down to two labels."""
    labels = domain.split(".")
    return [".".join(labels[n:]) for n in range(len(labels) - 1)]
