"""Searches the ledger by recipient, subject, sender, tenant and fate, newest first. The ledger's entries are encoded, so an entry
that cannot match is skipped before it is decoded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

from seslocal.page import fates
from seslocal.state.account import Account
from seslocal.state.event_log import Entry
from seslocal.state.ledger import LedgerEntry


def find(
    account: Account,
    text: str,
    tenant: str,
    group: str,
    before: int | None,
    limit: int,
    events: Mapping[str, Sequence[Entry]],
) -> tuple[list[LedgerEntry], bool]:
    """Returns up to `limit` mails older than the number `before`, and whether there are more. `group` is one of fates.GROUPS,
    which a recipient's fate must have, or ""; `events` are all that are kept, by mail."""
    found: list[LedgerEntry] = []
    wanted = text.lower()
    for entry in account.mail.ledger.newest_first():
        if before is not None and entry.number >= before:
            continue
        if (tenant and entry.tenant != tenant) or not _fits(entry, wanted):
            continue
        if group and not _has_fate(account, entry, group, events.get(entry.message_id, ())):
            continue
        if len(found) == limit:
            return found, True
        found.append(entry)
    return found, False


def _has_fate(account: Account, entry: LedgerEntry, group: str, events: Sequence[Entry]) -> bool:
    if not events and not fates.may_be(account, entry, group):
        return False
    facts = msgspec.json.decode(entry.facts)
    return any(fate.group == group for fate in fates.fates(account, entry, facts, events).values())


def _fits(entry: LedgerEntry, wanted: str) -> bool:
    if not wanted:
        return True
    if wanted in entry.message_id or (entry.tenant and wanted in entry.tenant.lower()):
        return True
    if any(wanted in recipient.lower() for recipient in entry.recipients):
        return True
    escaped = json.dumps(wanted, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
    if wanted.isascii() and escaped not in entry.facts.lower():
        return False
    facts = msgspec.json.decode(entry.facts)
    return wanted in facts["subject"].lower() or wanted in facts["from"].lower()
