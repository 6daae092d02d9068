"""The three decisions about how a tenant sends: its domains, its configuration sets and its IP addresses (docs/ip-pools.md)."""
