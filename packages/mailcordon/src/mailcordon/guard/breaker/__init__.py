"""The breaker: from counts to evidence to actions (docs/breaker.md)."""
