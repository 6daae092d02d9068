"""SES's older API, by forms and XML. It has no state of its own and no tenants: each operation is said in SES v2's words,
and what v2 refuses is said in the older API's codes."""
