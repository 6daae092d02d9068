"""The policy of the week: what is built in, with the breakers armed, and new tenants in the strict tier."""

from __future__ import annotations

from collections.abc import Iterable

from mailcordon.core.priority import Class
from mailcordon.guard.policy import document
from mailcordon.guard.policy.check import check
from mailcordon.guard.policy.document import PolicyDocument
from seslocal.fleets.tenants import Sender


def of_fleet(senders: Iterable[Sender]) -> PolicyDocument:
    """As `mailcordon policy set -f` would read it."""
    armed = {"breaker": {"mode": "enforce"}, "because": "every lane is proved"}
    found = document.parse(
        {
            "version": document.VERSION,
            "classes": {each.word: armed for each in Class},
            "tenants": {
                sender.name: {"tier": "strict", "because": "it is new"} for sender in senders if sender.new
            },
        }
    )
    check(found)
    return found
