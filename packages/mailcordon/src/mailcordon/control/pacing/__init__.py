"""Paced releases and warm-ups: opens steps by feedback, and keeps each day's budget (docs/pacing.md)."""
