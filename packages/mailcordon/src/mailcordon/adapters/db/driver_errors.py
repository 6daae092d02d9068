"""Which of the driver's errors mean that the database is unreachable, which that it is busy, and what to call them."""

import asyncpg

#: The server is down, restarting or full, or the connection broke.
UNREACHABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server has ended the session, and the client has not read the end of the stream yet
    asyncpg.AdminShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    OSError,
    TimeoutError,
)

#: Other transactions held locks for longer than our time-outs, or conflicted with ours. A retry may succeed.
BUSY = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError, asyncpg.SerializationError)

DEADLOCK = asyncpg.DeadlockDetectedError


def in_words(error: BaseException) -> str:
    """The cause, for a sentence: `connection refused`, `no response in time`, else what PostgreSQL or the system says."""
    if isinstance(error, ConnectionRefusedError):
        # asyncio puts the address in front of its own text: `[Errno 111] Connect call failed ('127.0.0.1', 1)`.
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "no response in time"
    if isinstance(error, asyncpg.InternalClientError):
        return "the connection ended"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition("\n")[0] or "no response"  # PostgreSQL's further lines are details and hints
