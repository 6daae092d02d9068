"""The settings of metrics for machines (docs/machine-metrics.md)."""

import ipaddress
from dataclasses import dataclass, field

from mailcordon.config.setting_reader import SettingReader
from mailcordon.messages import settings

_TOKEN_IN_WORDS = "16 to 256 of A-Z, a-z, 0-9 and -._~+/="  # noqa: S105 (words, not a token)
#: Of each role, when no port is set: after the API's 8025.
USUAL_PORTS = {
    "api": 8026,
    "dispatch": 8027,
    "observe": 8028,
    "control": 8029,
    "smtp": 8030,
    "dashboard": 8031,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsEndpoint:
    #: An IP address of this machine. Default: loopback, because metrics name tenants.
    host: str = "127.0.0.1"
    #: None: the role's usual port if it is free, else any. `up` counts on from it, a port for each role.
    port: int | None = None
    #: What a scraper must send as a bearer token. None: nothing, on loopback and private addresses only.
    token: str | None = field(default=None, repr=False)

    def port_of(self, role: str) -> int | None:
        """The port that `up` gives to a role."""
        return self.port if not self.port else self.port + list(USUAL_PORTS).index(role)


def endpoint(reader: SettingReader) -> MetricsEndpoint | None:
    switch = reader.choice("MAILCORDON_METRICS", ("on", "off"), "on")
    host = reader.environ.get("MAILCORDON_METRICS_HOST", "").strip() or "127.0.0.1"
    token = reader.secret("MAILCORDON_METRICS_TOKEN", r"[A-Za-z0-9._~+/=-]{16,256}", _TOKEN_IN_WORDS)
    port = reader.port("MAILCORDON_METRICS_PORT")
    if switch == "off":
        return None
    if token is None and not _is_private(host):
        reader.wrong.append(settings.metrics_need_a_token(host=host))
    return MetricsEndpoint(host=host, port=port, token=token)


def _is_private(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    return address.is_private and not address.is_unspecified
