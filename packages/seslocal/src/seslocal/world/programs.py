"""The programs that people read mail with and the machines that read it before them, as the sender's tracking sees them: their
User-Agent and address. Addresses are those of documentation (RFC 5737)."""

from __future__ import annotations

from typing import Final

import msgspec

#: Bird (bird.com, 4 insights on iOS 15 Mail Privacy Protection): Apple's proxies send this alone
APPLE_PROXY: Final = "Mozilla/5.0"
#: scientiamobile.com, What is Google Image Proxy
GOOGLE_PROXY: Final = (
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
)
#: SparkPost (sparkpost.com/blog/gmail-prefetching-images): fetched before the mail is shown
GOOGLE_PREFETCH: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
)
#: as trackers list it, with Yahoo's own page on it
YAHOO_PROXY: Final = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
_IPHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
)
_IPHONE_SAFARI: Final = _IPHONE + " Version/17.5 Mobile/15E148 Safari/604.1"
_ANDROID: Final = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/125.0.0.0 Mobile Safari/537.36"
)
_WINDOWS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/125.0.0.0 Safari/537.36"
)
_OUTLOOK: Final = (
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; .NET4.0E; "
    "Microsoft Outlook 16.0.17628; ms-office; MSOffice 16)"
)

#: What link scanners call themselves: the first and the last are in the list of bots that HubSpot's tracking drops, the second
#: says that it is a browser, as most do (Act-On university, False positives in email clicks).
SCANNERS: Final = ("Barracuda Sentinel (EE)", _WINDOWS, "python-requests/2.28.0")


class Program(msgspec.Struct, frozen=True, kw_only=True):
    opens: (
        str  #: User-Agent that fetches the pictures when a person opens a mail; "": pictures are switched off
    )
    clicks: str  #: User-Agent that follows a link: the person's browser
    proxy: str = ""  #: whose proxy fetches the pictures, of PROXIES; "": the person's own address is seen
    prefetches: str = ""  #: User-Agent that may fetch the pictures before the person opens the mail
    #: after that fetch an open fetches nothing more. Google's proxy fetches again at the open.
    keeps: bool = False
    blocks: bool = False  #: some switch the pictures off


PROGRAMS: Final = {
    "apple_mail": Program(
        opens=APPLE_PROXY, clicks=_IPHONE_SAFARI, proxy="apple", prefetches=APPLE_PROXY, keeps=True
    ),
    "gmail": Program(opens=GOOGLE_PROXY, clicks=_ANDROID, proxy="google", prefetches=GOOGLE_PREFETCH),
    "yahoo": Program(opens=YAHOO_PROXY, clicks=_ANDROID, proxy="yahoo"),
    "outlook": Program(opens=_OUTLOOK, clicks=_WINDOWS, blocks=True),
    "browser": Program(opens=_WINDOWS, clicks=_WINDOWS),
    "iphone": Program(opens=_IPHONE + " Mobile/15E148", clicks=_IPHONE_SAFARI),
    "android": Program(opens=_ANDROID, clicks=_ANDROID),
}

#: a program that blocks pictures, of those who leave it so
OUTLOOK_WITHOUT_PICTURES: Final = Program(opens="", clicks=_WINDOWS)

#: 62 addresses each
PROXIES: Final = {
    name: tuple(f"203.0.113.{start + number}" for number in range(1, 63))
    for name, start in (("apple", 0), ("google", 64), ("yahoo", 128), ("scanner", 192))
}
_PEOPLE: Final = tuple(f"198.51.100.{number}" for number in range(1, 255))


def proxy_address(proxy: str, chance: float) -> str:
    """`chance` is uniform in [0, 1)."""
    return PROXIES[proxy][int(chance * 61.999)]


def own_address(chance: float) -> str:
    """Returns the address of a person. `chance` is uniform in [0, 1) and always the same for one person."""
    return _PEOPLE[int(chance * 253.999)]
