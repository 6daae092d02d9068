"""Reads DMARC aggregate reports (RFC 7489 7.2 and appendix C, RFC 9990): XML, alone, in gzip or zip, or attached to a mail.

A report comes from a stranger. So: the sizes are bounded before and after unpacking, only the first file of an archive is read,
a document type (and with it every entity) is refused, and nothing is fetched.
"""

import email
import email.policy
import io
import lzma
import re
import zipfile
import zlib
from dataclasses import dataclass
from xml.parsers import expat

from mailcordon.core.outside_signal import OutsideSignal, Source, Trust
from mailcordon.core.provider import Provider
from mailcordon.messages import outside_signals as messages

MOST_BYTES = 10 << 20  #: of the file as it is
MOST_XML = 20 << 20  #: bytes, unpacked
MOST_RECORDS = 50_000
_MOST_DEPTH = 16
_MOST_TEXT = 1_000  #: characters of a member
_MOST_PARTS = 50  #: of a mail
_LONGEST_DAYS = 8  #: that a report may cover; RFC 7489 7.2 has one by default
_DAY = 86_400
_LAST_DAY = 2_932_896  #: 9999-12-31
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62}\.)*[a-z0-9_-]{1,63}$")
_SES = "amazonses.com"  #: SES signs each mail with it, and it is the default MAIL FROM (ses.md 2)
#: Organisations that sign their reports with these names, and their mailboxes.
_PROVIDERS = {
    "google.com": Provider.GMAIL,
    "enterprise outlook": Provider.MICROSOFT,
    "outlook.com": Provider.MICROSOFT,
    "yahoo": Provider.YAHOO,
    "yahoo! inc.": Provider.YAHOO,
    "comcast.net": Provider.COMCAST,
    "mail.ru": Provider.MAILRU,
    "gmx": Provider.GMX,
    "web.de": Provider.GMX,
}


class Unreadable(ValueError):
    """With a sentence for whoever brought the file."""


@dataclass(frozen=True, slots=True)
class _Counts:
    ses: int = 0
    ses_bad: int = 0
    other: int = 0
    other_bad: int = 0

    def plus(self, mails: int, *, through_ses: bool, failed: bool) -> "_Counts":
        bad = mails if failed else 0
        if through_ses:
            return _Counts(self.ses + mails, self.ses_bad + bad, self.other, self.other_bad)
        return _Counts(self.ses, self.ses_bad, self.other + mails, self.other_bad + bad)


def read(data: bytes, trust: Trust = Trust.MEDIUM) -> list[OutsideSignal]:
    """One signal for each domain of From, in the order of their names. Raises Unreadable."""
    if len(data) > MOST_BYTES:
        raise Unreadable(messages.too_large(MOST_BYTES))
    return _Reader().read(_xml(data), trust)


def is_one(data: bytes) -> bool:
    """Whether the file looks like a report, or a mail or an archive with one."""
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith((b"PK\x03\x04", b"\x1f\x8b", b"<")) or _is_mail(start)


def _is_mail(start: bytes) -> bool:
    return re.match(rb"(From |[A-Za-z][A-Za-z0-9-]{0,75}:[ \t])", start) is not None


def _xml(data: bytes) -> bytes:
    if data.startswith(b"PK\x03\x04"):
        return _from_zip(data)
    if data.startswith(b"\x1f\x8b"):
        return _from_gzip(data)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return data
    if _is_mail(data[:100]):
        return _from_mail(data)
    raise Unreadable(messages.no_report())


