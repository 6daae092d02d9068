"""Custom verification e-mails: their templates, and the links that were mailed and not used yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST: Final = 10_000  # links that stay valid


@dataclass(frozen=True, slots=True)
class VerificationTemplate:
    """A custom verification e-mail."""

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
