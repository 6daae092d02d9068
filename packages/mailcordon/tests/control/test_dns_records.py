"""The DNS records to publish, and the zone file, read back by dnspython."""

import base64
import secrets
from datetime import date

import dns.zone
import pytest
from dns.rdatatype import CNAME, MX, TXT

from mailcordon.control import dns_records
from mailcordon.control.dns_records import DkimKey, Facts, Names, Purpose, Record
from mailcordon.core.errors import Invalid

DOMAIN = "mail.acme.example"
EASY = tuple(
    Record(type="CNAME", name=f"{token}._domainkey.{DOMAIN}", value=f"{token}.dkim.amazonses.com")
    for token in ("aaa", "bbb", "ccc")
)
KEY = base64.b64encode(secrets.token_bytes(294)).decode()  # as long as a key of 2048 bit
FACTS = Facts(
    domain=DOMAIN,
    region="eu-west-1",
    easy_dkim=EASY,
    keys=(DkimKey(selector="mc1", public_key=KEY),),
    mail_from=f"bounce.{DOMAIN}",
    claim_token="tok-1",
)


def texts(zone: dns.zone.Zone, name: str) -> list[str]:
    found = zone.find_rdataset(name, TXT)
    assert all(len(piece) <= 255 for each in found for piece in each.strings)
    return [b"".join(each.strings).decode() for each in found]


@pytest.mark.parametrize("names", ["absolute", "relative"])
@pytest.mark.parametrize("origin", ["acme.example", DOMAIN])
def test_the_zone_file_says_what_the_records_are(names: Names, origin: str) -> None:
    published = dns_records.to_publish(FACTS)
    text = dns_records.zone_file(DOMAIN, published, origin, names)
    zone = dns.zone.from_text(text, origin=f"{origin}.", relativize=False, check_origin=False)
    for record in EASY:
        (found,) = zone.find_rdataset(f"{record.name}.", CNAME)
        assert found.target.to_text() == f"{record.value}."
    (mx,) = zone.find_rdataset(f"bounce.{DOMAIN}.", MX)
    assert (mx.preference, mx.exchange.to_text()) == (10, "feedback-smtp.eu-west-1.amazonses.com.")
    assert texts(zone, f"bounce.{DOMAIN}.") == ["v=spf1 include:amazonses.com ~all"]
    assert texts(zone, f"mc1._domainkey.{DOMAIN}.") == [f"v=DKIM1; k=rsa; p={KEY}"]
    assert texts(zone, f"_dmarc.{DOMAIN}.") == ["v=DMARC1; p=none"]
    assert texts(zone, f"_mailcordon.{DOMAIN}.") == ["mailcordon-claim=tok-1"]
    assert len(list(zone.iterate_rdatas())) == len(published)


def test_a_zone_file_that_is_imported_elsewhere_keeps_absolute_names() -> None:
    text = dns_records.zone_file(DOMAIN, dns_records.to_publish(FACTS), "acme.example", "absolute")
    moved = text.replace("$ORIGIN acme.example.", "$ORIGIN elsewhere.example.")
    zone = dns.zone.from_text(moved, origin=".", relativize=False, check_origin=False)
    assert all(name.to_text().endswith(".acme.example.") for name, _ in zone.iterate_rdatasets())


def test_a_name_is_relative_to_its_zone() -> None:
    assert dns_records.relative(DOMAIN, DOMAIN) == "@"
    assert dns_records.relative(f"_dmarc.{DOMAIN}", "acme.example") == "_dmarc.mail"
    with pytest.raises(Invalid):
        dns_records.relative("notacme.example", "acme.example")


def test_a_zone_that_the_domain_is_not_in_is_refused() -> None:
    for zone in ("zen.example", "cme.example", f"x.{DOMAIN}"):
        with pytest.raises(Invalid, match="not in the zone"):
            dns_records.zone_file(DOMAIN, (), zone, "relative")


def test_without_a_mail_from_and_a_claim_only_dkim_and_dmarc_are_published() -> None:
    found = dns_records.to_publish(Facts(domain=DOMAIN, region="us-east-1", easy_dkim=EASY))
    assert [each.purpose for each in found] == [Purpose.DKIM] * 3 + [Purpose.DMARC]
    assert [each.required for each in found] == [True] * 3 + [False]


def test_a_replaced_key_stays_published_until_its_mail_was_checked() -> None:
    old = DkimKey(selector="mc1", public_key=KEY, keep_until=date(2026, 12, 14))
    new = DkimKey(selector="mc2", public_key=KEY)
    found = dns_records.to_publish(Facts(domain=DOMAIN, region="us-east-1", keys=(new, old)))
    assert [each.record.name.partition(".")[0] for each in found[:2]] == ["mc2", "mc1"]
    assert found[0].note is None
    assert found[1].note is not None
    assert "2026-12-14" in found[1].note


@pytest.mark.parametrize(
    ("address", "uri"),
    [("dmarc@acme.example", "dmarc@acme.example"), ("a!b@acme.example", "a%21b@acme.example")],
)
def test_letters_that_mean_something_in_a_dmarc_record_are_encoded(address: str, uri: str) -> None:
    assert dns_records.dmarc(DOMAIN, address).value == f"v=DMARC1; p=none; rua=mailto:{uri}"


def test_quotes_and_backslashes_survive_a_zone_file() -> None:
    odd = dns_records.Publish(
        record=Record(type="TXT", name=DOMAIN, value='a "b" \\ c; d'), purpose=Purpose.DMARC
    )
    text = dns_records.zone_file(DOMAIN, [odd], DOMAIN, "relative")
    zone = dns.zone.from_text(text, origin=f"{DOMAIN}.", relativize=False, check_origin=False)
    assert texts(zone, f"{DOMAIN}.") == ['a "b" \\ c; d']
