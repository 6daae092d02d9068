"""`mailcordon signal`: what others say of our mail: Gmail's spam rates and DMARC reports."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document, strings
from mailcordon.adapters.cli.text import plain
from mailcordon.core import dmarc_report, postmaster_file
from mailcordon.core.outside_signal import OutsideSignal, Source, Trust, at_most, text_of_day
from mailcordon.messages import outside_signals as messages

app = typer.Typer(
    no_args_is_help=True,
    help="What others say of our mail: Gmail's spam rates and DMARC reports, with their day and trust.",
)
_MOST_SIGNALS = 500  #: of one request
_MOST_BYTES = max(dmarc_report.MOST_BYTES, postmaster_file.MOST_BYTES)


@command.remote(
    app,
    "import",
    examples="""
mailcordon signal import postmaster.csv
mailcordon signal import google.com-acme.example.zip
mailcordon signal import reports/*.xml.gz --trust low
""",
)
async def import_files(
    cli: Cli,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Postmaster Tools as CSV or JSON, or a DMARC report: XML, gzip, zip, or a mail with one. - is stdin.",
        ),
    ],
    trust: Annotated[
        Literal["low", "medium", "high"] | None,
        typer.Option(
            "--trust",
            help="How far it may go: low is shown, medium opens an incident, high slows mail. "
            "Default: high for the API's JSON, medium for CSV and DMARC.",
        ),
    ] = None,
) -> None:
    """Import spam rates of Gmail Postmaster Tools and DMARC reports. All files are read before the first is imported.

    You vouch for them: nothing in such a file is signed. What was imported before counts once.
    """
    given = None if trust is None else Trust(trust)
    signals: list[OutsideSignal] = []
    without_rate = 0
    for file in files:
        name = file.encode(errors="replace").decode()  # a name need not be Unicode
        try:
            found, without = read(_bytes(file), given)
        except (dmarc_report.Unreadable, postmaster_file.Unreadable) as problem:
            raise failures.Failure(
                failures.Exit.REFUSED, messages.file_refused(file=name, why=str(problem)), "file-not-read"
            ) from None
        except OSError as problem:
            why = problem.strerror or type(problem).__name__
            raise failures.Failure(
                failures.Exit.REFUSED, messages.file_refused(file=name, why=why), "file-not-read"
            ) from None
        signals += found
        without_rate += without
    counts = {"new": 0, "changed": 0, "known": 0}
    not_ours: set[str] = set()
    because = messages.because_of_files([Path(file).name for file in files])
    for first in range(0, len(signals), _MOST_SIGNALS):
        body = {
            "signals": [document(one) for one in signals[first : first + _MOST_SIGNALS]],
            "because": because,
        }
        said = await cli.api.post(path("signals"), body)
        for each in counts:
            counts[each] += int(said.get(each) or 0)
        not_ours.update(strings(said, "not_ours"))
    cli.show_result(
        {**counts, "not_ours": sorted(not_ours), "without_rate": without_rate},
        messages.imported(new=counts["new"], changed=counts["changed"], known=counts["known"]),
    )
    if not_ours:
        cli.note(messages.not_ours(sorted(not_ours)[:20]))
    if without_rate:
        cli.note(messages.without_rate(without_rate))


def _bytes(file: str) -> bytes:
    """A little more than a reader takes, which then says so."""
    if file == "-":
        return sys.stdin.buffer.read(_MOST_BYTES + 1)
    with Path(file).open("rb") as opened:
        return opened.read(_MOST_BYTES + 1)


def read(data: bytes, trust: Trust | None) -> tuple[Sequence[OutsideSignal], int]:
    """The signals of a file of any kind, and the days without a rate. Raises Unreadable."""
    if dmarc_report.is_one(data):
        return dmarc_report.read(data, at_most(trust or Trust.MEDIUM, Source.DMARC)), 0
    found = postmaster_file.read(data, trust)
    return found.signals, found.without_rate


def document(one: OutsideSignal) -> Document:
    made: Document = {
        "source": str(one.source),
        "domain": one.domain,
        "day": text_of_day(one.day),
        "rate": one.rate,
        "trust": str(one.trust),
        "provider": None if one.provider is None else one.provider.word,
        "reporter": one.reporter,
        "report": one.report,
        "bad": one.bad,
        "of": one.of,
        "elsewhere": one.elsewhere,
        "elsewhere_bad": one.elsewhere_bad,
    }
    return {name: value for name, value in made.items() if value not in (None, "")}


@command.remote(
    app,
    "list",
    examples="mailcordon signal list\nmailcordon signal list --domain news.acme.example --source postmaster",
)
async def list_signals(
    cli: Cli,
    tenant: OfTenant = None,
    domain: Annotated[
        str | None, typer.Option("--domain", metavar="DOMAIN", help="Only of this domain. Default: all.")
    ] = None,
    source: Annotated[
        Literal["postmaster", "dmarc"] | None,
        typer.Option("--source", help="Only of this source. Default: both."),
    ] = None,
    limit: Limit = 100,
) -> None:
    """List what others said of our mail, newest import first."""
    found = await cli.api.items(
        path("signals"), {"tenant": tenant, "domain": domain, "source": source}, limit=limit
    )
    items: list[Document] = found["items"]
    if not items:
        cli.show_result(found, messages.none_there())
        return
    columns = (
        "day",
        "domain",
        "tenant",
        "source",
        "of",
        "rate",
        "bad",
        "mails",
        "elsewhere",
        "trust",
        "counts",
    )
    rows = [
        (
            item.get("day"),
            item.get("domain"),
            item.get("tenant"),
            item.get("source"),
            item.get("provider") or item.get("reporter"),
            messages.share(float(item.get("rate") or 0)),
            item.get("bad"),
            item.get("of"),
            item.get("elsewhere"),
            plain(item.get("trust")),
            "yes" if item.get("counts") else "no",
        )
        for item in items
    ]
    cli.show_result(
        found, show.table(columns, rows, drop=("elsewhere", "tenant", "mails", "bad")), *show.more(found)
    )
