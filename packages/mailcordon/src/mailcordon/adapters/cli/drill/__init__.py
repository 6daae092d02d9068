"""`mailcordon drill`: plays incidents with three new tenants and checks each step against the local SES's ledger."""
