"""Who is told of what, and when: alerts about incidents, and notices to tenants about their own mail (docs/alerts.md)."""
