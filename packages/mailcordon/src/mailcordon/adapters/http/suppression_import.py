"""POST /v1/suppressions/import: a file of suppressions, all of it or nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from mailcordon.adapters.http import problems, read_scope, shapes
from mailcordon.adapters.http.auth import AnyRequest, principal_of
from mailcordon.control import lookup
from mailcordon.core import address as addresses
from mailcordon.core import clock, suppression_csv
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.principal import OPERATE
from mailcordon.core.priority import Class, parse_class
from mailcordon.core.suppression import Scope, Suppression
from mailcordon.core.suppression_csv import Line, Parsed, Said
from mailcordon.messages import suppressions as messages
from mailcordon.observe import suppression_view as view

_AT_ONCE = 500  #: lines that are read before other requests have their turn


class ImportBody(msgspec.Struct, forbid_unknown_fields=True):
    text: str  #: the file's content, CSV
    because: str
    tenant: str | None = None
    form: Literal["mailcordon", "ses", "mailchimp", "sendgrid", "postmark", "plain"] | None = (
        None  #: null: by its header
    )
    #: The class that complaints and unsubscribes cover. Bounces cover all of the tenant's mail.
    class_: str = msgspec.field(default="marketing", name="class")
    type: str | None = None  #: the message type that unsubscribes cover, instead of the class
    skip_bad: bool = False  #: import the other lines although some cannot be read
    dry_run: bool = False


class BadLine(msgspec.Struct):
    line: int  #: from 1
    reason: str


class Imported(msgspec.Struct):
    form: str
    detail: str  #: what was done, as a sentence
    lines: int  #: with content, without the header
    added: int
    kept: int  #: suppressed already, for as long
    doubled: int
    left_out: dict[str, int]  #: why -> lines that suppress nothing
    bad_lines: int
    bad: list[BadLine]  #: the first of them
    dry_run: bool


def routes(
    reader: view.SuppressionReader, store: view.Suppressions, hash_key: bytes
) -> list[HTTPRouteHandler]:
    @post(
        problems.IMPORT_PATH,
        status_code=200,
        summary="Import suppressions of SES, Mailchimp, SendGrid, Postmark or a list of addresses",
        tags=["observe"],
        request_max_body_size=problems.MAX_IMPORT_BODY,
    )
    async def import_suppressions(request: AnyRequest, data: JSONBody[ImportBody]) -> Imported:
        principal = principal_of(request)
        principal.require(OPERATE)
        because = shapes.reason(data.because)
        slug = principal.tenant_for(data.tenant)
        tenant = await lookup.tenant_id(reader, slug, code=read_scope.UNKNOWN)
        parsed = await asyncio.to_thread(_parsed, data)  # seconds of a large file, in which mail is accepted
        rows, bad = await _rows(reader, slug, tenant, hash_key, data, parsed, because, principal.actor)
        bad_lines = parsed.bad_lines + len(bad)
        named = sorted([*parsed.bad, *bad])[: suppression_csv.MOST_NAMED]
        if bad_lines and not (data.skip_bad or data.dry_run):
            faults = [Fault(f"line {number}", reason) for number, reason in named]
            raise Invalid(Fault("text", messages.bad_lines(bad_lines, skip=False)), *faults)
        facts = {
            "form": parsed.form.value,
            "lines": parsed.read,
            "doubled": parsed.doubled,
            "bad_lines": bad_lines,
            "because": because,
        }
        added = 0
        if rows:
            added = await store.import_all(rows, tenant, facts, actor=principal.actor, dry_run=data.dry_run)
        kept = len(rows) - added
        return Imported(
            form=parsed.form.value,
            detail=messages.imported(
                added=added, kept=kept, doubled=parsed.doubled, bad=bad_lines, dry_run=data.dry_run
            ),
            lines=parsed.read,
            added=added,
            kept=kept,
            doubled=parsed.doubled,
            left_out=dict(parsed.left_out),
            bad_lines=bad_lines,
            bad=[BadLine(number, reason) for number, reason in named],
            dry_run=data.dry_run,
        )

    return [import_suppressions]


def _parsed(data: ImportBody) -> Parsed:
    form = None if data.form is None else suppression_csv.Form(data.form)
    try:
        return suppression_csv.read(data.text, form, now=clock.host_ms())
    except suppression_csv.Unreadable as error:
        raise Invalid(Fault("text", str(error))) from None


async def _rows(
    reader: view.SuppressionReader,
    slug: str,
    tenant: int,
    hash_key: bytes,
    data: ImportBody,
    parsed: Parsed,
    because: str,
    actor: str,
) -> tuple[list[Suppression], list[tuple[int, str]]]:
    """The suppressions, and the lines that name what the tenant does not have."""
    of_class = _class(data.class_)
    lane = (
        None
        if data.type is None
        else await lookup.lane_id(reader, tenant, slug, data.type, code=read_scope.UNKNOWN)
    )
    place = _places(reader, slug, tenant)
    rows: dict[tuple[bytes, Scope, int], Suppression] = {}
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(parsed.lines):
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
        try:
            scope, target = await place(line) if line.scope is not None else _covered(line, of_class, lane)
        except ValueError as error:
            bad.append((line.number, str(error)))
            continue
        hash = addresses.hash_of(hash_key, line.address)
        rows.setdefault(
            (hash, scope, target),
            Suppression(
                tenant=tenant,
                hash=hash,
                scope=scope,
                target=target,
                address=str(line.address),
                cause="imported",
                evidence={
                    "because": because,
                    "form": parsed.form.value,
                    "said": line.said.value,
                    "reason": line.reason,
                    "reported_at": line.at,
                    "line": line.number,
                },
                since=0,
                until=line.until,
                by=actor,
            ),
        )
    return list(rows.values()), bad


def _class(word: str) -> Class:
    try:
        return parse_class(word)
    except ValueError as error:
        raise Invalid(Fault("class", str(error))) from None


def _covered(line: Line, of_class: Class, lane: int | None) -> tuple[Scope, int]:
    if line.said in (Said.BOUNCED, Said.LISTED):
        return Scope.TENANT, 0
    if line.said is Said.UNSUBSCRIBED and lane is not None:
        return Scope.LANE, lane
    return Scope.CLASS, int(of_class)


def _places(
    reader: view.SuppressionReader, slug: str, tenant: int
) -> Callable[[Line], Awaitable[tuple[Scope, int]]]:
    """What a line of our own form covers. Raises ValueError. A file names few types: each is looked up once."""
    known: dict[str, int | None] = {}

    async def place(line: Line) -> tuple[Scope, int]:
        assert line.scope is not None
        if line.scope is Scope.TENANT:
            return Scope.TENANT, 0
        if line.scope is Scope.CLASS:
            return Scope.CLASS, int(parse_class(line.mail))
        if line.mail not in known:
            try:
                known[line.mail] = await lookup.lane_id(reader, tenant, slug, line.mail)
            except NotFound:
                known[line.mail] = None
        lane = known[line.mail]
        if lane is None:
            raise ValueError(messages.no_such_type(line.mail, slug))
        return Scope.LANE, lane

    return place
