"""`mailcordon events`: hand in events from files."""

import asyncio
import json
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated

import typer

from mailcordon.adapters.cli import command, event_files, failures
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.document import Document, child
from mailcordon.messages import cli as cli_messages
from mailcordon.messages import event_doors as messages

app = typer.Typer(
    no_args_is_help=True, help="Events of SES from files: what went past us, or came before us."
)

_MOST_TEXTS = 500  #: of one request
_MOST_BYTES = 900_000  #: of one request
_SAY_EVERY = 20_000  #: documents
_TRIES = 6  #: of a request, while the server cannot take it
_FIRST_PAUSE = 1.0  #: seconds; doubled with each try
_COUNTS = ("documents", "copies", "observed", "unmapped", "elsewhere", "notices", "lost")
_COUNTS_BY_NAME = ("new", "quarantined", "not_kept")


@dataclass(slots=True)
class _Done:
    counts: Counter[str] = field(default_factory=Counter[str])
    by_name: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter[str]() for name in _COUNTS_BY_NAME}
    )
    too_long: int = 0

    def add(self, said: Document) -> None:
        for name in _COUNTS:
            self.counts[name] += int(said.get(name) or 0)
        for name, counts in self.by_name.items():
            counts.update({str(key): int(value) for key, value in child(said, name).items()})

    def document(self, files: list[str]) -> Document:
        return {
            "files": files,
            **{name: self.counts[name] for name in _COUNTS},
            **{name: dict(counts) for name, counts in self.by_name.items()},
            "too_long": self.too_long,
        }

    def sentence(self) -> str:
        new, quarantined = (sum(self.by_name[name].values()) for name in ("new", "quarantined"))
        return messages.replayed(
            new=new, copies=self.counts["copies"], quarantined=quarantined, unmapped=self.counts["unmapped"]
        )


@command.remote(
    app,
    "replay",
    examples="""
mailcordon events replay ses-events-2026-11-28-*.gz
aws s3 cp s3://events/2026/11/28/batch.gz - | mailcordon events replay -
mailcordon events replay events.jsonl --skip 12000
""",
)
async def replay(
    cli: Cli,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE", help="JSON lines, or Firehose's files of S3; gzip or not. - is stdin."
        ),
    ],
    skip: Annotated[
        int,
        typer.Option(
            "--skip",
            metavar="N",
            min=0,
            help="Leave out the first N documents of the first file. Default: 0.",
        ),
    ] = 0,
) -> None:
    """Store the events of files as if they had just been received. Each counts once, so a file can be replayed again.

    It takes SES's events bare, in the envelopes of SNS and EventBridge, in a Lambda function's events, as SQS returns them, and
    in the files of what Firehose could not deliver. You vouch for them: no signature is checked.
    """
    done = _Done()
    names = [name.encode(errors="replace").decode() for name in files]  # a name need not be Unicode
    for given, file in zip(files, names, strict=True):
        stored = place = skip  # documents of this file
        batch: list[str] = []
        try:
            with (
                cli.progress(cli_messages.reading_file(file=file)) as bar,
                event_files.open_file(given) as opened,
            ):
                size, said = 0, stored
                for number, text in enumerate(event_files.documents(opened)):
                    if number < skip:
                        continue
                    length = len(json.dumps(text))
                    if length > _MOST_BYTES:
                        done.too_long += 1
                        continue
                    if len(batch) == _MOST_TEXTS or size + length > _MOST_BYTES:
                        await _hand_in(cli, file, batch, done)
                        stored = place
                        batch, size = [], 0
                        bar.set(stored)
                        if stored - said >= _SAY_EVERY:
                            said = stored
                            cli.note(messages.replaying(file=file, documents=stored))
                    batch.append(text)
                    size, place = size + length, number + 1
                if batch:
                    await _hand_in(cli, file, batch, done)
                    stored = place
        except (OSError, EOFError, zlib.error) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            failure = failures.Failure(
                failures.Exit.REFUSED, messages.file_not_read(file=file, why=why), "file-not-read"
            )
            try:
                if batch:  # what could be read is stored
                    await _hand_in(cli, file, batch, done)
                    stored = place
            except failures.Failure as worse:
                failure = worse
            raise _with_position(failure, file, stored, done, names) from None
        except failures.Failure as failure:
            raise _with_position(failure, file, stored, done, names) from None
        skip = 0
    cli.show_result(done.document(names), done.sentence())
    if done.too_long:
        cli.note(messages.too_long(left_out=done.too_long, most=_MOST_BYTES))


async def _hand_in(cli: Cli, file: str, batch: list[str], done: _Done) -> None:
    pause = _FIRST_PAUSE
    for left in reversed(range(_TRIES)):
        try:
            done.add(await cli.api.post(path("events", "replay"), {"documents": batch, "file": file[-200:]}))
            return
        except failures.Failure as failure:
            if failure.exit is not failures.Exit.UNAVAILABLE or not left:
                raise
        await asyncio.sleep(pause)
        pause *= 2


def _with_position(
    failure: failures.Failure, file: str, stored: int, done: _Done, files: list[str]
) -> failures.Failure:
    """What was stored before is not lost, and said."""
    if stored:
        failure.sentence += f". {messages.how_to_resume(file=file, documents=stored)}"
    failure.partial = done.document(files)
    return failure
