"""What a failed connection to PostgreSQL means to an operator: which address failed, why, and which setting to correct."""

import contextlib
from collections.abc import Generator
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from mailcordon.adapters.db.driver_errors import in_words
from mailcordon.core.errors import BadConfig, MailcordonError, Refused, Unavailable
from mailcordon.messages import database as database_messages


class DatabaseRefused(Refused):
    """PostgreSQL refuses this user, or has no such database. Trying again unchanged does not help."""

    code = "database-refused"


class DatabaseUnreachable(Unavailable):
    """PostgreSQL cannot be reached, or is not able to work at the moment."""

    code = "database-unreachable"


@contextlib.contextmanager
def explained(dsn: str, setting: str) -> Generator[None]:
    """Turns connection failures into DatabaseRefused, DatabaseUnreachable or BadConfig. `setting` is where the address is from.

    Errors in a statement of ours stay as they are: they are bugs.
    """
    try:
        yield
    except MailcordonError:
        raise
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        meaning = explain(error, dsn, setting)
        if meaning is None:
            raise
        raise meaning from error


def explain(error: Exception, dsn: str, setting: str) -> MailcordonError | None:
    """What the error means, or None if it is not a connection failure."""
    server = server_of(dsn)
    why = in_words(error)
    if isinstance(error, asyncpg.ClientConfigurationError):
        return BadConfig(database_messages.database_url_not_usable(setting=setting, why=why))
    if isinstance(error, asyncpg.PostgresError):
        return _explain_server(error, dsn, setting)
    if isinstance(error, asyncpg.InterfaceError | OSError):
        return DatabaseUnreachable(
            database_messages.database_unreachable(server=server, why=why, setting=setting)
        )
    return None


def _explain_server(error: asyncpg.PostgresError, dsn: str, setting: str) -> MailcordonError | None:
    """By SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html."""
    server, why = server_of(dsn), str(error)
    state = str(error.sqlstate or "")
    if state.startswith("28"):  # invalid authorization
        user = unquote(urlsplit(dsn).username or "") or "(none)"
        return DatabaseRefused(
            database_messages.database_password_rejected(server=server, user=user, setting=setting)
        )
    if state == "3D000":  # no such database
        database = urlsplit(dsn).path.removeprefix("/")
        return DatabaseRefused(database_messages.database_missing(server=server, database=database))
    if state == "42501":  # insufficient privilege
        return DatabaseRefused(
            database_messages.database_permission_missing(server=server, why=why, setting=setting)
        )
    if state[:2] in ("08", "57"):  # connection failure; starting up, shutting down
        return DatabaseUnreachable(
            database_messages.database_unreachable(server=server, why=why, setting=setting)
        )
    if state[:2] in ("53", "58"):  # out of disk, memory or connections; I/O error
        return DatabaseUnreachable(database_messages.database_failed(server=server, why=why))
    return None


def server_of(dsn: str) -> str:
    """Host and port of an address, or the directory of its socket."""
    parts = urlsplit(dsn)
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    return host if host.startswith("/") else f"{host}:{parts.port or 5432}"
