"""The reason of a bounce, from what SES and the receiving host say of it (docs/bounces.md)."""

from mailcordon.observe.bounce_reasons.engine import Finding, find

__all__ = ["Finding", "find"]
