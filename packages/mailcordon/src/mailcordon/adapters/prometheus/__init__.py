"""Metrics for machines: what each role process knows, in Prometheus's text format (docs/machine-metrics.md)."""
