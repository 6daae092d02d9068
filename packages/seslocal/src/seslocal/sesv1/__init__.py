"""SES v1, the older API, with forms and XML. It has no state and no tenants: each operation is translated to SES v2 calls,
and their errors to the older codes."""
