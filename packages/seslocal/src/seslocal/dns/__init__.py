"""Its own DNS, and the identities that wait for records in it."""
