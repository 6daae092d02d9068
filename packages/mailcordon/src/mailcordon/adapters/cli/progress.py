"""A bar on stderr for work that takes long: how far it is, and for how long it has run. On a terminal only, and after 2 s."""

import asyncio
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from mailcordon.adapters.cli.text import plain

SHOWN_AFTER = 2.0  #: seconds; what is over sooner needs no bar


class Bar:
    """Used with `with`, in a running event loop."""

    def __init__(self, console: Console, title: str, *, total: int | None, is_shown: bool) -> None:
        self._title = plain(title)
        self._is_shown = is_shown
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[said]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task(self._title, total=total, said="")
        self._later: asyncio.TimerHandle | None = None
        self._runs = False

    def __enter__(self) -> "Bar":
        if self._is_shown:
            self._later = asyncio.get_running_loop().call_later(SHOWN_AFTER, self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._later is not None:
            self._later.cancel()
        self._stop()

    def set(self, done: int, total: int | None = None) -> None:
        """How much is done, and of how much if that is known by now."""
        of = total if total is not None else self._progress.tasks[0].total
        said = f"{done:,}" if of is None else f"{done:,} of {int(of):,}"
        self._progress.update(self._task, completed=done, total=of, said=said)

    def pause(self) -> bool:
        """Takes the bar away, for text that is printed now. Whether it was shown: then `resume` shows it again."""
        was = self._runs
        self._stop()
        return was

    def resume(self) -> None:
        self._start()

    def _start(self) -> None:
        self._runs = True
        self._progress.start()

    def _stop(self) -> None:
        if self._runs:
            self._runs = False
            self._progress.stop()
