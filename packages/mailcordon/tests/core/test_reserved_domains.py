"""Domains to which no mail can be delivered: the same answer for every door, and for tests with the local SES only."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core import address, domain, reserved_domains
from mailcordon.core.reserved_domains import find

NEVER = [
    "invalid",
    "localhost",
    "local",
    "onion",
    "alt",
    "arpa",
    "internal",
    "corp",
    "home",
    "mail",
    "home.arpa",
    "2.0.192.in-addr.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
]
FOR_TESTS = ["test", "example", "example.com", "example.net", "example.org", "xn--zckzah", "xn--g6w251d"]
REAL = [
    "gmail.com",
    "iana.org",
    "example.co.uk",
    "example.info",
    "testing.com",
    "latest.com",
    "local.com",
    "mail.com",
    "invalid.org",
    "onion.io",
    "home.pl",
    "internal.dev",
    "myexample.com",
    "example.com.br",
    "notexample.org",
    "examples.com",
    "xn--bcher-kva.de",
    "xn--strae-oqa.de",
    "xn--i-7iq.ws",
    "xn--p1ai.xn--p1ai",
    "xn--fiqs8s.xn--fiqs8s",
    "r3---sn-4g5e6n7s.googlevideo.com",
]
#: What starts with `xn--` and encodes nothing, or nothing that a name may have.
BAD_LABELS = {
    "does not decode": "xn--0",
    "decodes beyond Unicode": "xn--99999999",
    "encodes ASCII": "xn--abc-",
    "a second spelling of xn--bbb": "xn---bbb",
    "a control character": "xn--a",
    "encodes a capital": "xn--" + "Ä".encode("punycode").decode(),
    "not composed": "xn--" + "a\u0308".encode("punycode").decode(),
    "starts with an accent": "xn--" + "\u0301ä".encode("punycode").decode(),
    "turns the direction": "xn--" + "ä\u202e".encode("punycode").decode(),
    "a space without width": "xn--" + "ä\u200b".encode("punycode").decode(),
    "a private letter": "xn--" + "\ue000ä".encode("punycode").decode(),
}


@pytest.mark.parametrize("name", NEVER)
def test_a_name_that_a_standard_keeps_out_of_the_dns_is_undeliverable_whatever_ses_is_used(name: str) -> None:
    for local in (True, False):
        found = find(domain.parse(f"mx.{name}"), local)
        assert found is not None
        assert not found.for_tests
        assert f"mx.{name}" in found.sentence
        assert found.by in found.sentence


@pytest.mark.parametrize("name", FOR_TESTS)
def test_a_name_that_is_reserved_for_tests_is_deliverable_with_the_local_ses_only(name: str) -> None:
    assert find(f"mx.{name}", True) is None
    found = find(f"mx.{name}", False)
    assert found is not None
    assert "local SES" in found.sentence
    assert "local SES" in found.as_sender


@pytest.mark.parametrize("name", REAL)
def test_a_name_that_merely_looks_like_a_reserved_one_is_deliverable(name: str) -> None:
    assert find(domain.parse(name), False) is None


@pytest.mark.parametrize("label", BAD_LABELS.values(), ids=BAD_LABELS)
def test_a_label_that_only_claims_to_be_international_is_undeliverable_wherever_it_stands(label: str) -> None:
    if label.endswith("-"):  # not a host name at all
        with pytest.raises(ValueError):
            domain.parse(f"{label}.com")
        return
    for name in (f"{label}.com", f"mail.{label}.com", f"{label}.{label}.de"):
        for local in (True, False):
            found = find(domain.parse(name), local)
            assert found is not None
            assert label in found.sentence
            assert label in found.as_sender


@given(st.text(st.characters(categories=["Ll", "Lo", "Nd"]), min_size=1, max_size=12))
def test_what_we_encode_ourselves_is_a_valid_label(text: str) -> None:
    try:
        parsed = domain.parse(f"{text}.com")
    except ValueError:
        return
    assert find(parsed, False) is None


SHARED = Path(os.environ.get("MAILCORDON_SHARED") or "/nonexistent") / "data/addresses/addresses.jsonl"
_SPECIAL = {"arpa", "example", "invalid", "local", "localhost", "onion", "test", "alt", "internal"}
_EXAMPLES = ("example.com", "example.net", "example.org")


@pytest.mark.skipif(not SHARED.is_file(), reason="MAILCORDON_SHARED names no data")
def test_every_reserved_domain_of_the_collected_addresses_is_undeliverable_on_aws() -> None:
    reserved = 0
    for line in SHARED.read_text().splitlines():
        try:
            parsed = address.parse(json.loads(line)["address"]).domain
        except ValueError:
            continue
        is_special = parsed.rpartition(".")[2] in _SPECIAL or ".".join(parsed.split(".")[-2:]) in _EXAMPLES
        reserved += is_special
        assert (reserved_domains.find(parsed, False) is not None) == is_special, parsed
    assert reserved
