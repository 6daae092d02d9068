"""Searches the ledger by recipient, subject, sender or tenant, newest first. The ledger's entries are encoded, so an entry that
cannot match is skipped before it is decoded."""

from __future__ import annotations

import json

import msgspec

from seslocal.state.ledger import Ledger, LedgerEntry


def find(
    ledger: Ledger, text: str, tenant: str, before: int | None, limit: int
) -> tuple[list[LedgerEntry], bool]:
    """Returns up to `limit` mails older than the number `before`, and whether there are more."""
    found: list[LedgerEntry] = []
    wanted = text.lower()
    for entry in ledger.newest_first():
        if before is not None and entry.number >= before:
            continue
        if (tenant and entry.tenant != tenant) or not _fits(entry, wanted):
            continue
        if len(found) == limit:
            return found, True
        found.append(entry)
    return found, False


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
