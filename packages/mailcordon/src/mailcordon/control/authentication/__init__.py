"""Whether mail will pass DMARC at its receivers, computed from what the DNS says (docs/identities.md)."""