def _from_zip(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [one for one in archive.infolist() if not one.is_dir()]
            if len(files) != 1:
                raise Unreadable(messages.files_in_archive(len(files)))
            with archive.open(files[0]) as opened:
                found = opened.read(MOST_XML + 1)
    except (
        *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
        *(NotImplementedError, RuntimeError, ValueError, OSError),
    ) as problem:
        if isinstance(problem, Unreadable):
            raise
        raise Unreadable(messages.broken_archive(str(problem)[:_MOST_TEXT])) from None
    return _bounded(found)


def _from_gzip(data: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=31)
    try:
        found = unpacking.decompress(data, MOST_XML + 1)
    except zlib.error as problem:
        raise Unreadable(messages.broken_archive(str(problem))) from None
    if len(found) <= MOST_XML and not unpacking.eof:
        raise Unreadable(messages.broken_archive(messages.ends_early()))
    return _bounded(found)


def _from_mail(data: bytes) -> bytes:
    """The attached report. A mail with several has none that is meant."""
    mail = email.message_from_bytes(data, policy=email.policy.compat32)
    found: list[bytes] = []
    for number, part in enumerate(mail.walk()):
        if number >= _MOST_PARTS:
            break
        body = None if part.is_multipart() else part.get_payload(decode=True)
        if isinstance(body, bytes) and body.lstrip()[:5].startswith((b"PK\x03\x04", b"\x1f\x8b", b"<?xml")):
            found.append(body.lstrip() if body.lstrip().startswith(b"<") else body)
    if len(found) != 1:
        raise Unreadable(messages.reports_in_mail(len(found)))
    return _xml(found[0])


def _bounded(found: bytes) -> bytes:
    if len(found) > MOST_XML:
        raise Unreadable(messages.too_large_unpacked(MOST_XML))
    return found


class _Reader:
    """Follows expat through the document and keeps no more than the sums."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._records = 0
        self._record: dict[str, str] = {}
        self._through_ses = False
        self._result: dict[str, str] = {}
        self._header: dict[str, str] = {}
        self._counts: dict[str, _Counts] = {}

    def read(self, xml: bytes, trust: Trust) -> list[OutsideSignal]:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = _refuse_document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(xml, True)
        except expat.ExpatError as problem:
            raise Unreadable(messages.no_xml(str(problem))) from None
        except (LookupError, ValueError) as problem:
            if isinstance(problem, Unreadable):
                raise
            raise Unreadable(messages.no_xml(str(problem)[:_MOST_TEXT])) from None
        return self._signals(trust)

    def _start(self, name: str, _: object) -> None:
        self._path.append(name.rpartition(" ")[2])
        if len(self._path) > _MOST_DEPTH:
            raise Unreadable(messages.too_deep(_MOST_DEPTH))
        if self._path[0] != "feedback":
            raise Unreadable(messages.not_a_dmarc_report(self._path[0][:100]))
        self._text, self._length = [], 0
        if self._path[1:] == ["record"]:
            self._records += 1
            if self._records > MOST_RECORDS:
                raise Unreadable(messages.too_many_records(MOST_RECORDS))
            self._record, self._through_ses = {}, False
        elif self._path[1:3] == ["record", "auth_results"] and len(self._path) == 4:
            self._result = {}

    def _characters(self, text: str) -> None:
        if self._length < _MOST_TEXT:
            self._text.append(text)
            self._length += len(text)

    def _end(self, _: str) -> None:
        path, text = self._path[1:], "".join(self._text)[:_MOST_TEXT].strip()
        match path:
            case ["report_metadata", "org_name" | "report_id"] | ["report_metadata", "date_range", _]:
                self._header[path[-1]] = text
            case ["policy_published", "domain"]:
                self._header["domain"] = text
            case (
                ["record", "row", "count"]
                | ["record", "identifiers", "header_from"]
                | ["record", "row", "policy_evaluated", "dkim" | "spf"]
            ):
                self._record[path[-1]] = text
            case ["record", "auth_results", "dkim" | "spf", name]:
                self._result[name] = text
            case ["record", "auth_results", "dkim" | "spf"]:
                domain = self._result.get("domain", "").lower()
                is_ses = domain == _SES or domain.endswith(f".{_SES}")
                self._through_ses |= is_ses and self._result.get("result", "").lower() == "pass"
            case ["record"]:
                self._add()
            case _:
                pass
        self._path.pop()
        self._text, self._length = [], 0

    def _add(self) -> None:
        mails = _number(self._record.get("count", ""), "count", 10**9)
        domain = (self._record.get("header_from") or self._header.get("domain", "")).lower().rstrip(".")
        if _DOMAIN.match(domain) is None:
            raise Unreadable(messages.no_domain(domain[:100]))
        # A mail passes DMARC if one of both is aligned and passes (RFC 7489 3.1).
        failed = "pass" not in (self._record.get("dkim", "").lower(), self._record.get("spf", "").lower())
        before = self._counts.get(domain, _Counts())
        self._counts[domain] = before.plus(mails, through_ses=self._through_ses, failed=failed)

    def _signals(self, trust: Trust) -> list[OutsideSignal]:
        begin = _number(self._header.get("begin", ""), "begin", _LAST_DAY * _DAY)
        end = _number(self._header.get("end", ""), "end", _LAST_DAY * _DAY)
        if not 0 <= end - begin <= _LONGEST_DAYS * _DAY:
            raise Unreadable(messages.bad_days(_LONGEST_DAYS))
        reporter = self._header.get("org_name", "").lower()[:200]
        report = self._header.get("report_id", "")[:200]
        if not reporter or not report:
            raise Unreadable(messages.no_name_of_report())
        return [
            OutsideSignal(
                source=Source.DMARC,
                domain=domain,
                day=(begin + end) // 2 // _DAY,
                rate=one.ses_bad / one.ses if one.ses else 0.0,
                trust=trust,
                provider=_PROVIDERS.get(reporter),
                reporter=reporter,
                report=report,
                bad=one.ses_bad,
                of=one.ses,
                elsewhere=one.other,
                elsewhere_bad=one.other_bad,
            )
            for domain, one in sorted(self._counts.items())
        ]


def _refuse_document_type(*_: object) -> None:
    raise Unreadable(messages.document_type())


def _number(text: str, name: str, most: int) -> int:
    if re.fullmatch(r"[0-9]{1,12}", text) is None or int(text) > most:
        raise Unreadable(messages.no_number(name, text[:40]))
    return int(text)
