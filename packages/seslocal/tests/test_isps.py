"""Mailbox providers by recipient domain, in SES's names."""

import pytest

from seslocal.state.isps import UNKNOWN, has_feedback_loop, isp_of


@pytest.mark.parametrize(
    ("recipient", "isp"),
    [
        ("kim@gmail.com", "Gmail"),
        ("kim@Hotmail.co.jp", "Microsoft"),
        ("kim@yahoo.com.sg", "Yahoo"),
        ("kim@aol.fr", "AOL"),
        ("kim@yahoo.co.jp", "Yahoo_Japan"),
        ("kim@gmx.co.uk", "GMX"),
        ("kim@web.de", "WEB_DE"),
        ("kim@cox.net", "Cox"),
        ("kim@posteo.de", UNKNOWN),
        ("kim@hotmail.example", UNKNOWN),
        ("kim@not-gmail.com", UNKNOWN),
    ],
)
def test_a_recipients_provider_is_told_by_the_domain(recipient: str, isp: str) -> None:
    assert isp_of(recipient) == isp


def test_gmail_alone_has_no_feedback_loop() -> None:
    assert not has_feedback_loop(isp_of("kim@gmail.com"))
    assert has_feedback_loop(isp_of("kim@yahoo.com"))
