"""Independent pieces of a long bench, in this process or in several."""

import multiprocessing
from collections.abc import Callable, Sequence
from typing import TypeVar

Task = TypeVar("Task")
Done = TypeVar("Done")


def each(work: Callable[[Task], Done], tasks: Sequence[Task], jobs: int, *, together: int = 1) -> list[Done]:
    """Does the work in so many processes, and returns what came of each task, in their order. Everything has to be picklable.
    `together`: tasks that a process takes at a time."""
    if jobs == 1:
        return [work(task) for task in tasks]
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        return pool.map(work, tasks, chunksize=together)
