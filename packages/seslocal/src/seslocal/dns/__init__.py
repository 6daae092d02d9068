"""The local DNS zone and name server, and the identities that verify by its records."""
