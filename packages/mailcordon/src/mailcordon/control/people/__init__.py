"""People who use the dashboard: their roles, how they sign in, their sessions, and links by which a tenant sees its own mail.

No password is stored anywhere. Tokens are random, shown once, and stored as sha256 (`tokens`).
"""
