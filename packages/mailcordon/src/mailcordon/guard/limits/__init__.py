"""What a limit lets leave, and until when the rest waits (docs/limits.md)."""
