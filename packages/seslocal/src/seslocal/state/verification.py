"""Custom verification e-mails: templates, and the links that were mailed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST: Final = 10_000  # links that work


@dataclass(frozen=True, slots=True)
class VerificationTemplate:
    """A template of a custom verification e-mail."""

    name: str
    arn: str
    sender: str
    subject: str
    content: str  #: HTML
    success_url: str
    failure_url: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class PendingVerification:
    address: str
    since: float
    success_url: str
    failure_url: str
