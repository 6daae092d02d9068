"""Domains that read like another one."""

import pytest

from mailcordon.core import domain as domains
from mailcordon.core.look_alikes import skeleton


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("acme.com", "асме.com"),  # all Cyrillic
        ("acme.com", "аcme.com"),  # one Cyrillic letter
        ("acme.com", "acmé.com"),
        ("paypal.com", "paypaI.com".lower().replace("i", "1")),
        ("google.com", "g00gle.com"),
        ("apple.com", "аррӏе.com"),
        ("modern.com", "modem.com"),
        ("omega.com", "οmega.com"),  # a Greek omicron
        ("wallet.com", "vvallet.com"),
        ("mail.acme.com", "mail.асme.com"),
    ],
)
def test_names_that_read_alike_have_one_skeleton(one: str, other: str) -> None:
    assert domains.parse(one) != domains.parse(other)
    assert skeleton(domains.parse(one)) == skeleton(domains.parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("acme.com", "acne.com"), ("acme.com", "acme.net"), ("zen.com", "zeb.com"), ("почта.com", "nota.com")],
)
def test_names_that_read_differently_have_different_skeletons(one: str, other: str) -> None:
    assert skeleton(domains.parse(one)) != skeleton(domains.parse(other))


@pytest.mark.parametrize("domain", ["xn--a.com", "xn--99999999.com", "xn--.com"])
def test_a_label_that_is_no_international_name_is_compared_as_it_is(domain: str) -> None:
    assert isinstance(skeleton(domain), str)
