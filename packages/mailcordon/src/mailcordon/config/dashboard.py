"""The settings of the dashboard (docs/dashboard.md)."""

from dataclasses import dataclass, field

from mailcordon.config import oidc
from mailcordon.config.setting_reader import SettingReader
from mailcordon.control.people.oidc_settings import OidcSettings
from mailcordon.control.people.sessions import Lifetimes


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    #: Address to listen on. Default: this machine only, because the dashboard must be exposed behind TLS.
    host: str = "127.0.0.1"
    #: TCP port; 0 takes a free one. None: 8020 if it is free, so that examples can be pasted, else any.
    port: int | None = None
    #: Number of a listening socket that `up` passes on, instead of host and port: `up` keeps it open while the role restarts.
    fd: int | None = None
    #: URL under which people reach the dashboard, without a slash at its end. With https://, cookies are sent over TLS only.
    #: None: the address that it listens on.
    url: str | None = None
    #: How long somebody stays signed in; each limit has its own reason (control/people/sessions.py).
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    #: None: no OpenID provider; people sign in by links that `mailcordon sign-in` prints.
    oidc: OidcSettings | None = None

    @property
    def is_secure(self) -> bool:
        return self.url is not None and self.url.startswith("https://")


def read(reader: SettingReader) -> DashboardSettings | None:
    """None if the dashboard is switched off."""
    switch = reader.choice("MAILCORDON_DASHBOARD", ("on", "off"), "on")
    url = reader.url("MAILCORDON_DASHBOARD_URL")
    found = DashboardSettings(
        host=reader.environ.get("MAILCORDON_DASHBOARD_HOST", "").strip() or "127.0.0.1",
        port=reader.port("MAILCORDON_DASHBOARD_PORT"),
        fd=reader.number("MAILCORDON_DASHBOARD_FD", 0, 0, 1_000_000) or None,
        url=None if url is None else url.rstrip("/"),
        lifetimes=oidc.lifetimes(reader),
        oidc=oidc.provider(reader, url),
    )
    return found if switch == "on" else None
