"""PostgreSQL, the one truth: the embedded server, migrations and roles, connections, and one store for each plane."""
