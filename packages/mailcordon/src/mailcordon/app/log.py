"""The log of a role process: structlog, the standard library, warnings and uncaught exceptions, all in one format on stderr.

With MAILCORDON_LOG=json every line is one JSON object with at least `timestamp`, `level`, `role` and `event`; a traceback is text
in its `exception`. Otherwise it is text for people.

No line holds what a statement carried: PostgreSQL's errors show rows, keys and values, which are mail and addresses. They are
taken out of every exception that is logged.
"""

import json
import logging
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from mailcordon.adapters.db.driver_errors import without_values


def configure(kind: str, role: str) -> None:
    """Sends everything this process logs to stderr. `kind` is `json`; anything else is text."""

    def add_role(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["role"] = role
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        add_role,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: Processor = structlog.processors.JSONRenderer(default=str) if kind == "json" else render_text
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                render,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("mailcordon").setLevel(logging.INFO)
    logging.captureWarnings(True)
    _log_uncaught_exceptions()


def render_text(_: WrappedLogger, __: str, event: EventDict) -> str:
    """`TIME level   role: event  key=value ...`, and a traceback on the lines below."""
    exception = event.pop("exception", None)
    logger = event.pop("logger", "")
    head = f"{event.pop('timestamp')} {event.pop('level'):<7} {event.pop('role')}: {event.pop('event')}"
    if not logger.startswith("mailcordon"):
        event["logger"] = logger
    pairs = " ".join(f"{key}={_quoted(value)}" for key, value in event.items())
    return "\n".join(filter(None, [f"{head}  {pairs}".rstrip(), exception]))


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' "=\n') else text


class _Handler(logging.StreamHandler[Any]):
    def emit(self, record: logging.LogRecord) -> None:
        for error in _errors_in(record):
            without_values(error)
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """A line with wrong arguments. The standard library would print a traceback between the lines."""
        wrong = logging.LogRecord(
            record.name,
            logging.ERROR,
            record.pathname,
            record.lineno,
            "a log line could not be formatted",
            None,
            sys.exc_info(),
        )
        try:
            self.stream.write(self.format(wrong) + self.terminator)
            self.flush()
        except OSError:
            return  # nobody reads the log any more


def _errors_in(record: logging.LogRecord) -> Iterator[BaseException]:
    """The exceptions that the line shows, as its traceback or among its values."""
    message: object = cast("object", record.msg)
    event = cast("dict[str, object]", message) if isinstance(message, dict) else {}  # structlog's
    values = record.args.values() if isinstance(record.args, Mapping) else record.args or ()
    for value in (*values, *event.values(), *(record.exc_info or ()), *_traceback_of(event)):
        if isinstance(value, BaseException):
            yield value


def _traceback_of(event: Mapping[str, object]) -> Sequence[object]:
    """structlog's `exc_info`: True for the exception that is being handled, or what `sys.exc_info` returned."""
    given = event.get("exc_info")
    if given is True:
        return sys.exc_info()
    return cast("Sequence[object]", given) if isinstance(given, tuple) else ()


def _log_uncaught_exceptions() -> None:
    """Python itself prints these as plain text: exceptions that end the process, a thread, or a finalizer."""
    logger = logging.getLogger("mailcordon")

    def uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        logger.critical("uncaught exception", exc_info=(kind, error, traceback))

    def in_thread(hook: threading.ExceptHookArgs) -> None:
        if hook.exc_value is not None:
            uncaught(hook.exc_type, hook.exc_value, hook.exc_traceback)

    def unraisable(hook: Any) -> None:
        if hook.exc_value is not None:
            uncaught(hook.exc_type, hook.exc_value, hook.exc_traceback)

    sys.excepthook = uncaught
    threading.excepthook = in_thread
    sys.unraisablehook = unraisable
