"""The options of `python -m seslocal`: their types, defaults and help."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Callable
from pathlib import Path

from seslocal import messages
from seslocal.admin import policies
from seslocal.admin.fields import Refused, moment
from seslocal.iam.decision import Attached
from seslocal.state.settings import Settings
from seslocal.wire.access_keys import is_key_id, parse_key

DEFAULTS = Settings()


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="seslocal",
        usage="seslocal [options]\n       seslocal world ACTION ...",
        description="A local Amazon SES for tests: SES v2, SES v1, SNS and SQS on one port. "
        "`seslocal world` plays scenarios of many tenants without a server: see `seslocal world --help`.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=26),
    )
    made.add_argument(
        "--operations", action="store_true", help="print which operations are implemented, and exit"
    )
    _server_options(made.add_argument_group("server").add_argument)
    _account_options(made.add_argument_group("account").add_argument)
    _access_options(made.add_argument_group("identities, signatures and access").add_argument)
    _behaviour_options(made.add_argument_group("time, faults and storage").add_argument)
    return made


def _server_options(add: Callable[..., object]) -> None:
    add("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    add(
        "--port",
        metavar="N",
        type=_whole_number(0, 65_535),
        default=8005,
        help="port to listen on; 0 takes a free one (default %(default)s)",
    )
    add(
        "--smtp-port",
        metavar="N",
        type=_whole_number(0, 65_535),
        help="port of its SMTP door, with STARTTLS; 0: a free one (default: no SMTP)",
    )
    add(
        "--smtp-without-tls",
        action="store_true",
        help="SMTP takes passwords and mail without STARTTLS too",
    )
    add(
        "--ready-file",
        metavar="PATH",
        type=Path,
        help='write {"port": ..., "url": ...} to this file when ready',
    )
    add("--ready-fd", metavar="N", type=int, help="write the same to this open file descriptor")
    add(
        "--sns-url",
        metavar="URL",
        type=_like(r"local|https?://.+", "local or a URL"),
        help="base of the URLs in SNS messages; 'local': this server (default: AWS's)",
    )


def _account_options(add: Callable[..., object]) -> None:
    add(
        "--region",
        type=_like(r"any|[a-z]{2,4}(-[a-z]+)+-\d", "a region, or any"),
        action="append",
        default=[],
        help="region of its ARNs, and further regions (or any) that calls may be signed for; can be repeated "
        f"(default {DEFAULTS.region})",
    )
    add(
        "--account",
        metavar="ID",
        type=_like(r"\d{12}", "an account id of 12 digits"),
        default=DEFAULTS.account_id,
        help="account id, 12 digits (default %(default)s)",
    )
    add(
        "--rate",
        metavar="N",
        type=_number(0, 1e9),
        default=DEFAULTS.rate,
        help="MaxSendRate in recipients per second (default %(default)g)",
    )
    add(
        "--quota",
        metavar="N",
        type=_number(-1, 1e12),
        default=DEFAULTS.quota,
        help=f"recipients per 24 hours; -1: no limit (default {DEFAULTS.quota:.0f})",
    )
    add(
        "--sandbox",
        action="store_true",
        help="no production access: 200 recipients a day, 1 per second, only to verified addresses",
    )
    add(
        "--management-rate",
        metavar="N",
        type=_number(0, 1e6),
        default=DEFAULTS.management_rate,
        help="calls per second of each operation that does not send; 0: no limit (default %(default)g; SES: about 1)",
    )
    add(
        "--management-together",
        action="store_true",
        help="apply --management-rate to all those operations together",
    )


def _access_options(add: Callable[..., object]) -> None:
    add("--strict", action="store_true", help="identities verify only when their records are in its DNS")
    add(
        "--dns-port",
        metavar="N",
        type=_whole_number(0, 65_535),
        help="UDP and TCP port of its DNS server; 0: a free one (default: no DNS server, or 0 with --strict)",
    )
    add(
        "--key",
        type=_key,
        action="append",
        default=[],
        metavar="ID:SECRET",
        help="access key in addition to test:test; can be repeated",
    )
    add(
        "--policy",
        type=_policy,
        action="append",
        default=[],
        metavar="KEY=FILE",
        help="IAM policy of an access key: what it does not allow is refused; can be repeated",
    )
    add("--no-auth", action="store_true", help="do not check signatures")
    add(
        "--allow-host",
        type=_host_name,
        action="append",
        default=[],
        metavar="NAME",
        help="host name to answer to beside localhost and its own address; *.NAME for all below it; can be repeated",
    )
    add(
        "--token",
        metavar="TOKEN",
        type=_token,
        default=os.environ.get("SESLOCAL_TOKEN") or None,
        help="token that the admin API and the page require; better set SESLOCAL_TOKEN, which others cannot read "
        "(default: none on loopback, else a generated one)",
    )
    add(
        "--max-connections",
        metavar="N",
        type=_whole_number(1, 10**6),
        default=DEFAULTS.limits.connections,
        help="open connections of one client address (default %(default)s)",
    )
    add(
        "--head-seconds",
        metavar="SECONDS",
        type=_number(1, 1e6),
        default=DEFAULTS.limits.head_seconds,
        help="time for the headers of a request to arrive (default %(default)g)",
    )
    add(
        "--body-seconds",
        metavar="SECONDS",
        type=_number(1, 1e6),
        default=DEFAULTS.limits.body_seconds,
        help="time for the body of a request to arrive (default %(default)g)",
    )


def _behaviour_options(add: Callable[..., object]) -> None:
    add(
        "--event-delay",
        metavar="SECONDS",
        type=_number(0, 1e6),
        help=f"delay before each event (default {DEFAULTS.event_delay:g}; 0 with a frozen clock)",
    )
    add(
        "--clock",
        metavar="TIME",
        type=_moment,
        help="time that the clock starts at, such as 2026-01-01T00:00:00Z (default: now)",
    )
    add(
        "--speed",
        metavar="N",
        type=_number(0, 1e7),
        default=1.0,
        help="seconds of the clock per real second; 0: frozen (default 1)",
    )
    add("--seed", metavar="N", type=int, default=None, help="seed of all ids, for repeatable runs")
    add(
        "--scenario",
        metavar="FILE",
        type=Path,
        help="TOML or JSON file of faults and calls to run at set times",
    )
    add(
        "--world",
        metavar="FILE",
        type=Path,
        help="TOML or JSON file: a world behind SES, of mailbox providers and people",
    )
    add(
        "--ledger",
        metavar="N",
        type=_whole_number(1, 10**9),
        default=DEFAULTS.ledger,
        help="accepted mails to keep (default %(default)s)",
    )
    add(
        "--queue-most",
        metavar="N",
        type=_whole_number(1, 10**9),
        default=DEFAULTS.queue_most,
        help="messages to keep per queue (default %(default)s)",
    )
    add(
        "--state",
        metavar="DIRECTORY",
        type=_directory,
        help="keep the state in this directory across restarts and kills (default: in memory only)",
    )
    add(
        "--home",
        metavar="DIRECTORY",
        type=_directory,
        help="directory that stands for S3: s3://BUCKET/KEY is the file BUCKET/KEY in it (default: a temporary one)",
    )


def _like(pattern: str, what: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(messages.not_like(text, what))
        return text

    return check


def _number(low: float, high: float) -> Callable[[str], float]:
    def check(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(messages.not_in_range(text, "number", low, high))
        return value

    return check


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(messages.not_in_range(text, "whole number", low, high))
        return int(text)

    return check


def _directory(text: str) -> str:
    if Path(text).exists() and not Path(text).is_dir():
        raise argparse.ArgumentTypeError(messages.not_like(text, "a directory"))
    return text


def _moment(text: str) -> float:
    try:
        found = moment({"time": float(text) if re.fullmatch(r"[0-9.]+", text) else text}, "time")
    except Refused as refused:
        raise argparse.ArgumentTypeError(str(refused)) from None
    assert found is not None
    return found


def _key(text: str) -> tuple[str, str]:
    try:
        return parse_key(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _policy(text: str) -> tuple[str, Attached]:
    key, equals, file = text.partition("=")
    if not equals or not is_key_id(key):
        raise argparse.ArgumentTypeError(messages.not_like(text, "KEY=FILE"))
    try:
        return key, policies.read_file(Path(file))
    except Refused as refused:
        raise argparse.ArgumentTypeError(str(refused)) from None


def _host_name(text: str) -> str:
    if not re.fullmatch(
        r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*", text
    ):
        raise argparse.ArgumentTypeError(messages.bad_host_name(text))
    return text


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,200}", text):
        raise argparse.ArgumentTypeError(messages.bad_token())
    return text
