"""The state of one local SES, all in memory: one module for each noun, and `account.Account`, which composes them."""
