"""DMARC reports come from strangers: what is read of good ones, and that a bad one costs little and says why."""

import base64
import gzip
import io
import os
import zipfile
from pathlib import Path

import pytest

from mailcordon.core import dmarc_report
from mailcordon.core.dmarc_report import Unreadable
from mailcordon.core.outside_signal import OutsideSignal, Source, Trust, text_of_day
from mailcordon.core.provider import Provider

REPORTS = Path(os.environ.get("MAILCORDON_SHARED", "/nowhere"), "data", "auth", "reports")


def record(
    count: int = 1, dkim: str = "pass", spf: str = "fail", ses: bool = True, of: str = "acme.example"
) -> str:
    signed = (
        "<dkim><domain>amazonses.com</domain><selector>s</selector><result>pass</result></dkim>"
        if ses
        else ""
    )
    return (
        f"<record><row><source_ip>192.0.2.1</source_ip><count>{count}</count><policy_evaluated>"
        f"<disposition>none</disposition><dkim>{dkim}</dkim><spf>{spf}</spf></policy_evaluated></row>"
        f"<identifiers><header_from>{of}</header_from></identifiers>"
        f"<auth_results>{signed}<spf><domain>x.example</domain><result>{spf}</result></spf></auth_results></record>"
    )


def report(*records: str, head: str = '<?xml version="1.0"?>', end: int = 1_795_910_399) -> bytes:
    return (
        f"{head}<feedback><report_metadata><org_name>Google.com</org_name><report_id>r-1</report_id>"
        f"<date_range><begin>1795824000</begin><end>{end}</end></date_range></report_metadata>"
        f"<policy_published><domain>acme.example</domain></policy_published>{''.join(records)}</feedback>"
    ).encode()


