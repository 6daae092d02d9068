"""Requests to addresses that people configure: alerts, and notices to tenants."""
