"""The settings of submission by SMTP (docs/smtp.md)."""

from dataclasses import dataclass
from pathlib import Path

from mailcordon.config.setting_reader import SettingReader
from mailcordon.messages import settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    #: Address to listen on. Default: this machine only, because without a certificate keys would travel in clear text.
    host: str = "127.0.0.1"
    #: TCP port of connections that begin in clear text (STARTTLS); 0 takes a free one. None: 8587 if it is free, else any: the
    #: registered port, 587, may be opened by few users.
    port: int | None = None
    #: TCP port of connections that begin with TLS. None: 8465 if it is free, else any. Open only with a certificate.
    tls_port: int | None = None
    #: Numbers of listening sockets that `up` passes on, instead of host and ports.
    fd: int | None = None
    tls_fd: int | None = None
    #: PEM files. Default: the API's. None: keys are taken from this machine only.
    certificate: Path | None = None
    key: Path | None = None


def read(reader: SettingReader) -> SmtpSettings | None:
    """None if submission is switched off."""
    switch = reader.choice("MAILCORDON_SMTP", ("on", "off"), "on")
    certificate = reader.file("MAILCORDON_SMTP_TLS_CERTIFICATE")
    key = reader.file("MAILCORDON_SMTP_TLS_KEY")
    if (certificate is None) is not (key is None):
        reader.wrong.append(settings.smtp_tls_half_set())
    if certificate is None:
        certificate, key = reader.file("MAILCORDON_TLS_CERTIFICATE"), reader.file("MAILCORDON_TLS_KEY")
    found = SmtpSettings(
        host=reader.environ.get("MAILCORDON_SMTP_HOST", "").strip() or "127.0.0.1",
        port=reader.port("MAILCORDON_SMTP_PORT"),
        tls_port=reader.port("MAILCORDON_SMTPS_PORT"),
        fd=reader.number("MAILCORDON_SMTP_FD", 0, 0, 1_000_000) or None,
        tls_fd=reader.number("MAILCORDON_SMTPS_FD", 0, 0, 1_000_000) or None,
        certificate=certificate,
        key=key,
    )
    return found if switch == "on" else None
