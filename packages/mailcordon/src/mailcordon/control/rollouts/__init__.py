"""Rollouts: the loop that moves lanes from the shared path to their own, and what people do to them (docs/migration.md)."""
