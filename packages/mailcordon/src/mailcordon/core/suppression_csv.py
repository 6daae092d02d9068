"""Suppression lists as CSV (RFC 4180): those of other senders are read, ours are written.

Pure. A line that cannot be read is named with its number and the reason; nothing is guessed. What a spreadsheet would take for a
formula is written with an apostrophe before it, and read back without.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from mailcordon.core import address as addresses
from mailcordon.core import text as texts
from mailcordon.core.address import Address
from mailcordon.core.suppression import Scope
from mailcordon.messages import suppressions as messages

MOST_BYTES = 6 * 1024 * 1024  #: of a file: with JSON's escapes it fits into a request
MOST_LINES = 100_000  #: as an import job of SES
MOST_NAMED = 100  #: bad lines that are named; the others are counted
LONGEST_CELL = 2000  #: characters that are kept

#: Columns of our own form.
COLUMNS = ("address", "scope", "class", "type", "cause", "since", "until", "by", "evidence")
_FORMULA = "=+-@\t\r'"


class Form(StrEnum):
    """Whose file it is."""

    MAILCORDON = "mailcordon"
    SES = "ses"
    MAILCHIMP = "mailchimp"
    SENDGRID = "sendgrid"
    POSTMARK = "postmark"
    PLAIN = "plain"  #: one address a line, with or without a header


class Said(StrEnum):
    """What a file says of an address."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    LISTED = "listed"  #: no more than that it must not be mailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One address of a file."""

    number: int  #: of the line in the file, from 1
    address: Address
    said: Said
    reason: str = ""  #: in the words of the file
    at: str = ""  #: when, in the words of the file
    scope: Scope | None = None  #: of our own form only, as `mail` and `until`
    mail: str = ""  #: the class or message type that the scope names
    until: int | None = None  #: milliseconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    form: Form
    lines: Sequence[Line]  #: each address, scope and target once
    read: int  #: lines with content, without the header
    doubled: int  #: lines that say again what one before them says
    bad: Sequence[tuple[int, str]]  #: number and reason of the first MOST_NAMED lines that cannot be read
    bad_lines: int
    left_out: Mapping[str, int] = field(default_factory=dict[str, int])  #: why -> lines that suppress nothing


class Unreadable(ValueError):
    """The file as a whole. The message is for the user."""


class _BadLine(ValueError):
    pass


class _LeftOut(Exception):
    pass


def read(text: str, form: Form | None, *, now: int) -> Parsed:
    """`form` None: the header decides. Raises Unreadable."""
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise Unreadable(messages.file_too_large(MOST_BYTES))
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    lines: dict[tuple[str, Scope | None, str], Line] = {}
    bad: list[tuple[int, str]] = []
    bad_lines = rows = doubled = 0
    left_out = Counter[str]()
    columns: Mapping[str, int] | None = None
    read_line: Callable[[_Row], Line] | None = None
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            # What follows a broken quote cannot be told from its content.
            raise Unreadable(messages.not_csv(first, str(error))) from None
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if columns is None:
            columns, found, headed = _columns(cells, form)
            form, read_line = found, _READ[found]
            if headed:
                continue
        assert read_line is not None
        rows += 1
        if rows > MOST_LINES:
            raise Unreadable(messages.too_many_lines(MOST_LINES))
        try:
            line = read_line(_Row(first, cells, columns, now))
        except _LeftOut as why:
            left_out[str(why)] += 1
        except ValueError as error:
            bad_lines += 1
            if len(bad) < MOST_NAMED:
                bad.append((first, str(error)))
        else:
            key = str(line.address).lower(), line.scope, line.mail
            doubled += key in lines
            lines.setdefault(key, line)
    if form is None:
        raise Unreadable(messages.file_empty())
    return Parsed(
        form=form,
        lines=list(lines.values()),
        read=rows,
        doubled=doubled,
        bad=bad,
        bad_lines=bad_lines,
        left_out=dict(left_out),
    )


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + cell if cell[:1] and cell[0] in _FORMULA else cell


def unguarded(cell: str) -> str:
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in _FORMULA else cell


def written(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV, each cell guarded. Words of mail servers drive no terminal that shows them."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(
        [[guarded(texts.harmless(cell)) for cell in row] for row in rows]
    )
    return out.getvalue()


# Reading -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    cells: Sequence[str]
    columns: Mapping[str, int]
    now: int

    def get(self, *names: str) -> str:
        """The cell of the first of these columns that the file has; "" if it has none, or the line is short."""
        for name in names:
            place = self.columns.get(name)
            if place is not None:
                return self.cells[place] if place < len(self.cells) else ""
        return ""

    def has(self, *names: str) -> bool:
        return any(name in self.columns for name in names)

    def line(self, address: str, said: Said, *, reason: str = "", at: str = "") -> Line:
        """Raises ValueError."""
        return Line(
            number=self.number,
            address=addresses.parse(address),
            said=said,
            reason=texts.harmless(reason, LONGEST_CELL),
            at=texts.harmless(at, 40),
        )


