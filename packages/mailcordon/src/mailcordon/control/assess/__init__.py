"""What is wrong with an SES account that many tenants share, who endangers whom, and how to move. `reading` asks SES; the rest is
pure: facts in, a report out (docs/assess.md)."""
