"""IAM policies of access keys: reading the documents, and deciding whether they allow a call. Pure."""
