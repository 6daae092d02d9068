"""Who receives a domain's mail, and who has the mailboxes behind a gateway, from DNS records alone."""

import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mailcordon.core import mailbox_hosts, provider
from mailcordon.core.mailbox_hosts import Records, hosting, of_host
from mailcordon.core.provider import Provider

SHARED = os.environ.get("MAILCORDON_SHARED")
#: The corpus' words where ours differ.
WORDS = {"google": "gmail", "one.com": "one-com", "t-online": "telekom"}


def mx(*hosts: str) -> Records:
    return Records(mx=tuple((10, host) for host in hosts))


@pytest.mark.parametrize(
    ("host", "whose"),
    [
        ("aspmx.l.google.com", Provider.GMAIL),
        ("ASPMX.L.GOOGLE.COM.", Provider.GMAIL),
        ("acme-example.mail.protection.outlook.com", Provider.MICROSOFT),
        ("acme-example.p-v1.mx.microsoft", Provider.MICROSOFT),
        ("mta7.am0.yahoodns.net", Provider.YAHOO),
        ("mx0a-001b2d01.pphosted.com", Provider.PROOFPOINT),
        ("eu-smtp-inbound-1.mimecast.com", Provider.MIMECAST),
        ("d1.a.ess.uk.barracudanetworks.com", Provider.BARRACUDA),
        ("mx1.acme.iphmx.com", Provider.CISCO),
        ("acme.in.tmes.trendmicro.eu", Provider.TRENDMICRO),
        ("inbound-smtp.eu-west-1.amazonaws.com", Provider.AWS),
        ("mailstore1.europe.secureserver.net", Provider.GODADDY),
        ("www12.your-server.de", Provider.HETZNER),
        ("mx1.mail.ovh.net", Provider.OVH),
        ("isaac.mx.cloudflare.net", Provider.CLOUDFLARE),
        ("mailstream-east.mxrecord.io", Provider.CLOUDFLARE),
    ],
)
def test_a_mail_server_is_known_by_the_end_of_its_name(host: str, whose: Provider) -> None:
    assert of_host(host) is whose


@pytest.mark.parametrize(
    "host",
    [
        "google.com.evil.example",
        "aspmx.l.google.com.evil.example",
        "notgoogle.com",
        "mail.notoutlook.com",
        "protection-outlook.com",
        "outlook.com.mail.evil.example",
        "xpphosted.com",
        "pphosted.com.example",
        "mx-microsoft.example",
        "com",
        "google",
        "",
        "ec2-198-51-100-7.compute.amazonaws.com",
        "inbound-smtp.amazonaws.com.evil.example",
        "a.b.inbound-smtp.evil.example",
        "static.7.100.51.198.clients.your-server.de",
        "vps-12345.vps.ovh.net",
        "ip-198-51-100-7.secureserver.net",
    ],
)
def test_a_look_alike_is_nobodys(host: str) -> None:
    assert of_host(host) is None
    assert hosting(mx(host)).provider is Provider.OTHER


def test_every_rule_is_claimed_by_no_name_that_only_looks_like_it() -> None:
    for end, whose in mailbox_hosts._ENDS.items():
        plain = end.replace("*", "eu-west-1")
        assert of_host(f"mx.{plain}") is whose, end
        for fake in (
            f"{plain}.evil.example",
            f"not{plain}",
            f"mx.{plain}x",
            plain.replace(".", "-") + ".example",
        ):
            found = of_host(fake)
            assert found is None or found is not whose or fake.endswith("." + plain.partition(".")[2]), fake


def test_the_hosts_with_the_best_preference_decide() -> None:
    records = Records(mx=((10, "aspmx.l.google.com"), (20, "backup.example"), (30, "mx1.hostinger.com")))
    assert hosting(records).provider is Provider.GMAIL
    own_first = Records(mx=((10, "mail.acme.example"), (20, "aspmx.l.google.com")))
    assert hosting(own_first).provider is Provider.OTHER


def test_a_record_that_only_proves_a_domain_is_no_server() -> None:
    records = Records(mx=((0, "ms1.msv1.invalid"), (10, "aspmx.l.google.com")))
    assert hosting(records).provider is Provider.GMAIL


