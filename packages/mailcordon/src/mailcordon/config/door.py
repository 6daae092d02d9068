"""The settings of the door (docs/door.md): limits, rates, what may wait, and reads."""

from mailcordon.config.setting_reader import SettingReader
from mailcordon.door.buckets import Rates
from mailcordon.door.limits import Limits
from mailcordon.door.reads import ReadLimits
from mailcordon.send.pending import MB, Pending


def limits(reader: SettingReader) -> Limits:
    default = Limits()
    number, a_day = reader.number, 86_400
    return Limits(
        head_bytes=number("MAILCORDON_HEAD_BYTES", default.head_bytes, 1024, 1 << 20),
        head_fields=number("MAILCORDON_HEAD_FIELDS", default.head_fields, 10, 10_000),
        head_seconds=float(number("MAILCORDON_HEAD_SECONDS", int(default.head_seconds), 1, a_day)),
        body_seconds=float(number("MAILCORDON_BODY_SECONDS", int(default.body_seconds), 1, a_day)),
        body_bytes_per_second=number(
            "MAILCORDON_BODY_BYTES_PER_SECOND", default.body_bytes_per_second, 0, 1 << 30
        ),
        # Half of it is one caller's, and three quarters of it large bodies': the largest body must fit.
        body_memory=number("MAILCORDON_BODY_MEMORY_MB", default.body_memory >> 20, 48, 1 << 20) << 20,
        response_seconds=float(
            number("MAILCORDON_RESPONSE_SECONDS", int(default.response_seconds), 1, a_day)
        ),
        idle_seconds=float(number("MAILCORDON_IDLE_SECONDS", int(default.idle_seconds), 1, a_day)),
        connections=number("MAILCORDON_CONNECTIONS", default.connections, 1, 1 << 20),
        connections_per_address=number(
            "MAILCORDON_CONNECTIONS_PER_ADDRESS", default.connections_per_address, 1, 1 << 20
        ),
        connections_per_key=number("MAILCORDON_CONNECTIONS_PER_KEY", default.connections_per_key, 1, 1 << 20),
        requests_per_address=number(
            "MAILCORDON_REQUESTS_PER_ADDRESS", default.requests_per_address, 1, 1 << 20
        ),
        requests_per_key=number("MAILCORDON_REQUESTS_PER_KEY", default.requests_per_key, 1, 1 << 20),
        pipelined=number("MAILCORDON_PIPELINED_REQUESTS", default.pipelined, 0, 1000),
    )


def rates(reader: SettingReader, owner: str, default: Rates) -> Rates:
    def rate(what: str, value: float) -> float:
        return float(reader.number(f"MAILCORDON_{owner}_{what}_PER_SECOND", int(value), 1, 1_000_000_000))

    return Rates(
        messages=rate("MESSAGES", default.messages),
        bytes=rate("BYTES", default.bytes),
        reads=rate("READS", default.reads),
    )


def pending(reader: SettingReader) -> Pending:
    default, number = Pending(), reader.number
    each, whole = default.messages_per_tenant, default.messages
    return Pending(
        messages_per_tenant=number("MAILCORDON_PENDING_MESSAGES_PER_TENANT", each, 1, 1_000_000),
        messages=number("MAILCORDON_PENDING_MESSAGES", whole, 1, 1_000_000),
        bytes_per_tenant=number("MAILCORDON_PENDING_MB_PER_TENANT", default.bytes_per_tenant // MB, 1, 65_536)
        * MB,
        bytes=number("MAILCORDON_PENDING_MB", default.bytes // MB, 1, 65_536) * MB,
    )


def reads(reader: SettingReader) -> ReadLimits:
    default, number = ReadLimits(), reader.number
    return ReadLimits(
        at_once=number("MAILCORDON_READS_AT_ONCE", default.at_once, 1, 1000),
        at_once_each=number("MAILCORDON_READS_AT_ONCE_PER_CALLER", default.at_once_each, 1, 1000),
        waiting_each=number("MAILCORDON_READS_WAITING_PER_CALLER", default.waiting_each, 0, 1_000_000),
        waiting=number("MAILCORDON_READS_WAITING", default.waiting, 0, 1_000_000),
    )
