"""The control plane: what each tenant should have, making SES agree, and the one place where mail is stopped and released."""
