"""`mailcordon assess`: reads an SES account and says who endangers whom, whether to migrate and why now, in which order
and how long it takes. It needs no server, and a role that can only read.

AWS is read only with --aws: credentials that lie in the environment are not enough. Without it a local SES is read, with the keys
that every local SES takes.
"""

import asyncio
import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailcordon import config as configs
from mailcordon.adapters.cli.command import Key, Url
from mailcordon.config import Config
from mailcordon.control.assess.observed import Observed
from mailcordon.control.assess.owners import Rules
from mailcordon.control.assess.reading import Reading, Source
from mailcordon.control.assess.report import Report
from mailcordon.control.assess.traffic import Seen
from mailcordon.core.errors import BadConfig
from mailcordon.host.home import RUN_FILE
from mailcordon.messages import assess as messages
from mailcordon.run import assess_sources, home_lock

if TYPE_CHECKING:  # boto3 takes 0.2 s to load, and every command imports this module
    from mailcordon.adapters.ses.account_reading import Pace

LONG = 1_800.0  #: seconds of reading that must be kept in a file
PER_SECOND = 1.0  #: management calls, as SES allows (ses.md 3.5)
_PROGRESS = 25  #: calls between two lines of progress

EXAMPLES = """
mailcordon assess                   # the local SES of `mailcordon up`
mailcordon assess --aws --profile read-mail --forecast
mailcordon assess --aws --keep account.jsonl --events events.jsonl.gz
mailcordon assess --aws --observed
mailcordon assess --recording account.jsonl --tenants-file tenants.yaml
"""


