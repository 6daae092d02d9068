"""Webhooks: events and state changes, sent to programs of tenants and of the platform (docs/webhooks.md)."""
