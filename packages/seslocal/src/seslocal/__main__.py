"""`python -m seslocal`: one local SES on one port, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seslocal.admin.forms import Refused, moment
from seslocal.admin.scenario import load
from seslocal.clock import Clock
from seslocal.server import Local, start
from seslocal.sesv1.table import ACTING as V1_ACTING
from seslocal.sesv2.table import ACTING
from seslocal.sqs.operations import OPERATIONS as SQS_ACTING
from seslocal.state import Settings
from seslocal.wire.keys import pair
from seslocal.wire.model import ses_routes, sqs_checks
from seslocal.wire.query import ses_v1

DEFAULTS = Settings()


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    if options.operations:
        print(operations())
        return 0
    logging.basicConfig(level=logging.WARNING, format="seslocal: %(levelname)s: %(message)s")
    try:
        steps = load(options.scenario) if options.scenario else ()
    except Refused as refused:
        print(f"seslocal: {refused}", file=sys.stderr)
        return 1
    settings = Settings(
        region=options.region,
        account_id=options.account,
        rate=options.rate,
        quota=options.quota,
        event_delay=options.event_delay,
        ledger=options.ledger,
        seed=options.seed,
        queue_most=options.queue_most,
        sns_url=options.sns_url,
        home=options.home,
        strict=options.strict,
        sandbox=options.sandbox,
        management_rate=options.management_rate,
        management_together=options.management_together,
        dns_port=options.dns_port,
        keys=DEFAULTS.keys + tuple(options.key),
        check_signatures=not options.no_auth,
        scenario=steps,
    )
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(options, settings))
    except Refused as refused:
        print(f"seslocal: the scenario {options.scenario}: {refused}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"seslocal: cannot listen on {options.host}:{options.port}: {error.strerror}.", file=sys.stderr)
        return 1


def operations() -> str:
    """What acts and what does not, from the code itself, as a page of Markdown."""
    services = (
        ("SES v2", ACTING, sorted(ses_routes().operations)),
        ("SES v1", V1_ACTING, sorted(ses_v1().operations)),
        ("SQS", SQS_ACTING, sorted(sqs_checks())),
    )
    lines = [
        "# What seslocal acts on",
        "",
        "Made by `python -m seslocal --operations`. Every operation is routed and its input checked.",
    ]
    for service, acting, names in services:
        count = sum(name in acting for name in names)
        lines += ["", f"## {service}: {count} of {len(names)}", "", "| operation | |", "| --- | --- |"]
        lines += [f"| {name} | {'acts' if name in acting else 'no'} |" for name in names]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="seslocal", description="A local SES that behaves like SES.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    add("--port", type=int, default=8005, help="port; 0 takes a free one and prints it (default %(default)s)")
    add("--operations", action="store_true", help="print which operations act, and stop")
    add(
        "--region",
        type=_like(r"[a-z]{2,4}(-[a-z]+)+-\d", "a region"),
        default=DEFAULTS.region,
        help="region of every ARN (default %(default)s)",
    )
    add(
        "--account",
        type=_like(r"\d{12}", "an account id of 12 digits"),
        default=DEFAULTS.account_id,
        help="account id, 12 digits (default %(default)s)",
    )
    add(
        "--rate",
        type=float,
        default=DEFAULTS.rate,
        help="MaxSendRate, recipients a second (default %(default)g)",
    )
    add(
        "--quota",
        type=float,
        default=DEFAULTS.quota,
        help="recipients in 24 hours, -1: no limit (default %(default)g)",
    )
    add(
        "--event-delay",
        type=float,
        default=DEFAULTS.event_delay,
        help="seconds before an event (default %(default)g)",
    )
    add("--ledger", type=int, default=DEFAULTS.ledger, help="mails the ledger keeps (default %(default)s)")
    add("--seed", type=int, default=None, help="seed of every id, for runs that repeat")
    add(
        "--queue-most",
        type=int,
        default=DEFAULTS.queue_most,
        help="messages a queue holds (default %(default)s)",
    )
    add("--clock", type=_moment, help="time to start at, such as 2026-01-01T00:00:00Z (default: now)")
    add("--speed", type=float, default=1.0, help="seconds of its clock in one of ours; 0: frozen (default 1)")
    add("--sns-url", help="base of the URLs in SNS messages; local: this server (default: as AWS writes it)")
    add(
        "--sandbox",
        action="store_true",
        help="without production access: 200 mails a day, 1 a second, to verified ones",
    )
    add(
        "--management-rate",
        type=float,
        default=DEFAULTS.management_rate,
        help="calls a second of each operation that does not send, 0: no limit (default %(default)g; SES: about 1)",
    )
    add("--management-together", action="store_true", help="that limit is one for all operations")
    add("--strict", action="store_true", help="identities verify only when their records are in its own DNS")
    add(
        "--dns-port",
        type=int,
        help="UDP and TCP port of its own DNS; 0: a free one (default: none, or free if --strict)",
    )
    add(
        "--key",
        type=_key,
        action="append",
        default=[],
        metavar="ID:SECRET",
        help="an access key beside test:test; may be repeated",
    )
    add(
        "--home",
        help="directory that stands for S3: s3://BUCKET/KEY is the file BUCKET/KEY (default: an empty one)",
    )
    add("--no-auth", action="store_true", help="check no signatures")
    add("--scenario", type=Path, help="TOML or JSON file that says what goes wrong when")
    add("--ready-file", type=Path, help='file that gets {"port": ...} once it listens')
    add("--ready-fd", type=int, help="open file descriptor that gets the same line")
    return parser


def _like(pattern: str, what: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
        return text

    return check


def _moment(text: str) -> float:
    try:
        found = moment({"time": float(text) if re.fullmatch(r"[0-9.]+", text) else text}, "time")
    except Refused as refused:
        raise argparse.ArgumentTypeError(str(refused)) from None
    assert found is not None
    return found


def _key(text: str) -> tuple[str, str]:
    try:
        return pair(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def _settle_down() -> None:
    """A mail makes no cycles, and the models that were loaded never go: the collector need not look at either often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def _serve(options: Any, settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    clock = Clock(options.clock, options.speed)
    local = await start(host=options.host, port=options.port, settings=settings, clock=clock)
    _settle_down()
    _say_ready(local, options)
    await stop.wait()
    await local.close()
    return 0


def _say_ready(local: Local, options: Any) -> None:
    print(
        f"seslocal listens on {local.url}: SES v2, SNS and SQS. Open it in a browser to see the mail.\n\n"
        "    import boto3\n"
        f'    ses = boto3.client("sesv2", endpoint_url="{local.url}", region_name="{options.region}",\n'
        '                       aws_access_key_id="test", aws_secret_access_key="test")\n\n'
        f"What was sent: curl {local.url}/_seslocal/sent",
        flush=True,
    )
    ready: dict[str, object] = {"port": local.port, "url": local.url}
    if local.names is not None:
        ready["dns_port"] = local.names.port
        print(f"Its DNS: dig @{local.host} -p {local.names.port} NAME", flush=True)
    line = json.dumps(ready) + "\n"
    if options.ready_file is not None:
        # Whole or not at all: who watches for the file reads it the moment it is there.
        partial = options.ready_file.with_name(options.ready_file.name + ".part")
        partial.write_text(line)
        partial.replace(options.ready_file)
    if options.ready_fd is not None:
        os.write(options.ready_fd, line.encode())
        os.close(options.ready_fd)


if __name__ == "__main__":
    sys.exit(main())