def zipped(*files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, file in enumerate(files):
            archive.writestr(f"{number}.xml", file)
    return made.getvalue()


def mailed(*attachments: bytes) -> bytes:
    parts = "".join(
        "--b\nContent-Type: application/zip\nContent-Transfer-Encoding: base64\n\n"
        f"{base64.encodebytes(one).decode()}\n"
        for one in attachments
    )
    return f'From: a@b.example\nContent-Type: multipart/mixed; boundary="b"\n\n{parts}--b--\n'.encode()


GOOD = report(
    record(100),
    record(7, dkim="fail"),
    record(3, dkim="fail", spf="pass"),
    record(40, dkim="fail", ses=False),
    record(2, ses=False),
    record(5, of="News.Acme.Example."),
)


def test_mail_through_ses_is_told_from_other_mail_and_each_domain_of_from_is_one_signal() -> None:
    whole, news = dmarc_report.read(GOOD)
    assert whole == OutsideSignal(
        source=Source.DMARC,
        domain="acme.example",
        day=20_785,
        rate=7 / 110,
        trust=Trust.MEDIUM,
        provider=Provider.GMAIL,
        reporter="google.com",
        report="r-1",
        bad=7,
        of=110,
        elsewhere=42,
        elsewhere_bad=40,
    )
    assert (news.domain, news.bad, news.of) == ("news.acme.example", 0, 5)
    assert text_of_day(whole.day) == "2026-11-28"


def test_a_report_is_read_alone_in_gzip_in_zip_and_out_of_a_mail() -> None:
    packed = gzip.compress(GOOD), zipped(GOOD)
    for form in (*packed, *(mailed(one) for one in packed), b"\xef\xbb\xbf" + GOOD):
        assert dmarc_report.is_one(form)
        assert dmarc_report.read(form) == dmarc_report.read(GOOD)
    assert not dmarc_report.is_one(b"domain,date,spam_rate\n")
    assert not dmarc_report.is_one(b'{"trafficStats": []}')


def test_a_namespace_of_rfc_9990_changes_nothing() -> None:
    spaced = GOOD.replace(b"<feedback>", b'<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">')
    assert dmarc_report.read(spaced) == dmarc_report.read(GOOD)


ENTITIES = '<?xml version="1.0"?><!DOCTYPE f [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
BAD: dict[str, tuple[bytes, str]] = {
    "entities": (report(record(of="&b;"), head=ENTITIES), "document type"),
    "an outside document type": (
        report(record(), head='<!DOCTYPE f SYSTEM "http://x.example/f.dtd">'),
        "document type",
    ),
    "a page": (b"<html><body/></html>", "<html> instead"),
    "half of it": (GOOD[: len(GOOD) // 2], "XML is broken"),
    "half of a gzip": (gzip.compress(GOOD)[:200], "ends early"),
    "half of a zip": (zipped(GOOD)[:200], "cannot be unpacked"),
    "a bomb": (gzip.compress(report(" " * (21 << 20))), "20 MB once unpacked"),
    "a bomb in a zip": (zipped(report(" " * (21 << 20))), "20 MB once unpacked"),
    "two files": (zipped(GOOD, GOOD), "2 files instead of one"),
    "a mail without one": (mailed(b"hello"), "0 attached reports"),
    "a mail with two": (mailed(zipped(GOOD), zipped(GOOD)), "2 attached reports"),
    "a mail with a page": (mailed(zipped(b"<html/>")), "<html> instead"),
    "too large": (b"<" + b" " * (10 << 20), "more than 10 MB"),
    "deep": (report("<a>" * 40), "nested more than 16 deep"),
    "no number": (report(record().replace("<count>1<", "<count>-1<")), 'count is "-1"'),
    "a number without end": (report(record().replace("<count>1<", f"<count>{'9' * 900}<")), "count is"),
    "no domain": (report(record(of="a b")), "is no domain"),
    "months": (report(record(), end=1_805_910_399), "covers more than 8 days"),
    "backwards": (report(record(), end=1), "ends before it begins"),
    "nobody's": (GOOD.replace(b"Google.com", b""), "does not say who made it"),
    "nothing": (b"", "no DMARC report"),
    "numbers": (bytes(range(256)), "no DMARC report"),
}


def test_whatever_is_wrong_is_refused_with_a_sentence() -> None:
    wrong: list[tuple[str, str]] = []
    for name, (data, says) in BAD.items():
        try:
            dmarc_report.read(data)
            wrong.append((name, "was read"))
        except Unreadable as problem:
            if says not in str(problem):
                wrong.append((name, str(problem)))
    assert wrong == []


def test_a_report_with_too_many_records_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dmarc_report, "MOST_RECORDS", 3)
    assert dmarc_report.read(report(*[record()] * 3))[0].of == 3
    with pytest.raises(Unreadable, match="more than 3 records"):
        dmarc_report.read(report(*[record()] * 4))


#: What each of the reports has: domain of From, mails, mails that failed. None of them came through SES.
REAL = {
    "mail-auth-dmarc-feedback-100.eml": ("stalw.art", 1, 0),
    "mox-xs4all.eml": ("ueber.net", 1, 0),
    "parsedmarc-aggregate_empty_reason.xml": ("example.com", 2, 0),
    "parsedmarc-aggregate_example.net_example.com_1529366400_1529452799.xml": ("example.com", 1, 1),
    "parsedmarc-aggregate_rfc9990-example.net_example.com_1700000000_1700086399.xml": ("example.com", 7, 2),
    "parsedmarc-aggregate_twilight.eml": ("twlnet.com", 1, 0),
}


@pytest.mark.skipif(not REPORTS.exists(), reason="MAILCORDON_SHARED names no folder with reports")
def test_real_reports_are_read_and_other_files_are_not() -> None:
    found = {file.name: file.read_bytes() for file in REPORTS.iterdir()}
    for name, (domain, mails, failed) in REAL.items():
        [one] = dmarc_report.read(found.pop(name))
        assert (one.domain, one.elsewhere, one.elsewhere_bad, one.of) == (domain, mails, failed, 0), name
    for name, data in found.items():
        with pytest.raises(Unreadable):
            print(name, dmarc_report.read(data))
