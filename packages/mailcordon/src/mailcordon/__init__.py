"""Mailcordon: the one governed way out for the e-mail of a multi-tenant platform on Amazon SES."""

__version__ = "0.1.0"