@pytest.mark.parametrize(
    ("records", "behind"),
    [
        (
            Records(mx=((1, "mx1.ppe-hosted.com"),), spf="v=spf1 include:spf.protection.outlook.com -all"),
            Provider.MICROSOFT,
        ),
        (Records(mx=((1, "mx1.ppe-hosted.com"),), spf="v=spf1 include:_spf.google.com ~all"), Provider.GMAIL),
        (
            Records(mx=((1, "mx1.ppe-hosted.com"),), autodiscover=("autodiscover.outlook.com",)),
            Provider.MICROSOFT,
        ),
        # Where mail programs go says more than who may send.
        (
            Records(
                mx=((1, "mx1.ppe-hosted.com"),),
                spf="v=spf1 include:_spf.google.com ~all",
                autodiscover=("autodiscover.outlook.com",),
            ),
            Provider.MICROSOFT,
        ),
        (
            Records(
                mx=((1, "mx1.ppe-hosted.com"),),
                spf="v=spf1 include:_spf.google.com include:spf.protection.outlook.com ~all",
            ),
            None,
        ),
        (
            Records(mx=((1, "mx1.ppe-hosted.com"), (9, "acme.mail.protection.outlook.com"))),
            Provider.MICROSOFT,
        ),
        (
            Records(
                mx=((1, "mx1.ppe-hosted.com"),), spf="v=spf1 include:spf.protection.outlook.com.evil.example"
            ),
            None,
        ),
        (Records(mx=((1, "mx1.ppe-hosted.com"),), autodiscover=("autodiscover.notoutlook.com",)), None),
        (Records(mx=((1, "mx1.ppe-hosted.com"),), spf="v=spf1 redirect=_spf.google.com"), Provider.GMAIL),
        (
            Records(
                mx=((1, "mx1.ppe-hosted.com"),), spf="v=spf1 -include:_spf.google.com include: ip4:192.0.2.1"
            ),
            None,
        ),
        (Records(mx=((1, "aspmx.l.google.com"),), spf="v=spf1 include:spf.protection.outlook.com"), None),
    ],
)
def test_the_host_behind_a_gateway_is_told_by_autodiscover_then_mx_then_spf(
    records: Records, behind: Provider | None
) -> None:
    assert hosting(records).behind is behind


def test_a_gateway_counts_before_the_mailboxes_that_are_named_beside_it() -> None:
    found = hosting(mx("acme.mail.protection.outlook.com", "mx01.hornetsecurity.com"))
    assert (found.provider, found.behind) == (Provider.HORNETSECURITY, Provider.MICROSOFT)
    assert found.hosts == ("mx01.hornetsecurity.com",)


def test_every_provider_has_one_word_and_a_kind() -> None:
    assert len({each.word for each in Provider}) == len(Provider)
    assert {each.kind for each in Provider} == {"", "mailbox", "hosting", "gateway", "forwarder"}
    assert provider.parse_provider("google") is Provider.GMAIL
    assert max(Provider) < 1024  # send/provider_table.py


@pytest.mark.skipif(SHARED is None, reason="MAILCORDON_SHARED names no data")
def test_real_domains_have_the_provider_that_sources_agree_on() -> None:
    assert SHARED is not None
    with gzip.open(Path(SHARED) / "data" / "providers" / "mx_domains.jsonl.gz", "rt") as file:
        rows: list[dict[str, Any]] = [json.loads(line) for line in file]
    exact, wrong, behind = 0, Counter[tuple[str, str]](), Counter[str]()
    agreed = [row for row in rows if row["expected"]]
    for row in rows:
        found = hosting(
            Records(
                mx=tuple((10, host) for host in row["mx"]),
                spf=row["spf"],
                autodiscover=tuple((row["autodiscover"] or {}).values()),
            )
        )
        if row["expected"]:
            right = found.provider.word in {WORDS.get(word, word) for word in row["expected"]}
            exact += right
            if not right:
                wrong[row["expected"][0], found.provider.word] += 1
        else:
            assert found.provider.word in {WORDS.get(word, word) for word in row["accept"]}, row["domain"]
        if found.provider.kind == "gateway" and (told := row["upstream_backend"]):
            same = found.behind is not None and found.behind.word == WORDS.get(told, told)
            behind["same" if same else "none" if found.behind is None else "another"] += 1
    print(f"exact {exact} of {len(agreed)}; behind gateways {dict(behind)}; wrong {dict(wrong)}")
    assert exact >= 0.99 * len(agreed), wrong
    assert behind["another"] <= 0.01 * behind.total(), behind
    assert behind["same"] >= 0.9 * behind.total(), behind
