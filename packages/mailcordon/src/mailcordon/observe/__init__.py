"""The observability plane: reads SES's events, attributes each to its delivery, and counts it once."""
