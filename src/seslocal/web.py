"""What is served beside the APIs, to browsers and to whoever follows a link in a mail or a message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from seslocal.protocol import Answer, Request
from seslocal.state import Account


class Web:
    """`account` gives the account of the moment."""

    def __init__(self, account: Callable[[], Account]) -> None:
        self._account = account

    def answer(self, request: Request) -> Answer | Awaitable[Answer] | None:
        """None: none of ours."""
        return None
