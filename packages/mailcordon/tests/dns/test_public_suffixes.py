"""The public suffix list, with its private part."""

import pytest

from mailcordon.adapters.dns.public_suffixes import PublicSuffixes

SUFFIXES = PublicSuffixes()


@pytest.mark.parametrize("domain", ["co.uk", "github.io", "com", "kobe.jp", "xn--55qx5d.cn", "anything.ck"])
def test_a_public_suffix_has_no_registrable_domain(domain: str) -> None:
    assert SUFFIXES.registrable(domain) is None


@pytest.mark.parametrize(
    ("domain", "registrable"),
    [
        ("mail.acme.co.uk", "acme.co.uk"),
        ("acme.github.io", "acme.github.io"),
        ("a.b.acme.test", "acme.test"),
        ("www.ck", "www.ck"),
        ("city.kobe.jp", "city.kobe.jp"),
    ],
)
def test_the_registrable_domain_is_one_label_below_the_suffix(domain: str, registrable: str) -> None:
    assert SUFFIXES.registrable(domain) == registrable
