"""What others have decided about the same records: agreement with labelled collections, where `MAILCORDON_SHARED` has them."""

import gzip
import ipaddress
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.control.authentication import (
    alignment,
    dmarc_discovery,
    dmarc_record,
    spf_check,
    spf_record,
)
from mailcordon_fixtures.written_dns import WrittenDns

SUFFIXES = PublicSuffixes()
SHARED = Path(os.environ.get("MAILCORDON_SHARED") or "/nonexistent") / "data/auth"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="MAILCORDON_SHARED names no data")

Row = dict[str, Any]


def rows(name: str) -> list[Row]:
    file = SHARED / name
    octets = file.read_bytes()
    text = (gzip.decompress(octets) if file.suffix == ".gz" else octets).decode()
    return [json.loads(line) for line in text.split("\n") if line]


def agreement(what: str, wrong: list[object], total: int) -> None:
    print(f"{what}: {total - len(wrong)} of {total} agree")
    assert not wrong


# -- RFC 7208's test suite ----------------------------------------------------------------------------------------


def spf_tests() -> Iterator[tuple[WrittenDns, str, Row]]:
    for part in yaml.safe_load_all((SHARED / "rfc7208-tests-shared.yml").read_text()):
        dns = _zone(part["zonedata"])
        for name, test in part["tests"].items():
            yield dns, name, test


def _zone(data: dict[str, list[Any]]) -> WrittenDns:
    """In the suite a record of the old type SPF stands for a TXT record, unless the name has some (or `TXT: NONE`)."""
    records: dict[str, dict[str, list[str]]] = {}
    silent: set[tuple[str, str]] = set()
    for name, entries in data.items():
        kinds: dict[str, list[str]] = {}
        for entry in entries:
            if entry == "TIMEOUT":
                silent |= {(name.lower(), kind) for kind in ("TXT", "A", "AAAA", "MX", "PTR")}
                continue
            for kind, value in cast("dict[str, Any]", entry).items():
                if value == "TIMEOUT":
                    silent.add((name.lower(), kind))
                else:
                    kinds.setdefault(kind, []).append(_text(kind, value))
        old = kinds.pop("SPF", [])
        if "TXT" not in kinds and old:
            kinds["TXT"] = old
        if kinds.get("TXT") == ["NONE"]:
            del kinds["TXT"]
        records[name] = kinds
    return WrittenDns(records, silent=silent)


def _text(kind: str, value: Any) -> str:
    if kind == "MX":
        return f"{value[0]} {value[1]}"
    return "".join(value) if isinstance(value, list) else str(value)


async def test_spf_results_are_those_of_the_conformance_suite() -> None:
    wrong: list[object] = []
    total = 0
    for dns, name, test in spf_tests():
        total += 1
        sender: str = test["mailfrom"] or f"postmaster@{test['helo']}"
        client = spf_check.Client(
            address=ipaddress.ip_address(test["host"]), helo=test["helo"], sender=sender
        )
        found = await spf_check.check_host(sender.rpartition("@")[2], client, dns)
        wanted = test["result"] if isinstance(test["result"], list) else [test["result"]]
        explained = test.get("explanation")
        if found.result not in wanted or (
            explained not in (None, "DEFAULT") and found.explanation != explained
        ):
            wrong.append((name, wanted, explained, found))
    agreement("SPF conformance", wrong, total)


# -- records as they are published --------------------------------------------------------------------------------


def _spf_verdict(text: str) -> tuple[str, int | None]:
    if not spf_record.is_spf(text):
        return "not_spf", None
    try:
        return "valid", spf_record.parse(text).direct_lookups
    except spf_record.SpfSyntaxError:
        return "invalid", None


def test_published_spf_records_have_the_labelled_verdict_and_number_of_lookups() -> None:
    published = rows("spf_real_records.jsonl.gz")
    wrong: list[object] = []
    for row in published:
        verdict, direct = _spf_verdict(row["record"])
        count = row.get("direct_lookup_terms")
        if row["verdict"] != "disputed" and (
            verdict != row["verdict"] or (verdict == "valid" and direct != count)
        ):
            wrong.append((row["record"], row["verdict"], count, verdict, direct))
    agreement("published SPF records", wrong, len(published))


def test_spf_syntax_is_judged_as_labelled() -> None:
    labelled = rows("spf_syntax.jsonl")
    verdicts = {
        row["record"]: _spf_verdict(row["record"])[0].replace("not_spf", "invalid") for row in labelled
    }
    agreement(
        "SPF syntax", [row for row in labelled if verdicts[row["record"]] != row["verdict"]], len(labelled)
    )


# -- DMARC --------------------------------------------------------------------------------------------------------


def test_dmarc_records_are_judged_as_labelled() -> None:
    labelled = rows("dmarc_records.jsonl")
    wrong: list[object] = []
    for row in labelled:
        record = dmarc_record.parse(row["record"])
        verdict = "valid" if record.valid else "invalid"
        tags = {"v": "DMARC1", **{tag: value for tag, value in record.tags.items() if tag != "v"}}
        differ = verdict == "valid" and row["tags"] and tags != row["tags"]
        if row["verdict"] != "disputed" and (verdict != row["verdict"] or differ):
            wrong.append((row["record"], row["verdict"], record))
    agreement("DMARC records", wrong, len(labelled))


def test_registrable_domains_are_those_of_the_list() -> None:
    labelled = rows("psl_registrable.jsonl")
    wrong: list[object] = [
        row for row in labelled if SUFFIXES.registrable(row["domain"]) != row["registrable"]
    ]
    agreement("registrable domains", wrong, len(labelled))


def test_domains_align_as_labelled() -> None:
    labelled = rows("alignment.jsonl")
    wrong: list[object] = [
        row
        for row in labelled
        if row["aligned"]
        is not alignment.aligned(
            row["from_domain"],
            row["auth_domain"],
            strict=row["mode"] == "strict",
            organisation_of=lambda domain: dmarc_discovery.listed_organisation(domain, SUFFIXES),
        )
    ]
    agreement("alignment", wrong, len(labelled))
