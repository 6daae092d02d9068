"""`./dev bench week`: 200 tenants for a simulated week, one of which mails a bought list, under three set-ups."""
