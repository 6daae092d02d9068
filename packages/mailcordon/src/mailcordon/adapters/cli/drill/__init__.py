"""`mailcordon drill`: plays an incident with two new tenants and checks each step against the local SES's ledger."""
