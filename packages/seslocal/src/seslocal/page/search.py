"""Searches the ledger by recipient, subject, sender or tenant, newest first. The ledger's lines are encoded, so a line that
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
    for line in ledger.newest_first():
        if before is not None and line.number >= before:
            continue
        if (tenant and line.tenant != tenant) or not _fits(line, wanted):
            continue
        if len(found) == limit:
            return found, True
        found.append(line)
    return found, False


def _fits(line: LedgerEntry, wanted: str) -> bool:
    if not wanted:
        return True
    if wanted in line.message_id or (line.tenant and wanted in line.tenant.lower()):
        return True
    if any(wanted in recipient.lower() for recipient in line.recipients):
        return True
    escaped = json.dumps(wanted, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
    if wanted.isascii() and escaped not in line.facts.lower():
        return False
    facts = msgspec.json.decode(line.facts)
    return wanted in facts["subject"].lower() or wanted in facts["from"].lower()
