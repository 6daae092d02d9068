"""The DNS: what is published, and which names are public suffixes."""
