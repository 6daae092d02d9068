"""SES's SMTP interface (docs/decisions/098). It needs aiosmtpd: `pip install "seslocal[smtp]"`."""
