"""The breaker on a running system: it follows the counts, records what is decided and carries it out (docs/breaker.md)."""