def _columns(cells: Sequence[str], form: Form | None) -> tuple[Mapping[str, int], Form, bool]:
    """Where the columns are, whose file it is, and whether this line is its header. Raises Unreadable."""
    if any("@" in cell for cell in cells):
        found = Form.SES if len(cells) > 1 and cells[1].upper() in _SES_REASONS else Form.PLAIN
        if form not in (None, Form.SES, Form.PLAIN):
            raise Unreadable(messages.no_header(form.value))
        return {"emailaddress": 0, "reason": 1}, form or found, False
    names = {re.sub(r"[^a-z0-9]", "", cell.lower()): place for place, cell in enumerate(cells)}
    found = form or _form_of(names.keys())
    if found is None or not names.keys() & _ADDRESS_COLUMNS:
        raise Unreadable(messages.unknown_header(", ".join(cells)[:200], [one.value for one in Form]))
    return names, found, True


_ADDRESS_COLUMNS = frozenset({"address", "email", "emailaddress", "recipient"})
_SES_REASONS = {"BOUNCE": Said.BOUNCED, "COMPLAINT": Said.COMPLAINED}


def _form_of(names: Iterable[str]) -> Form | None:
    named = frozenset(names)
    if {"address", "scope", "cause"} <= named:
        return Form.MAILCORDON
    if "suppressionreason" in named or {"recipient", "reason", "origin"} <= named:
        return Form.POSTMARK
    if "emailaddress" in named and named & {"unsubtime", "cleantime", "unsubreason", "memberrating", "leid"}:
        return Form.MAILCHIMP
    if {"email", "created"} <= named:
        return Form.SENDGRID
    if {"emailaddress", "reason"} <= named:
        return Form.SES
    return Form.PLAIN if len(named) == 1 and named & _ADDRESS_COLUMNS else None


def _ses(row: _Row) -> Line:
    reason = row.get("reason").upper()
    if reason not in _SES_REASONS:
        raise _BadLine(messages.unknown_reason(reason, sorted(_SES_REASONS)))
    return row.line(
        row.get("emailaddress"), _SES_REASONS[reason], reason=reason, at=row.get("lastupdatetime")
    )


def _mailchimp(row: _Row) -> Line:
    address = row.get("emailaddress")
    if row.has("cleantime"):
        return row.line(address, Said.BOUNCED, reason="cleaned", at=row.get("cleantime"))
    if not row.has("unsubtime", "unsubreason"):
        raise _BadLine(messages.not_a_suppression())
    reason = row.get("unsubreason")
    abuse = "abuse" in reason.lower() or "spam" in reason.lower()
    said = Said.COMPLAINED if abuse else Said.UNSUBSCRIBED
    return row.line(address, said, reason=reason or "unsubscribed", at=row.get("unsubtime"))


def _sendgrid(row: _Row) -> Line:
    status, reason, at = row.get("status"), row.get("reason"), row.get("created")
    if row.has("status"):
        if status.startswith("4"):
            raise _LeftOut(messages.left_out_soft())
        said = Said.BOUNCED
    elif row.has("reason"):
        said = Said.BOUNCED  # its list of invalid addresses
    else:
        said = Said.COMPLAINED if row.has("ip") else Said.UNSUBSCRIBED
    return row.line(row.get("email"), said, reason=" ".join(filter(None, (status, reason))), at=at)


def _postmark(row: _Row) -> Line:
    reason, origin = row.get("suppressionreason", "reason"), row.get("origin")
    said = {"hardbounce": Said.BOUNCED, "spamcomplaint": Said.COMPLAINED}.get(reason.replace(" ", "").lower())
    if said is None and reason.replace(" ", "").lower() != "manualsuppression":
        raise _BadLine(messages.unknown_reason(reason, ["HardBounce", "SpamComplaint", "ManualSuppression"]))
    if said is None:
        said = Said.UNSUBSCRIBED if origin.lower() == "recipient" else Said.LISTED
    return row.line(
        row.get("emailaddress", "recipient"),
        said,
        reason=f"{reason} ({origin})" if origin else reason,
        at=row.get("createdat"),
    )


def _plain(row: _Row) -> Line:
    return row.line(row.get("emailaddress", "email", "address", "recipient"), Said.LISTED)


def _own(row: _Row) -> Line:
    word = row.get("scope").lower()
    if word not in ("tenant", "class", "lane"):
        raise _BadLine(messages.unknown_reason(word, ["tenant", "class", "lane"]))
    scope = Scope[word.upper()]
    mail = {Scope.CLASS: row.get("class"), Scope.LANE: row.get("type")}.get(scope, "")
    if scope is not Scope.TENANT and not mail:
        raise _BadLine(messages.scope_without_its_mail(word))
    address = unguarded(row.get("address"))
    if address == addresses.ERASED:
        raise _LeftOut(messages.left_out_erased())
    until = row.get("until")
    ends = _milliseconds(until) if until else None
    if ends is not None and ends <= row.now:
        raise _LeftOut(messages.left_out_ended())
    reason = ": ".join(filter(None, (row.get("cause"), unguarded(row.get("evidence")))))
    line = row.line(address, Said.LISTED, reason=reason, at=row.get("since"))
    return Line(
        number=line.number,
        address=line.address,
        said=line.said,
        reason=line.reason,
        at=line.at,
        scope=scope,
        mail=unguarded(mail),
        until=ends,
    )


def _milliseconds(text: str) -> int:
    """Raises _BadLine."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _BadLine(messages.not_a_time(text[:40])) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


_READ: Mapping[Form, Callable[[_Row], Line]] = {
    Form.MAILCORDON: _own,
    Form.SES: _ses,
    Form.MAILCHIMP: _mailchimp,
    Form.SENDGRID: _sendgrid,
    Form.POSTMARK: _postmark,
    Form.PLAIN: _plain,
}
