"""Submission by SMTP (docs/smtp.md): RFC 6409 with RFC 4954, behind the same admission and intake as the REST API."""
