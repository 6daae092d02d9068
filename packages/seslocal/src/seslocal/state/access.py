"""Who may call, and how often: access keys, their policies, whether signatures are checked, the rate of management calls."""

from __future__ import annotations

from typing import NamedTuple

from seslocal.iam.decision import Attached
from seslocal.state.management_rate import ManagementRate
from seslocal.state.settings import Settings
from seslocal.wire.access_keys import Keys


class Caller(NamedTuple):
    """Who called: the key that signed the request, and where it came from."""

    access_key: str
    region: str
    source_ip: str
    host: str  #: the Host header, for URLs that lead back to this server
    user: str  #: name of the key's owner


class SmtpPort(NamedTuple):
    """Where the SMTP door of the server is."""

    host: str
    port: int
    needs_tls: bool  #: AUTH and mail are refused before STARTTLS
    certificate: str  #: of STARTTLS, self-signed, in PEM


class Access:
    def __init__(self, settings: Settings) -> None:
        self.keys = Keys(settings.keys)
        self.policies = {
            key: Attached(one.policies, one.principal) for key, one in settings.policies
        }  #: by access key; one without an entry may do everything
        self.check_signatures = settings.check_signatures
        self.refusals: set[str] = set()  #: lines about refused signatures that were logged
        self.smtp: SmtpPort | None = None  #: set by the server if the door is open
        self.management_rate = ManagementRate(settings.management_rate, together=settings.management_together)
