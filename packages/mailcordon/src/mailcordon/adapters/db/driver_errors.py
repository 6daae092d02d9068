"""Which of the driver's errors mean that the database is unreachable, and which that it is busy."""

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
