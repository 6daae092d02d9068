"""The admin API below `/_seslocal`: reads the ledger, sets mailboxes, faults, clock and account, runs scenarios."""
