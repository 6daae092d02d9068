"""DKIM key records (RFC 6376 3.6.1)."""

import pytest

from mailcordon.control.authentication import dkim_record

KEY = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC6WzDV7X0s"


@pytest.mark.parametrize(
    "text",
    [
        f"v=DKIM1; k=rsa; p={KEY}",
        f"p={KEY}",
        f"v=DKIM1;h=sha1:sha256;s=email;t=y:s;n=a note;p={KEY[:20]} \t{KEY[20:]};",
    ],
)
def test_a_key_that_receivers_use_is_usable(text: str) -> None:
    found = dkim_record.parse(text)
    assert (found.key, found.why) == (KEY, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("v=DKIM1; k=rsa", "it has no key (p=)"),
        ("v=DKIM1; p=", "the key was revoked (p= is empty)"),
        (f"p={KEY}; v=DKIM1", "v=DKIM1 must be first"),
        (f"v=DKIM2; p={KEY}", "v=DKIM1 must be first"),
        ("v=DKIM1; p=not*base64", "the key is not base64"),
        (f"v=DKIM1; k=ed25519; p={KEY}", "the key type is ed25519, and SES signs with RSA"),
        (f"v=DKIM1; h=sha1; p={KEY}", "it does not allow SHA-256"),
        (f"v=DKIM1; s=tlsrpt; p={KEY}", "it is not for e-mail (s=)"),
        (f"v=DKIM1; p={KEY}; p={KEY}", "the tag p is there twice"),
        (f"v=DKIM1; p={KEY}; caf\xe9", "`caf\xe9` is not a tag"),
        ("", "it has no key (p=)"),
    ],
)
def test_what_makes_a_key_useless_is_said(text: str, why: str) -> None:
    assert dkim_record.parse(text).why == why
