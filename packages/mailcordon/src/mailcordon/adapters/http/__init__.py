"""The REST API: one file of routes a plane, one place that knows keys, one that turns errors into answers."""