def assess(
    aws: Annotated[
        bool, typer.Option("--aws", help="Read the AWS account of your credentials, not a local SES.")
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile", metavar="NAME", help="AWS profile to sign with. Default: what AWS's tools find."
        ),
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", metavar="REGION", help="Default: MAILCORDON_REGION.")
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint", metavar="URL", help="A local SES. Default: that of `mailcordon up` in this home."
        ),
    ] = None,
    events: Annotated[
        list[str] | None,
        typer.Option(
            "--events",
            metavar="FILE",
            help="SES's events, as JSON lines or Firehose's objects; can be repeated. Default: none.",
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules",
            metavar="FILE",
            help="Whose mail is what: the file of `mailcordon observe import`. Default: none.",
        ),
    ] = None,
    observed: Annotated[
        bool,
        typer.Option(
            "--observed",
            help="Read also what a running Mailcordon has counted (docs/observe-only.md). Default: not read.",
        ),
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="FILE",
            help="Keep what is read, and go on from it if it ends early. Default: not kept.",
        ),
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(
            "--recording",
            metavar="FILE",
            help="Report on what an earlier run kept; no call is made. Default: SES is read.",
        ),
    ] = None,
    forecast: Annotated[
        bool, typer.Option("--forecast", help="Only say how many calls and how long it would take.")
    ] = False,
    throttled: Annotated[
        bool | None,
        typer.Option(
            "--throttled-everybody/--never-throttled",
            help="Whether you ever throttled or stopped everybody because of one tenant. Default: not known.",
            show_default=False,
        ),
    ] = None,
    tenants_file: Annotated[
        Path | None,
        typer.Option(
            "--tenants-file",
            metavar="FILE",
            help="Write the tenants for `mailcordon plan -f` there. Default: not written.",
        ),
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of text for people.")
    ] = False,
) -> None:
    """Assess an SES account that tenants share: who endangers whom, whether to migrate and why now, order and calendar.

    It only reads, about one call a second, and says first how long that takes. `mailcordon iam assess` prints the policy of a
    role for it; what a role may not read is said to be unknown. Message types and tenants that are guesses are marked: confirm
    them in the tenants file.
    """
    if tenants_file is not None and tenants_file.exists():
        raise BadConfig(messages.file_exists(file=str(tenants_file)))
    config = configs.read(os.environ)
    wanted = Wanted(
        aws=aws,
        profile=profile,
        region=region or config.region,
        endpoint=endpoint,
        keep=keep,
        recording=recording,
        forecast=forecast,
    )
    ruled = assess_sources.read_rules(rules) if rules is not None else Rules()
    seen = [each for name in events or () for each in assess_sources.read_events(name)]
    found = asyncio.run(_observed(url, key)) if observed else None
    report = asyncio.run(run(config, wanted, rules=ruled, events=seen, seen_by=found, throttled=throttled))
    if report is None:
        return
    if tenants_file is not None:
        tenants_file.write_text(report.tenants_file, encoding="utf-8")
    if as_json:
        print(json.dumps(report.document(), indent=2, ensure_ascii=False))
        return
    from mailcordon.control.assess import page

    for line in page.lines(report):
        print(line)
    print("" if tenants_file is None else f"\n{messages.file_written(file=str(tenants_file))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be read, and how."""

    region: str
    aws: bool = False
    profile: str | None = None
    endpoint: str | None = None
    keep: Path | None = None
    recording: Path | None = None
    forecast: bool = False


async def run(
    config: Config,
    wanted: Wanted,
    *,
    rules: Rules | None = None,
    events: Sequence[Seen] = (),
    seen_by: Observed | None = None,
    throttled: bool | None = None,
    say: Callable[[str], None] | None = None,
    pace: "Pace | None" = None,
) -> Report | None:
    """None: only the forecast was asked for. `pace`: instead of a call a second for AWS, and no limit for a local SES. Raises
    BadConfig or Unavailable."""
    from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
    from mailcordon.adapters.ses.recorded_account import RecordedAccount
    from mailcordon.control.assess import report as reports

    tell = say or _note
    with ExitStack() as stack:
        kept = None
        if wanted.recording is not None:
            source: Source = (kept := RecordedAccount(wanted.recording, None))
            stack.callback(kept.close)
            per_second = None
        else:
            source, per_second = _source(config, wanted, stack, pace)
            if wanted.keep is not None:
                source = kept = RecordedAccount(
                    wanted.keep, source, region=wanted.region, on=datetime.now(UTC).date()
                )
                stack.callback(kept.close)
        reading = Reading(
            source,
            wanted.region if kept is None else kept.region,
            _today() if kept is None else kept.on,
            _Progress(tell),
            frozenset(name for name, _ in rules.tags) if rules is not None else frozenset(),
        )
        lists = await reading.lists()
        left = lists.forecast().without({} if kept is None else kept.kept)
        seconds = left.seconds(per_second)
        if wanted.recording is None:
            tell(
                messages.forecast(
                    calls=left.number,
                    seconds=seconds,
                    identities=len(lists.identities),
                    sets=len(lists.sets),
                    tenants=len(lists.tenants),
                )
            )
        if wanted.forecast:
            return None
        if seconds > LONG and wanted.keep is None:
            raise BadConfig(messages.keep_it(seconds=seconds))
        account = await reading.read(lists)
    return reports.assess(
        account,
        registrable=functools.cache(PublicSuffixes().registrable),
        rules=rules,
        events=events,
        seen_by=seen_by,
        throttled=throttled,
    )


async def _observed(url: str | None, key: str | None) -> Observed:
    """Of the server that flags, environment or cli.json name, as for every other command."""
    from mailcordon.adapters.cli import client, connection

    home = connection.home(os.environ)
    found = connection.find(url=url, key=key, environment=os.environ, home=home)
    api = client.Client(found.url, found.key)
    try:
        return await assess_sources.read_observed(api, _today())
    finally:
        await api.close()


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _today() -> date:
    return datetime.now(UTC).date()


def _source(
    config: Config, wanted: Wanted, stack: ExitStack, pace: "Pace | None"
) -> tuple[Source, float | None]:
    """What is read, and the calls a second that it allows. None: no limit."""
    from mailcordon.adapters.ses.account_reading import AccountReading, Pace

    if wanted.aws:
        pace = pace or Pace(PER_SECOND)
        reading = AccountReading(pace, region=wanted.region, endpoint=wanted.endpoint, profile=wanted.profile)
    else:
        pace = pace or Pace(None)
        local = wanted.endpoint or config.ses_endpoint or _running(config)
        if local is None:
            raise BadConfig(messages.no_account())
        keys = {} if wanted.profile else {"access_key": "test", "secret_key": "test"}
        reading = AccountReading(pace, region=wanted.region, endpoint=local, profile=wanted.profile, **keys)
    stack.callback(reading.close)
    return reading, pace.per_second


def _running(config: Config) -> str | None:
    """The local SES of the system that runs in this home."""
    if home_lock.holder(config.home) is None:
        return None
    found = home_lock.read(config.home / RUN_FILE).get("ses_url")
    return str(found) if found else None


class _Progress:
    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def __call__(self, operation: str, done: int, of: int) -> None:
        if done and done % _PROGRESS == 0:
            self._tell(messages.progress(operation=operation, done=done, of=of))
