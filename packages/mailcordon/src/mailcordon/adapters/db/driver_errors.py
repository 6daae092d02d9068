"""Which of the driver's errors mean that the database is unreachable, which that it is busy, and what to call them."""

import asyncpg

#: The server is down, hangs, restarts, is full or cannot be entered, or the connection broke. Work waits until that ends. An
#: error of a statement's own (a constraint, a missing partition, a wrong value) is not among them: waiting does not help there.
UNREACHABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server has ended the session, and the client has not read the end of the stream yet
    asyncpg.AdminShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,  # no disk space, memory or connections left
    asyncpg.PostgresSystemError,  # an I/O error on the server
    asyncpg.ReadOnlySQLTransactionError,  # after a fail-over, until the standby is promoted
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.InvalidAuthorizationSpecificationError,  # the login is locked, or its password is being changed
    asyncpg.InvalidCatalogNameError,  # the database is being restored
    OSError,
    TimeoutError,
)

#: The session has ended, which says nothing of the server yet. The next connection shows whether it is there.
SESSION_ENDED = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.IdleSessionTimeoutError,
    ConnectionError,
)

#: The statement took longer than the time-out of its session.
TOO_SLOW = asyncpg.QueryCanceledError

#: Other transactions held locks for longer than our time-outs, or conflicted with ours. A retry may succeed.
BUSY = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError, asyncpg.SerializationError)

DEADLOCK = asyncpg.DeadlockDetectedError


def in_words(error: BaseException) -> str:
    """The cause, for a sentence: `connection refused`, `no response in time`, else what PostgreSQL or the system says."""
    if isinstance(error, ConnectionRefusedError):
        # asyncio puts the address in front of its own text: `[Errno 111] Connect call failed ('127.0.0.1', 1)`.
        return "connection refused"
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        # In the context: the rollback on a connection that was given up because no answer came.
        return "no response in time"
    if isinstance(error, asyncpg.InternalClientError):
        return "the connection ended"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (
        sentence_of(error).partition("\n")[0] or "no response"
    )  # PostgreSQL's further lines are details and hints


#: Errors whose first line shows the value: `invalid input syntax for type integer: "..."`. The driver's own are among them.
_SHOWS_A_VALUE = "22"


def sentence_of(error: BaseException) -> str:
    """The error's text without what a statement carried. DETAIL, HINT and CONTEXT show keys, rows and values."""
    if not isinstance(error, asyncpg.PostgresError):
        return str(error)
    if (error.sqlstate or "").startswith(_SHOWS_A_VALUE):
        return f"PostgreSQL does not take a value ({type(error).__name__}, {error.sqlstate})"
    return str(error.args[0]) if error.args else type(error).__name__


def without_values(error: BaseException) -> None:
    """Takes the values out of an error of the driver, and out of all that led to it, for a log that prints tracebacks."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions  # pyright: ignore[reportUnknownMemberType]
        if isinstance(one, asyncpg.PostgresError):
            one.args = (sentence_of(one),)
            one.detail = one.hint = None
