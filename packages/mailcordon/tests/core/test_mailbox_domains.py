"""The table of domains on which providers give addresses to the public."""

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

from mailcordon.core import provider
from mailcordon.core.provider import Provider

SHARED = os.environ.get("MAILCORDON_SHARED")
DIRECTORY = Path(__file__).resolve().parents[2] / "mailbox-domains"
#: The corpus' families where ours have other words.
WORDS = {"google": "gmail", "att": "yahoo", "web.de": "gmx", "mail.com": "gmx", "virgilio": "libero"}


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", DIRECTORY / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_both_packages_have_the_table_that_the_generator_makes() -> None:
    made = generator()
    text = made.table((DIRECTORY / "families.txt").read_text())
    for copy in made.COPIES:
        assert copy.read_text() == text, copy


@pytest.mark.parametrize(
    "text", ["one: a.example\ntwo: a.example", "one: a", "one: a..example", "one: *.example"]
)
def test_a_domain_of_two_families_or_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is"):
        generator().families(text)


@pytest.mark.parametrize(
    ("domain", "whose"),
    [
        ("hotmail.co.jp", Provider.MICROSOFT),
        ("live.com.au", Provider.MICROSOFT),
        ("outlook.com.br", Provider.MICROSOFT),
        ("yahoo.com.sg", Provider.YAHOO),
        ("aol.fr", Provider.YAHOO),
        ("yahoo.co.jp", Provider.YAHOO_JAPAN),
        ("gmx.co.uk", Provider.GMX),
        ("engineer.com", Provider.GMX),
        ("posteo.jp", Provider.POSTEO),
        ("rushpost.com", Provider.FASTMAIL),
        ("virgilio.it", Provider.LIBERO),
        ("tampabay.rr.com", Provider.CHARTER),
        ("nyu.edu", Provider.GMAIL),
    ],
)
def test_a_family_is_known_in_all_its_countries(domain: str, whose: Provider) -> None:
    assert provider.of(domain) is whose


@pytest.mark.parametrize(
    "domain",
    [
        "hotmail.evil.example",
        "hotmail.com.evil.example",
        "not-hotmail.com",
        "hotmai1.com",
        "gmail.co",
        "yahoo.com.example",
        "mail.hotmail.com.example",
        "outlook",
        "com",
        "live.org",
        "gmx",
        "",
    ],
)
def test_a_look_alike_of_a_public_domain_is_nobodys(domain: str) -> None:
    assert provider.of(domain) is Provider.UNKNOWN


def test_an_institution_may_send_from_its_own_domain() -> None:
    assert not provider.offered_to_the_public("nyu.edu")
    assert provider.offered_to_the_public("gmail.com")
    assert not provider.offered_to_the_public("acme.example")


@pytest.mark.skipif(SHARED is None, reason="MAILCORDON_SHARED names no data")
def test_every_consumer_domain_has_its_family() -> None:
    assert SHARED is not None
    text = (Path(SHARED) / "data" / "providers" / "consumer_domains.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    wrong = {
        row["domain"]: provider.of(row["domain"]).word
        for row in rows
        if provider.of(row["domain"]).word not in {WORDS.get(word, word) for word in row["accept"]}
    }
    print(f"{len(rows) - len(wrong)} of {len(rows)} consumer domains")
    assert wrong == {}
