"""Cases of a test that are a loop in it."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def case(what: object) -> Iterator[None]:
    """A failure in it says of which case it is."""
    try:
        yield
    except BaseException as failure:
        failure.add_note(f"of {what!r}")
        raise
