"""The account's suppression list taken apart: each entry is given to the tenant that it is about (docs/suppressions.md)."""
