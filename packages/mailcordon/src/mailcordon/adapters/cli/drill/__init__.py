"""`mailcordon drill`: plays a bad day with two fresh tenants and checks each step against the local SES's ledger."""
