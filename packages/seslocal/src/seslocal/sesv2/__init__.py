"""The operations of SES v2, a module a noun; each has its part of the table `OPERATIONS`."""
