"""Keeps the account's state in a file, so that it survives a restart and a kill (docs/architecture.md)."""
