"""The reason of a bounce, from what SES and the receiving host say of it."""

from mailcordon.observe.bounce_reasons.engine import reason_of

__all__ = ["reason_of"]
